"""Recipes of LMRL-Gym's methods; defaults are its paper's for the fully observed maze (arXiv 2311.18232, table 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from playpen_eval.errors import UserError

from .chains import Backup, Paid
from .config import Common, Data, Play, positive


@dataclass(frozen=True, kw_only=True)
class Returns(Data):
    """What methods have that learn values of tokens from what episodes are paid.

    `adapter: lora` trains an adapter and the heads, not the whole copy of the transformer; it is merged at the end.

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
        if self.adapter == "qlora":
            raise UserError("adapter: qlora is not for methods on values; use lora")
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
        backup: What Q of a token is learned from. `token`, the paper's: V of the state after it. `turn`: what the rest
            of the turn is paid, and V of the state in which the next turn begins. Payment then reaches the first token
            of a reply at once, and values look for the better part of the data from turn to turn, not within a reply.
    """

    tau: float = 0.99
    polyak: float = 0.005
    backup: Backup = "token"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("tau", "polyak"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Rounds(Play, Common):
    """What methods have that play a round, learn from it, and play the next one.

    Attributes:
        rounds: How many; there is no `max_steps`.
        episodes: Of a round; where the learner has several seats in an episode, each of them counts.
        group_size: Episodes of one instance in a round.
        epochs: Passes through the rows of a round.
        schedule: As everywhere, but a step of it is a round that was learned from; so is one of `warmup`, and any round
            one of `save_every` and `log_every`.
        paid: What an episode is worth: `turns`, the game's own credit for each turn, or `outcome`, the `reward` that
            its outcome has, on its last token.
        patience: Rounds in a row without anything to learn from after which training stops.
    """

    adapter: Literal["none", "lora", "qlora"] = "none"
    max_length: int = 1024
    rounds: int = 100
    episodes: int = 128
    group_size: int = 1
    schedule: str = "constant"
    batch_size: int = 128
    beta2: float = 0.95
    log_every: int = 1
    save_every: int = 10
    paid: Paid = "turns"
    patience: int = 5

    def __post_init__(self) -> None:
        positive(self, (*self._POSITIVE, "rounds", "episodes", "patience"))
        self.check_play()
        if self.epochs != int(self.epochs):
            raise UserError(f"epochs must be a whole number of passes through a round's rows, not {self.epochs:g}")
        if self.episodes % self.group_size:
            raise UserError(f"episodes {self.episodes} must be a multiple of group_size {self.group_size}")
        for name, value, instead in (
            ("max_steps", self.max_steps, "rounds says how long it trains"),
            ("trainer", self.trainer, "it is not trained by TRL"),
        ):
            if value:
                raise UserError(f"{name} has no meaning in a training by rounds: {instead}")
        if self.optimizer != "adamw_torch":
            raise UserError(f"the optimizer of a training by rounds is adamw_torch, not {self.optimizer}")
        if self.adapter == "qlora":
            raise UserError("adapter: qlora is not for trainings by rounds; use lora")


@dataclass(frozen=True, kw_only=True)
class PPO(Rounds):
    """Proximal policy optimisation, token by token, with a value head.

    Attributes:
        gamma: Discount for each token that the learner says.
        lam: Lambda of the generalised advantage estimates.
        clip_ratio: How far the ratio to the policy that played is followed.
        clip_value: How far values are moved from those of the round's beginning.
        value_coef: Weight of the values' loss.
        value_learning_rate: Of the value head; None for the policy's.
        value_bias: Bias of the new value head, whose weights are zero; best near the mean return to go.
        kl_coef: Weight of the log-ratio to the initial policy, which is taken off every token's reward; 0 for none.
        kl_target: Mean log-ratio of a token that `kl_coef` is adapted to (Ziegler et al. 2019); None for a fixed one.
        kl_horizon: Episodes in which it adapts.
        bc_weight: Weight of the likelihood of a data set beside it.
        bc_data: That data set.
    """

    learning_rate: float = 1e-6
    episodes: int = 512
    gamma: float = 0.99
    lam: float = 0.95
    clip_ratio: float = 0.2
    clip_value: float = 0.2
    value_coef: float = 1.0
    value_learning_rate: float | None = None
    value_bias: float = 0.0
    kl_coef: float = 0.01
    kl_target: float | None = None
    kl_horizon: int = 10000
    bc_weight: float = 0.0
    bc_data: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, ("clip_ratio", "clip_value", "value_learning_rate", "kl_target", "kl_horizon"))
        for name in ("gamma", "lam"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise UserError(f"{name} must lie between 0 and 1, not {value}")
        for name in ("value_coef", "kl_coef", "bc_weight"):
            if not (value := getattr(self, name)) >= 0:
                raise UserError(f"{name} must be 0 or more, not {value}")
        if self.kl_target is not None and not self.kl_coef:
            raise UserError("kl_target needs a kl_coef above 0 to begin with")
        if (self.bc_weight > 0) != (self.bc_data is not None):
            raise UserError("bc_weight and bc_data go together: the weight of a loss, and what it is of")
        if self.lora_dropout and self.adapter != "none":
            raise UserError("lora_dropout must be 0: rollouts are scored without it")


@dataclass(frozen=True, kw_only=True)
class OnlineBC(Rounds):
    """Online filtered behaviour cloning: each round learns from its own best episodes.

    Attributes:
        top: Share of a round's episodes with the highest returns that is kept; None for all successes.
    """

    learning_rate: float = 1e-4
    top: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top is not None and not 0 < self.top <= 1:
            raise UserError(f"top must lie above 0 and at most at 1, not {self.top}")


LMRL: dict[str, type[Common]] = {"mc": MC, "ilql": ILQL, "ppo": PPO, "online-bc": OnlineBC}
