"""A model behind an OpenAI-compatible chat endpoint, without a harness."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from playpen_eval.episode import Observation
from playpen_eval.errors import UserError
from playpen_eval.players import MAX_TOKENS, clean_reply

API_KEY = "OPENAI_API_KEY"


class EndpointError(UserError):
    """The endpoint gave no usable answer. It is never the model's fault and never ends an episode."""


class ContextFullError(EndpointError):
    """The chat no longer fits into the model; that is the model's limit and ends the episode."""


_CONTEXT = re.compile(r"context[ _](length|window|size)|maximum context", re.IGNORECASE)


class _Transient(EndpointError):
    """Worth another try: rate limit, server error, broken connection."""


@dataclass
class Endpoint:
    """Asks an OpenAI-compatible server (vLLM, llama.cpp, a vendor's API) for replies.

    Attributes:
        model: The server's name of the model.
        base_url: Such as http://127.0.0.1:8000/v1.
        temperature: Sampling temperature.
        max_tokens: Upper limit of a reply, in tokens.
        attempts: Tries per request, with exponential back-off in between.
        timeout: Seconds for one request.
        usage: Tokens so far, as the server counts them: `input`, `output`; and `calls`.
    """

    model: str
    base_url: str
    temperature: float = 0.0
    max_tokens: int = MAX_TOKENS
    attempts: int = 6
    timeout: float = 300.0
    usage: dict[str, int] = field(default_factory=lambda: {"calls": 0, "input": 0, "output": 0})

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise UserError(f"base URL {self.base_url!r} does not begin with http:// or https://")
        key = os.environ.get(API_KEY, "").strip()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            urlsplit(self.base_url).port  # noqa: B018 - it raises for a port that cannot be, httpx does not
            self._client = httpx.AsyncClient(base_url=self.base_url.rstrip("/") + "/", headers=headers)
        except (httpx.InvalidURL, ValueError) as error:
            raise UserError(f"base URL {self.base_url!r} is none: {error}") from None

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def reply(self, observation: Observation) -> str:
        """Asks for one reply.

        Raises:
            EndpointError: No usable answer after all attempts.
        """
        limit = observation.max_tokens or self.max_tokens
        request = {
            "model": self.model,
            "messages": observation.messages,
            "temperature": self.temperature,
            "max_tokens": limit,
        }
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_Transient),
            stop=stop_after_attempt(self.attempts),
            wait=wait_exponential_jitter(initial=0.5, max=30),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                answer = await self._post(request)
        return self._read(answer)

    async def _post(self, request: dict[str, Any]) -> Any:
        url = f"{self.base_url.rstrip('/')}/chat/completions"
        try:
            response = await self._client.post("chat/completions", json=request, timeout=self.timeout)
        except httpx.RequestError as error:
            raise _Transient(f"{url} cannot be reached: {type(error).__name__}: {error}") from None
        if response.status_code == 429 or response.status_code >= 500:
            raise _Transient(f"{url} answered {response.status_code}: {response.text[:200]}")
        if response.status_code == 400 and _CONTEXT.search(response.text):
            raise ContextFullError(f"{url}: the context of {self.model} is full")
        if response.status_code != 200:
            raise EndpointError(f"{url} answered {response.status_code}: {response.text[:200]}")
        try:
            return response.json()
        except ValueError:
            raise EndpointError(f"{url} did not answer with JSON: {response.text[:200]!r}") from None

    def _read(self, answer: Any) -> str:
        try:
            text = answer["choices"][0]["message"]["content"] or ""
            usage = answer.get("usage") or {}
            self.usage["calls"] += 1
            self.usage["input"] += int(usage.get("prompt_tokens") or 0)
            self.usage["output"] += int(usage.get("completion_tokens") or 0)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise EndpointError(f"{self.base_url}: not a chat completion: {str(answer)[:200]}") from None
        if not isinstance(text, str):
            raise EndpointError(f"{self.base_url}: the message content is no text: {str(text)[:200]}")
        return clean_reply(text)
