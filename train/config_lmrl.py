"""Recipes of LMRL-Gym's methods; defaults are its paper's for the fully observed maze (arXiv 2311.18232, table 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from playpen_eval.errors import UserError

from .chains import Paid
from .config import Common, Data, positive


@dataclass(frozen=True, kw_only=True)
class Returns(Data):
    """What methods have that learn values of tokens from what episodes are paid.

    Attributes:
        overlong: `refuse` rows above `max_length`, or `drop` their episodes.
        beta: Weight of Q beside the policy's log-probabilities, when the result is played.
        gamma: Discount for each token of the learner.
        cql_weight: Weight of the cross-entropy of Q on the data's tokens, which holds Q of other tokens down.
        heads: `mlp`, two layers with a hidden one of the model's width, or `linear`.
        bias: What the heads say before training; None for the mean return of the data.
        paid: `turns`: the games' own credit for each turn. `outcome`: the records' reward, at the end.
    """

    adapter: Literal["none", "lora", "qlora"] = "none"
    learning_rate: float = 1e-4
    schedule: str = "constant"
    beta2: float = 0.95
    batch_size: int = 128
    max_length: int = 1024
    beta: float = 16.0
    gamma: float = 0.99
    cql_weight: float = 0.5
    heads: Literal["mlp", "linear"] = "mlp"
    bias: float | None = None
    paid: Paid = "turns"

    def __post_init__(self) -> None:
        positive(self, self._POSITIVE)
        for name in ("beta", "cql_weight"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if not 0 <= self.gamma <= 1:
            raise UserError(f"gamma must lie in [0, 1], not {self.gamma}")
        if self.overlong == "cut":
            raise UserError("overlong must be refuse or drop: an episode without its end tells no return")
        if self.adapter != "none":
            raise UserError(f"adapter must be none, not {self.adapter}: values are a full copy of the model")
        if self.optimizer != "adamw_torch" or self.trainer:
            raise UserError("optimizer and trainer are for TRL's trainers; this method has AdamW and a loop of its own")
        if self.checkpoint_activations:
            raise UserError("checkpoint_activations is for TRL's trainers; use a smaller batch_size and accumulate")


@dataclass(frozen=True, kw_only=True)
class MC(Returns):
    """Monte Carlo returns: Q learns the discounted return from each token on."""


@dataclass(frozen=True, kw_only=True)
class ILQL(Returns):
    """Implicit language Q-learning (Snell et al. 2022): V is an expectile of Q, Q is bootstrapped from V.

    Attributes:
        tau: The expectile; .5 for the mean, near 1 for the best of what the data did.
        polyak: How far the targets follow in each step.
    """

    tau: float = 0.99
    polyak: float = 0.005

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("tau", "polyak"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")


LMRL: dict[str, type[Common]] = {"mc": MC, "ilql": ILQL}
