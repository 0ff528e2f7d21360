"""The model provider `playpen-local`: `--model playpen-local/PATH` runs a checkpoint or an adapter on this machine.

Inspect's own `hf/` starts a batch that is not full when two seconds have passed without a request, and looks for its
result once a second; a dialogue with its many short turns waits for that again and again. Here whoever comes first
waits for as long as others keep coming, a few milliseconds, and then answers for all: episodes that run side by side
fall into step.
"""
# The folder train/ is mapped into the package (see playpen_eval/__init__.py), which type checkers cannot follow.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage, StopReason, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo

from playpen_eval.errors import UserError, require
from playpen_eval.players import MAX_TOKENS

WAIT = 0.004
"""Seconds without a new request after which a batch starts."""

BATCH_SIZE = 64


class Settings(NamedTuple):
    """What the requests of one batch have in common."""

    max_tokens: int
    temperature: float
    top_p: float | None
    top_k: int | None
    stops: tuple[str, ...]


@dataclass(eq=False)
class Request:
    """One reply to generate.

    Attributes:
        ids: The prompt.
        settings: How to generate.
        reply: Ids of the reply without an end token, once generated.
        ended: The reply ended by itself.
        error: Why its batch failed.
    """

    ids: list[int]
    settings: Settings
    reply: list[int] | None = None
    ended: bool = False
    error: Exception | None = None


class LocalModel:
    """A model of transformers with its tokenizer.

    Attributes:
        context: Tokens that a prompt and its reply may have together.
    """

    def __init__(self, path: str, device: str | None = None, dtype: str = "auto", seed: int = 0):
        """Loads a model.

        Args:
            path: A folder with a checkpoint or a PEFT adapter, or a name on the hub.
            device: As torch names it; by default the first GPU, or the CPU where there is none.
            dtype: Of the weights; by default as they were saved.
            seed: Of sampling. It repeats only where the same requests meet in the same batches.

        Raises:
            UserError: It cannot be loaded or has no chat template.
        """
        torch = require("torch", "hf")
        tokens_from, model = self._load(path, dtype)
        self.model = model.to(device or _best_device(torch)).eval()
        self.tokenizer = tokens_from
        if not self.tokenizer.chat_template:
            raise UserError(f"{path} has no chat template; save its tokenizer with one, or add chat_template.jinja")
        ends = self.model.generation_config.eos_token_id
        found = {*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id} - {None}
        if not found:
            raise UserError(f"{path} has no end-of-text token, so no reply would ever end")
        self._ends: list[int] = sorted(found)
        self.context: int = getattr(self.model.config, "max_position_embeddings", None) or 10**9
        self._seed = seed

    @staticmethod
    def _load(path: str, dtype: str) -> tuple[Any, Any]:
        transformers = require("transformers", "hf")
        from playpen_eval.train.value_model import register

        register()
        adapter = Path(path) / "adapter_config.json"
        try:
            base = _base_of(adapter) if adapter.is_file() else path
            model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
            if base != path:
                # Merged, a step costs what it costs without an adapter.
                model = require("peft", "train").PeftModel.from_pretrained(model, path).merge_and_unload()
            own = base == path or (Path(path) / "tokenizer_config.json").is_file()
            return transformers.AutoTokenizer.from_pretrained(path if own else base), model
        except UserError:
            raise
        except Exception as error:  # transformers, peft and the hub have errors of all kinds
            raise UserError(f"cannot load the model {path!r}: {type(error).__name__}: {error}") from None

    def prompt(self, messages: list[ChatMessage]) -> list[int]:
        """The ids after which the model speaks."""
        chat = [{"role": message.role, "content": message.text} for message in messages]
        return list(self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False))

    def text(self, ids: list[int]) -> str:
        """A reply as text."""
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def answer(self, requests: list[Request]) -> None:
        """Generates the replies to requests of the same settings, in one batch."""
        import torch

        settings = requests[0].settings
        width = max(len(request.ids) for request in requests)
        pad = self._ends[0]
        ids = torch.tensor([[pad] * (width - len(request.ids)) + request.ids for request in requests])
        seen = torch.tensor([[0] * (width - len(r.ids)) + [1] * len(r.ids) for r in requests])
        sampling: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if settings.temperature > 0:
            sampling = {"do_sample": True, "temperature": settings.temperature}
            sampling |= {"top_p": settings.top_p or 1.0, "top_k": settings.top_k or 0}
        if settings.stops:
            sampling |= {"stop_strings": list(settings.stops), "tokenizer": self.tokenizer}
        device = self.model.device
        with torch.inference_mode(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self._seed)
            self._seed += 1
            made = self.model.generate(
                input_ids=ids.to(device),
                attention_mask=seen.to(device),
                max_new_tokens=settings.max_tokens,
                eos_token_id=self._ends,
                pad_token_id=pad,
                **sampling,
            )
        for request, reply in zip(requests, made[:, width:].tolist(), strict=True):
            end = next((place for place, token in enumerate(reply) if token in self._ends), None)
            request.reply, request.ended = reply[:end], end is not None


