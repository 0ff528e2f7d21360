"""Who generates in a rollout: `Sampler`, and the one on transformers' generate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from playpen_eval.errors import UserError, require


class Sample(NamedTuple):
    """One generated reply.

    Attributes:
        ids: As sampled; ends with an end token unless the limit came first.
        logprobs: Natural logarithm of each id's probability under the distribution at the sampling temperature (at
            temperature 1 if greedy), not truncated; None if the sampler does not tell.
    """

    ids: list[int]
    logprobs: list[float] | None


class Sampler(Protocol):
    """Generates replies for a batch of prompts, in order."""

    def generate(
        self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, temperature: float, seed: int
    ) -> list[Sample]:
        """Generates one reply for each prompt.

        Args:
            prompts: Token ids, never empty.
            max_new_tokens: Limit for each reply.
            temperature: 0 for greedy.
            seed: Same seed, same prompts, same replies, as far as the backend can promise that.
        """
        ...


class _Logprobs:
    """Notes the log-probability of each chosen id while generating; all logits of a batch would fill the memory."""

    def __init__(self, torch: Any, temperature: float):
        self._torch, self._temperature = torch, temperature or 1.0
        self._last: Any = None
        self._found: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Called by generate before it changes the logits for sampling, with the ids chosen so far."""
        if self._last is not None:
            self._take(input_ids[:, -1])
        self._last = self._torch.log_softmax(scores.float() / self._temperature, -1)
        return scores

    def finish(self, ids: Any) -> list[list[float]]:
        """All of them, given the ids that were chosen last."""
        self._take(ids)
        return self._torch.stack(self._found, 1).tolist()

    def _take(self, ids: Any) -> None:
        self._found.append(self._last.gather(-1, ids[:, None])[:, 0])


class HFSampler:
    """A model of transformers, on any device.

    Left padding is right for models with rotary positions and for those that derive positions from the attention
    mask, which transformers' decoders do.

    Attributes:
        model: The model, in evaluation mode while it generates.
    """

    def __init__(self, model: Any, stops: set[int], batch_size: int = 64, batch_tokens: int = 65536):
        """Wraps a loaded model.

        Args:
            model: A causal language model.
            stops: Ids that end a reply (`Chat.stops`).
            batch_size: Prompts in one call of generate.
            batch_tokens: Padded tokens in one call, prompts and replies together.
        """
        self.model = model
        self._stops = sorted(stops)
        self._batch_size, self._batch_tokens = batch_size, batch_tokens

    @classmethod
    def load(cls, path: str, stops: set[int], **options: Any) -> HFSampler:
        """Loads a model or adapter from a folder (or the hub), on a GPU if there is one.

        Raises:
            UserError: It cannot be loaded.
        """
        torch, transformers = require("torch", "hf"), require("transformers", "hf")
        from .value_model import register

        register()
        try:
            model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype="auto")
        except Exception as error:  # transformers and the hub have errors of all kinds
            raise UserError(f"cannot load the model {path!r}: {type(error).__name__}: {error}") from None
        return cls(model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), stops, **options)

    def generate(
        self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, temperature: float, seed: int
    ) -> list[Sample]:
        """As `Sampler.generate`; random numbers of the caller are left as they are."""
        torch = require("torch", "hf")
        samples: list[Any] = [None] * len(prompts)
        training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=self._devices(torch)):
                torch.manual_seed(seed)
                for batch in self._batches(prompts, max_new_tokens):
                    made = self._batch(torch, [prompts[place] for place in batch], max_new_tokens, temperature)
                    for place, sample in zip(batch, made, strict=True):
                        samples[place] = sample
        finally:
            self.model.train(training)
        return samples

    def _devices(self, torch: Any) -> list[int]:
        return list(range(torch.cuda.device_count())) if self.model.device.type == "cuda" else []

    def _batches(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> Iterator[list[int]]:
        """Places of prompts of similar length."""
        batch: list[int] = []
        for place in sorted(range(len(prompts)), key=lambda place: (len(prompts[place]), place)):
            width = len(prompts[place]) + max_new_tokens
            if batch and (len(batch) == self._batch_size or width * (len(batch) + 1) > self._batch_tokens):
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def _batch(self, torch: Any, prompts: list[Sequence[int]], max_new_tokens: int, temperature: float) -> list[Sample]:
        width, pad = max(map(len, prompts)), self._stops[0]
        ids = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        seen = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        # Everything is set, so that no generation_config.json changes the distribution.
        sampling = (
            {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0}
            if temperature > 0
            else {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        )
        logprobs = _Logprobs(torch, temperature)
        output = self.model.generate(
            input_ids=ids.to(self.model.device),
            attention_mask=seen.to(self.model.device),
            max_new_tokens=max_new_tokens,
            eos_token_id=self._stops,
            pad_token_id=pad,
            repetition_penalty=1.0,
            num_beams=1,
            logits_processor=[logprobs],
            **sampling,
        )
        replies = output[:, width:]
        found = logprobs.finish(replies[:, -1])
        return [self._cut(ids, probs) for ids, probs in zip(replies.tolist(), found, strict=True)]

    def _cut(self, ids: list[int], logprobs: list[float]) -> Sample:
        length = next((place + 1 for place, token in enumerate(ids) if token in self._stops), len(ids))
        return Sample(ids[:length], logprobs[:length])
