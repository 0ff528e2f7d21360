"""A model with its optimizer, for loops of our own: the learner's tokens as flat lists, and steps on them."""
# pyright: reportMissingImports=false

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from peft import PeftModel, get_peft_model, load_peft_weights, set_peft_model_state_dict
from transformers import get_scheduler

from playpen_eval.errors import UserError

from .chains import Chain
from .chat import Chat
from .config import Common
from .config_lmrl import Rounds
from .models import peft_config
from .session import Session

STATE = "updates.pt"
"""File of a checkpoint with the optimizer's state."""


class Piece(NamedTuple):
    """One row of a chain.

    Attributes:
        ids: Its tokens.
        places: Of those that the learner said.
        numbers: Of the same tokens, counted through all chains of a round in order of time.
    """

    ids: list[int]
    places: list[int]
    numbers: list[int]


class Said(NamedTuple):
    """What a model has to say of the N learned tokens of a batch.

    Attributes:
        numbers: (N,) which tokens they are.
        logprobs: (N,) their log-probabilities.
        entropy: (N,) of the distributions that they were drawn from; without a gradient.
        hidden: (N, width) the last hidden state before each.
    """

    numbers: Any
    logprobs: Any
    entropy: Any
    hidden: Any


def pieces(chains: Sequence[Chain]) -> list[Piece]:
    """The rows of chains; the tokens of the first chain have the first numbers."""
    made: list[Piece] = []
    first = 0
    for chain in chains:
        own = [Piece(row.prompt_ids + row.completion_ids, [], []) for row in chain.rows]
        for number, (row, place) in enumerate(zip(chain.row_of, chain.place, strict=True), first):
            own[row].places.append(place)
            own[row].numbers.append(number)
        made += own
        first += len(chain)
    return made


def shuffled(items: Sequence[Any], size: int, seed: str) -> list[list[Any]]:
    """All items in batches, in an order that depends on the seed alone; the last batch may be smaller."""
    order = Random(seed).sample(list(items), len(items))
    return [order[start : start + size] for start in range(0, len(order), size)]


def place_model(session: Session, chat: Chat, config: Rounds) -> tuple[Any, bool]:
    """The model to be trained, on its device; with a new adapter if the recipe wants one, and whether it has one."""
    model = session.load_model(chat)
    adapter = peft_config(model, config)
    if adapter:
        model = get_peft_model(model, adapter)
    if config.checkpoint_activations:
        model.enable_input_require_grads()
        model.activation_checkpointing_enable({"use_reentrant": False})
    return model.to(session.state.device).train(), bool(adapter)


