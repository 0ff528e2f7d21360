"""A model of the harness as a player: prompts, limits, cache, and what its text needs before a game sees it."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.model import LM, hash_args

from playpen_eval.episode import Message, Observation
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.players import SELF, clean_reply, scripted_style

PLAIN_STOP = "\nUser:"
"""Where a reply ends if the model has no chat template."""

_SPECIAL_TOKENS = 8  # what a tokenizer may add beyond one token per byte

log = logging.getLogger("lm_eval.playpen")  # the harness shows its own loggers only


@dataclass(slots=True)
class Request:
    """One call of a model: the part of the harness's `Instance` that its backends read."""

    args: tuple[Any, dict[str, Any]]

    @property
    def arguments(self) -> tuple[Any, dict[str, Any]]:
        """The other name of `args`."""
        return self.args


class ModelPlayer:
    """A model of the harness in one or more roles.

    Attributes:
        template: `chat` if the model's chat template is used, `plain` if it has none.
    """

    def __init__(self, lm: LM):
        self._lm: Any = lm
        self.template = "chat" if _has_template(lm) else "plain"
        self._cache = getattr(getattr(lm, "cache_hook", None), "dbdict", None)
        parameters = inspect.signature(lm.generate_until).parameters
        self._quiet = {"disable_tqdm": True} if "disable_tqdm" in parameters else {}
        # A server that is sent text instead of tokens does its own counting.
        counts = hasattr(lm, "tok_encode") and getattr(lm, "tokenized_requests", True)
        self._context: int | None = getattr(lm, "max_length", None) if counts else None

    def __call__(self, asked: Sequence[tuple[Observation, dict[str, Any]]]) -> list[str | Outcome]:
        """Answers a batch.

        Args:
            asked: Observations with the generation settings of their tasks.

        Returns:
            For each of them a reply, or how the episode ends where the model's context is full.
        """
        answers: list[Any] = [None] * len(asked)
        places: list[int] = []
        requests: list[Request] = []
        for place, (observation, settings) in enumerate(asked):
            prompt = self._prompt(observation.messages)
            settings = self._settings(settings, observation.max_tokens)
            if self._is_full(prompt, settings["max_gen_toks"]):
                reason = f"the context of {self._context} tokens is full"
                answers[place] = Outcome.aborted(observation.role, reason)
            else:
                places.append(place)
                requests.append(Request((prompt, settings)))
        for place, text in zip(places, self._generate(requests), strict=True):
            answers[place] = self._clean(text)
        return answers

    def _prompt(self, messages: list[Message]) -> Any:
        if self.template == "chat":
            return self._lm.apply_chat_template(messages)
        lines = [f"{message['role'].capitalize()}: {message['content']}\n" for message in messages]
        return "".join(lines) + "Assistant:"

    def _settings(self, settings: dict[str, Any], cap: int | None) -> dict[str, Any]:
        # Backends change what they are given, so every request has its own.
        stops = [*settings["until"], PLAIN_STOP] if self.template == "plain" else [*settings["until"]]
        settings = {**settings, "until": stops}
        if cap is not None:
            settings["max_gen_toks"] = cap
        return settings

    def _is_full(self, prompt: Any, reply_tokens: int) -> bool:
        if self._context is None or not isinstance(prompt, str):
            return False
        room = self._context - reply_tokens
        # Counting is slow, and a text has no more tokens than bytes.
        if len(prompt.encode()) + _SPECIAL_TOKENS <= room:
            return False
        return room <= 0 or len(self._lm.tok_encode(prompt)) > room

    def _generate(self, requests: list[Request]) -> list[Any]:
        if self._cache is None:
            return self._lm.generate_until(requests, **self._quiet) if requests else []
        # The harness looks up its own request types only, so the cache of --use_cache is read and filled here.
        keys = [None if _samples(request) else hash_args("generate_until", request.args) for request in requests]
        texts = [None if key is None else self._cache.get(key) for key in keys]
        missing = [place for place, text in enumerate(texts) if text is None]
        if missing:
            new = self._lm.generate_until([requests[place] for place in missing], **self._quiet)
            for place, text in zip(missing, new, strict=True):
                texts[place], key = text, keys[place]
                if key is not None and key not in self._cache:  # many backends store their answers themselves
                    self._cache[key] = text
        return texts

    def _clean(self, text: Any) -> str:
        if not isinstance(text, str):  # some servers answer null
            return ""
        text = clean_reply(text)
        return text.removeprefix(" ") if self.template == "plain" else text

    @contextlib.contextmanager
    def steady(self) -> Iterator[None]:
        """Detects an automatic batch size once; the harness would do it, slowly, in every round of every run."""
        lm = self._lm
        if getattr(lm, "batch_size", None) != "auto" or not hasattr(lm, "_detect_batch_size"):
            yield
            return
        before = lm.batch_size_per_gpu
        lm.batch_size_per_gpu = lm._detect_batch_size()
        log.info("batch size %s, detected once for all turns", lm.batch_size_per_gpu)
        try:
            yield
        finally:
            lm.batch_size_per_gpu = before


def _samples(request: Request) -> bool:
    settings = request.args[1]
    return bool(settings.get("do_sample")) or (settings.get("temperature") or 0) > 0


def _has_template(lm: LM) -> bool:
    if lm.chat_template(True) is None:
        return False
    try:
        lm.apply_chat_template([{"role": "user", "content": "Hello"}])
    except (NotImplementedError, ValueError) as error:
        log.warning("no chat template, so episodes are told as plain text: %s", error)
        return False
    return True


def check_partner(spec: Any) -> str | dict[str, Any]:
    """Checks who takes the roles that the learner does not.

    Args:
        spec: `self`, `scripted`, `scripted:STYLE`, or `{"model": NAME, "model_args": {...}}` in the harness's terms.

    Returns:
        The specification, model arguments as a dictionary.

    Raises:
        UserError: It is none of these.
    """
    if isinstance(spec, str) and (spec == SELF or scripted_style(spec)):
        return spec
    if isinstance(spec, Mapping) and isinstance(spec.get("model"), str) and not spec.keys() - {"model", "model_args"}:
        model_args = spec.get("model_args") or {}
        if isinstance(model_args, str):
            from lm_eval.utils import simple_parse_args_string

            model_args = simple_parse_args_string(model_args)
        if isinstance(model_args, Mapping):
            return {"model": spec["model"], "model_args": dict(model_args)}
    raise UserError(
        f"unknown partner {spec!r}; use self, scripted, scripted:breaker "
        'or --metadata \'{"partner": {"model": "hf", "model_args": {"pretrained": "..."}}}\''
    )


@functools.lru_cache(maxsize=2)
def _load(model: str, model_args: str) -> LM:
    from lm_eval.api.registry import get_model

    log.info("loading the partner: %s", model)
    return get_model(model).create_from_arg_obj(json.loads(model_args))


def partner_player(spec: Mapping[str, Any], learner: LM) -> ModelPlayer:
    """The player for a checked `{"model", "model_args"}`; its model stays loaded for the next evaluation.

    A partner of the learner's own kind takes its batch size and device unless `model_args` say otherwise.
    """
    import lm_eval.models  # noqa: F401 - registers the backends
    from lm_eval.api.registry import get_model

    defaults: dict[str, Any] = {}
    if get_model(spec["model"]) is type(learner):
        found = {name: getattr(learner, name, None) for name in ("batch_size", "device")}
        defaults = {name: str(value) for name, value in found.items() if value is not None}
    return ModelPlayer(_load(spec["model"], json.dumps({**defaults, **spec["model_args"]}, sort_keys=True)))