def _base_of(adapter: Path) -> str:
    """The base model of a PEFT adapter; a relative folder is looked for from here and from the adapter."""
    base = json.loads(adapter.read_text(encoding="utf-8")).get("base_model_name_or_path")
    if not base:
        raise UserError(f"{adapter} names no base model (base_model_name_or_path)")
    beside = adapter.parent / base
    return str(beside) if beside.is_dir() and not Path(base).is_dir() else base


def _best_device(torch: Any) -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


class Batches:
    """Brings concurrent requests together.

    There is no worker to start, stop or lose: requests queue at a lock, and whoever gets it answers for everybody
    that is waiting with the same settings.
    """

    def __init__(self, model: LocalModel, batch_size: int = BATCH_SIZE):
        self._model = model
        self._batch_size = batch_size
        self._waiting: list[Request] = []
        self._lock = anyio.Lock()

    async def submit(self, request: Request) -> Request:
        """Returns the request with its reply.

        Raises:
            Exception: What the model's batch failed with.
        """
        self._waiting.append(request)
        try:
            async with self._lock:
                if request in self._waiting:
                    await self._others()
                    await anyio.to_thread.run_sync(self._answer, self._take(request.settings))
        finally:
            if request in self._waiting:  # cancelled before its turn
                self._waiting.remove(request)
        if request.error:
            raise request.error
        return request

    async def _others(self) -> None:
        before = 0
        while before < len(self._waiting) < self._batch_size:
            before = len(self._waiting)
            await anyio.sleep(WAIT)

    def _take(self, settings: Settings) -> list[Request]:
        batch = [request for request in self._waiting if request.settings == settings][: self._batch_size]
        self._waiting = [request for request in self._waiting if request not in batch]
        return batch

    def _answer(self, batch: list[Request]) -> None:
        try:
            self._model.answer(batch)
        except Exception as error:  # out of memory, a broken model: every request of the batch has to hear of it
            for request in batch:
                request.error = error


@modelapi(name="playpen-local")
def playpen_local() -> type[ModelAPI]:
    """A local checkpoint or adapter as a model, greedy unless a temperature is given.

    Model arguments (`-M`): `device`, `dtype`, `batch_size`.
    """

    class Local(ModelAPI):
        def __init__(
            self,
            model_name: str,
            base_url: str | None = None,
            api_key: str | None = None,
            config: GenerateConfig = GenerateConfig(),  # noqa: B008 - the signature that Inspect documents
            *,
            device: str | None = None,
            dtype: str = "auto",
            batch_size: int = BATCH_SIZE,
            **model_args: Any,
        ):
            super().__init__(model_name, base_url, api_key, [], config)
            if model_args:
                raise UserError(f"playpen-local has no argument {', '.join(model_args)}; device, dtype, batch_size")
            if batch_size < 1:
                raise UserError(f"batch_size must be at least 1, not {batch_size}")
            self.batch_size = batch_size
            self.local = LocalModel(model_name, device, dtype, config.seed or 0)
            self.batches = Batches(self.local, batch_size)

        def max_connections(self) -> int:
            return self.batch_size

        async def generate(
            self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
        ) -> ModelOutput:
            if tools:
                raise UserError("playpen-local has no tools")
            ids = self.local.prompt(input)
            room = self.local.context - len(ids)
            if room < 1:
                return self._output("", "model_length", len(ids), 0)
            settings = Settings(
                min(config.max_tokens or MAX_TOKENS, room),
                config.temperature or 0.0,
                config.top_p,
                config.top_k,
                tuple(config.stop_seqs or ()),
            )
            request = await self.batches.submit(Request(ids, settings))
            assert request.reply is not None
            text, stopped = self.local.text(request.reply), request.ended
            for stop in settings.stops:
                text, found, _ = text.partition(stop)
                stopped = stopped or bool(found)
            return self._output(text, "stop" if stopped else "max_tokens", len(ids), len(request.reply))

        def _output(self, text: str, stop: StopReason, read: int, said: int) -> ModelOutput:
            output = ModelOutput.from_content(self.model_name, text, stop)
            output.usage = ModelUsage(input_tokens=read, output_tokens=said, total_tokens=read + said)
            return output

    return Local