def make_optimizer(parameters: Any, config: Common, total: int) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW, and the schedule of its rate.

    Args:
        parameters: What is trained, or groups of it.
        config: Rates, schedule and warmup.
        total: Steps of the schedule.

    Raises:
        UserError: There is no such schedule.
    """
    betas = (0.9, config.beta2)
    adam = torch.optim.AdamW(parameters, lr=config.learning_rate, betas=betas, weight_decay=config.weight_decay)
    warmup = config.warmup if config.warmup >= 1 else config.warmup * total
    try:
        return adam, get_scheduler(config.schedule, adam, math.ceil(warmup), total)
    except ValueError as error:
        raise UserError(f"schedule: {error}") from None


class Updates:
    """Takes steps.

    Attributes:
        model: The model that is trained.
    """

    def __init__(
        self, model: Any, config: Rounds, bfloat16: bool, more: Iterable[Any] = (), more_rate: float | None = None
    ):
        """Makes the optimizer.

        Args:
            model: As `place_model` makes it.
            config: Rates and sizes; the schedule moves with `next_round`.
            bfloat16: Compute in that precision.
            more: Further parameters.
            more_rate: Their learning rate; None for the model's.
        """
        self.model, self._config, self._bfloat16 = model, config, bfloat16
        own, rate = [one for one in model.parameters() if one.requires_grad], config.learning_rate
        self._parameters = [*own, *(further := list(more))]
        groups: list[dict[str, Any]] = [{"params": own}, {"params": further, "lr": more_rate or rate}]
        self.optimizer, self.schedule = make_optimizer(groups, config, config.rounds)

    @property
    def size(self) -> int:
        """Rows of a step."""
        return self._config.batch_size * self._config.accumulate

    @property
    def device(self) -> Any:
        """Where the model is."""
        return next(self.model.parameters()).device

    def precision(self) -> Any:
        """A context in which the model computes as it is to."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16)

    def read(self, batch: Sequence[Piece], temperature: float = 1.0, model: Any = None) -> Said:
        """One forward pass.

        Args:
            batch: Rows.
            temperature: Of the distributions.
            model: Another model than the one that is trained.
        """
        # Games that forget ask the same thing again and again; the model reads it once.
        texts = {text: row for row, text in enumerate(dict.fromkeys(tuple(piece.ids) for piece in batch))}
        width = max(map(len, texts))
        ids = self._tensor([[*text, *[0] * (width - len(text))] for text in texts])
        seen = self._tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
        rows = self._tensor([texts[tuple(piece.ids)] for piece in batch for _ in piece.places])
        places = self._tensor([place for piece in batch for place in piece.places])
        columns, before = self._columns(places - 1)
        with self.precision():
            output = (model or self.model)(
                input_ids=ids, attention_mask=seen, output_hidden_states=True, use_cache=False, **columns
            )
        logs = (output.logits[rows, before].float() / temperature).log_softmax(-1)
        return Said(
            self._tensor([number for piece in batch for number in piece.numbers]),
            logs.gather(-1, ids[rows, places][:, None])[:, 0],
            -(logs.detach().exp() * logs.detach()).sum(-1),
            output.hidden_states[-1][rows, places - 1].float(),
        )

    def _tensor(self, values: Any) -> Any:
        return torch.tensor(values, device=self.device)

    def _columns(self, places: Any) -> tuple[dict[str, Any], Any]:
        """What tells the model that logits are wanted at some places only, if it can, and where they then are."""
        base = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        if "logits_to_keep" not in inspect.signature(base.forward).parameters:
            return {}, places
        wanted, columns = torch.unique(places, return_inverse=True)
        return {"logits_to_keep": wanted}, columns

    def batches(self, batch: Sequence[Piece]) -> list[Sequence[Piece]]:
        """The rows of a step as they go through the model."""
        size = self._config.batch_size
        return [batch[start : start + size] for start in range(0, len(batch), size)]

    def step(
        self,
        batch: Sequence[Piece],
        loss: Callable[[Sequence[Piece]], Any],
        further: Callable[[], Any] = lambda: None,
    ) -> None:
        """One step of the optimizer.

        Args:
            batch: The rows of the step.
            loss: Sum of the loss over the learned tokens of some of them; the step is on the mean over all.
            further: What is added to that mean; None for nothing.

        Raises:
            UserError: The gradient is no number; the weights are as they were.
        """
        total = sum(len(piece.places) for piece in batch)
        for part in self.batches(batch):
            (loss(part) / total).backward()
        if (more := further()) is not None:
            more.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._config.clip)
        if not norm.isfinite():
            raise UserError(f"the gradient is no number any more; lower learning_rate {self._config.learning_rate:g}")
        self.optimizer.step()
        self.optimizer.zero_grad()

    def next_round(self) -> None:
        """Moves the schedule."""
        self.schedule.step()

    def save(self, folder: Path) -> None:
        """Writes what is needed to go on beside the model."""
        torch.save({"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}, folder / STATE)

    def restore(self, folder: Path) -> None:
        """Goes on from a model and what `save` wrote beside it."""
        if isinstance(self.model, PeftModel):
            set_peft_model_state_dict(self.model, load_peft_weights(str(folder), device=str(self.device)))
        else:
            saved = type(self.model).from_pretrained(folder, dtype=self.model.dtype)
            self.model.load_state_dict(saved.state_dict())
        state = torch.load(folder / STATE, map_location=self.device, weights_only=True)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
