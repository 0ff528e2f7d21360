"""Who takes the roles that the learner does not: itself, a frozen copy, a script, another model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.players import scripted_style

from .chat import Chat, load_chat
from .config import Play
from .players import Player, endpoint_player, sampler_player, scripted_player
from .sampler import HFSampler, Sample

SELF, FROZEN = "self", "frozen"


class WithoutAdapter:
    """Generates with the base of a model whose adapter is being trained."""

    def __init__(self, model: Any, sampler: HFSampler):
        """Args: the model of peft; generates with it."""
        self._model, self._sampler = model, sampler

    def generate(
        self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, temperature: float, seed: int
    ) -> list[Sample]:
        """As `Sampler.generate`."""
        with self._model.disable_adapter():
            return self._sampler.generate(prompts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)


def check_partner(config: Play) -> None:
    """Raises a `UserError` unless there is such a partner; asks no server and loads no model."""
    spec = config.partner
    if config.learner == "self" or spec in (SELF, FROZEN) or scripted_style(spec):
        return
    if spec.startswith("hf:"):
        if not Path(spec.removeprefix("hf:")).is_dir():
            raise UserError(f"partner {spec!r}: there is no such folder with a model")
    elif config.partner_url is None:
        raise UserError(
            f"partner {spec!r} is none of self, frozen, scripted, scripted:breaker, hf:DIR; a model behind a server "
            "needs partner_url"
        )
    else:
        _endpoint(config)


def make_partner(config: Play, chat: Chat, model: Any, path: str) -> Player | None:
    """The partner; None if the learner takes all roles.

    Args:
        config: Says which.
        chat: The learner's template.
        model: The model that is trained, for a frozen copy of its base.
        path: Where that model came from.
    """
    spec = config.partner
    if config.learner == "self" or spec == SELF:
        return None
    if style := scripted_style(spec):
        return scripted_player(style)
    limits = {"batch_size": config.generate_batch, "batch_tokens": config.generate_tokens}
    talk = {"max_new_tokens": config.max_new_tokens, "temperature": config.partner_temperature}
    if spec == FROZEN:
        # Where the adapter is new, the model without it is the model as it was; otherwise that is loaded again.
        fresh = hasattr(model, "disable_adapter") and not Path(path, "adapter_config.json").is_file()
        sampler = (
            WithoutAdapter(model, HFSampler(model, chat.stops, **limits))
            if fresh
            else HFSampler.load(path, chat.stops, **limits)
        )
        return sampler_player(sampler, chat, max_context=_positions(model), **talk)
    if spec.startswith("hf:"):
        folder = spec.removeprefix("hf:")
        theirs = load_chat(folder)
        other = HFSampler.load(folder, theirs.stops, **limits)
        return sampler_player(other, theirs, max_context=_positions(other.model), **talk)
    return endpoint_player(_endpoint(config))


def _positions(model: Any) -> int | None:
    return getattr(model.config, "max_position_embeddings", None)


def _endpoint(config: Play) -> Any:
    from playpen_eval.endpoint import Endpoint

    return Endpoint(config.partner, str(config.partner_url), config.partner_temperature, config.max_new_tokens)
