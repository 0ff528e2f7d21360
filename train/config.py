"""Settings of the methods on TRL, and what all methods share, one dataclass each; recipe_files.py reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from playpen_eval.errors import UserError

from .rewards import Shaping


def positive(config: Any, names: Iterable[str]) -> None:
    """Raises a `UserError` if one of some keys is given and not above 0."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise UserError(f"{name} must be above 0, not {value}")


@dataclass(frozen=True, kw_only=True)
class Common:
    """What all methods have.

    Attributes:
        model: Folder or name of the model; `--model` goes before it.
        seed: Of everything that is drawn: new weights, the order of the data, rollouts.
        chat_template: None for the tokenizer's own, `minimal`, or a .jinja file.
        adapter: `lora`; `qlora`, the same on a base in 4 bits; `none` trains all weights.
        lora_rank: Rank of a new adapter; an adapter that is trained on keeps its own.
        lora_alpha: Its scale.
        lora_dropout: 0 for GRPO, whose rollouts are scored without it.
        lora_targets: Names of the layers, or `all-linear`. Never the output layer.
        learning_rate: Highest rate of the schedule.
        schedule: transformers' name of it: linear, cosine, constant.
        warmup: Share of the steps if below 1, else their number.
        weight_decay: Of AdamW.
        beta2: Of AdamW.
        clip: Largest norm of the gradient.
        optimizer: transformers' name of it.
        batch_size: Rows on one device at a time.
        accumulate: Batches of one step of the optimizer.
        epochs: Passes through the data, or through the instances.
        max_steps: Steps of the optimizer instead.
        max_length: Tokens of a row.
        save_every: Steps between checkpoints.
        keep_checkpoints: How many are kept.
        log_every: Steps between lines of the log.
        precision: `float32`, `bfloat16`, or `auto`: bfloat16 on a GPU that has it.
        checkpoint_activations: Less memory, a third more time.
        threads: Of torch on a CPU; 1 is best for models below a million parameters.
        trainer: Further arguments of TRL's configuration, as they are there.
    """

    model: str | None = None
    seed: int = 0
    chat_template: str | None = None
    adapter: Literal["none", "lora", "qlora"] = "lora"
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    lora_targets: str | list[str] = "all-linear"
    learning_rate: float = 2e-4
    schedule: str = "linear"
    warmup: float = 0.0
    weight_decay: float = 0.0
    beta2: float = 0.999
    clip: float = 1.0
    optimizer: str = "adamw_torch"
    batch_size: int = 8
    accumulate: int = 1
    epochs: float = 1.0
    max_steps: int | None = None
    max_length: int = 2048
    save_every: int = 50
    keep_checkpoints: int = 2
    log_every: int = 10
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoint_activations: bool = False
    threads: int | None = None
    trainer: dict[str, Any] = field(default_factory=dict)

    _POSITIVE = ("lora_rank", "lora_alpha", "learning_rate", "clip", "batch_size", "accumulate", "epochs", "max_length")
    _POSITIVE += ("max_steps", "save_every", "keep_checkpoints", "log_every", "threads")

    def __post_init__(self) -> None:
        positive(self, self._POSITIVE)


@dataclass(frozen=True, kw_only=True)
class Data(Common):
    """What methods on data have.

    Attributes:
        overlong: What to do with rows above `max_length`: `refuse` them all, `drop` them, or `cut` them after the last
            turn that fits. The last turns of a dialogue are the decisive ones, so nothing is cut unasked.
        allow_heldout: Also games that are kept to test generalisation.
    """

    overlong: Literal["refuse", "drop", "cut"] = "refuse"
    allow_heldout: bool = False


@dataclass(frozen=True, kw_only=True)
class SFT(Data):
    """Supervised fine-tuning on what the learner said.

    Attributes:
        min_reward: Only rows with at least this reward; None for all.
        top: Only this share of the episodes, those with the highest return (the sum of what the games paid for each
            turn); None for all.
        general: Conversations (.jsonl with `messages`) to mix in; all their assistant messages are learned.
        general_ratio: How many of them for each row of the games.
    """

    min_reward: float | None = None
    top: float | None = None
    general: str | None = None
    general_ratio: float = 1.0

    def __post_init__(self) -> None:
        positive(self, (*self._POSITIVE, "general_ratio"))
        if self.top is not None and not 0 < self.top <= 1:
            raise UserError(f"top is a share above 0 and up to 1, not {self.top}")


@dataclass(frozen=True, kw_only=True)
class DPO(Data):
    """Direct preference optimisation on pairs of dialogues or turns.

    Attributes:
        beta: Strength of the pull to the reference model.
        loss: TRL's name of the loss.
        sft_weight: Weight of the likelihood of the chosen side beside it; 0 for none. Without it the likelihood of both
            sides often falls.
        precompute_reference: Ask the reference model once, before training, instead of in every step.
    """

    learning_rate: float = 5e-6
    beta: float = 0.1
    loss: str = "sigmoid"
    sft_weight: float = 0.5
    precompute_reference: bool = False

    def __post_init__(self) -> None:
        positive(self, (*self._POSITIVE, "beta"))
        if self.sft_weight < 0:
            raise UserError(f"sft_weight must be 0 or more, not {self.sft_weight}")


@dataclass(frozen=True, kw_only=True)
class KTO(Data):
    """Kahneman-Tversky optimisation on dialogues that are labelled good or bad.

    Attributes:
        beta: Strength of the pull to the reference model.
        loss: `kto` or `apo_zero_unpaired`.
        desirable_weight: Weight of the good ones.
        undesirable_weight: Weight of the bad ones; None for the one that balances the two.
    """

    learning_rate: float = 5e-6
    beta: float = 0.1
    loss: Literal["kto", "apo_zero_unpaired"] = "kto"
    desirable_weight: float = 1.0
    undesirable_weight: float | None = None

    def __post_init__(self) -> None:
        positive(self, (*self._POSITIVE, "beta", "desirable_weight", "undesirable_weight"))


@dataclass(frozen=True, kw_only=True)
class Play:
    """What is played, for the methods that play.

    Attributes:
        games: Names with their weights; in a recipe also a list of names, which weigh the same.
        instances: A split, `clembench:DIR@v2.0` or FILE.jsonl.
        limit: Only the first instances of each game.
        learner: The learner's seats: `fixed`, one role; `alternating`, each role in turn; `self`, all of them.
        roles: Game -> the role of `fixed`; by default the game's own choice.
        partner: Who takes the other roles: `self` (the learner as it is, without learning from it), `frozen` (as it was
            at the beginning), `scripted`, `scripted:breaker`, `hf:DIR`, or a server's name of a model.
        partner_url: Base URL of that server; key in OPENAI_API_KEY.
        partner_temperature: 0 for greedy.
        group_size: Episodes of one instance.
        temperature: Of the learner.
        max_new_tokens: Limit of a reply, unless the game sets one.
        reward: From outcomes to rewards.
        generate_batch: Prompts in one call of generate.
        generate_tokens: Padded tokens in one call of generate.
        allow_heldout: Also games that are kept to test generalisation.
        allow_validation: Also instances of the validation split.
    """

    games: dict[str, float] = field(default_factory=dict)
    instances: str = "train"
    limit: int | None = None
    learner: Literal["fixed", "alternating", "self"] = "fixed"
    roles: dict[str, str] = field(default_factory=dict)
    partner: str = "self"
    partner_url: str | None = None
    partner_temperature: float = 0.0
    group_size: int = 8
    temperature: float = 1.0
    max_new_tokens: int = 100
    reward: Shaping = field(default_factory=Shaping)
    generate_batch: int = 64
    generate_tokens: int = 65536
    allow_heldout: bool = False
    allow_validation: bool = False

    def check_play(self) -> None:
        """Raises a `UserError` for numbers that make no sense."""
        positive(self, ("limit", "group_size", "temperature", "max_new_tokens", "generate_batch", "generate_tokens"))
        if not self.games:
            raise UserError("no games to play: --set games='[taboo, wordle]', or a recipe that names some")
        for name, weight in self.games.items():
            if not weight > 0:
                raise UserError(f"the weight of {name} must be above 0, not {weight}")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Holds back games that teach nothing, because all episodes of a group fail, or all succeed.

    A game with partial scores can teach without a success, so it is held back only if its groups have one reward each.

    Attributes:
        low: Below this success rate a game is held back.
        high: Above this one, too.
        memory: Episodes that the rate remembers, as an exponential mean; fewer decide nothing.
        probe: A game that is held back still has every n-th draw of its own.
    """

    low: float = 0.02
    high: float = 0.98
    memory: int = 64
    probe: int = 8

    def __post_init__(self) -> None:
        positive(self, ("memory", "probe"))


@dataclass(frozen=True, kw_only=True)
class GRPO(Play, Common):
    """Group relative policy optimisation on episodes that are played while training.

    Attributes:
        batch_size: Rows on one device at a time; with `accumulate` a multiple of `group_size`.
        beta: Weight of the divergence from the reference model; 0 for no reference model.
        loss: TRL's name: `dapo` is a mean over tokens, `grpo` first over each row's.
        scale: What advantages are divided by: `none`, the `group`'s deviation, or the `batch`'s.
        epsilon: Clipping of the ratio.
        iterations: Updates on the same rollouts.
        per_turn: `none`: a row's advantage holds for all its turns. `discount`: it counts less for earlier ones.
            `return_to_go`: a turn is credited only with what the game paid from there on (needs `reward.credit`).
        discount: Factor for each turn before the last.
        gate: When a game is held back.
        forgotten: Exchanges that the game makes a seat forget are rows of their own, and TRL takes one row an episode:
            `drop` them, or `draw` one of the seat's rows.
        patience: Batches of rollouts without a group to learn from after which training stops.
        vllm: Who generates: `none` for transformers, `colocate`, `server`.
    """

    learning_rate: float = 1e-5
    schedule: str = "constant"
    batch_size: int = 16
    max_length: int = 4096
    log_every: int = 1
    beta: float = 0.0
    loss: str = "dapo"
    scale: Literal["none", "group", "batch"] = "none"
    epsilon: float = 0.2
    iterations: int = 1
    per_turn: Literal["none", "discount", "return_to_go"] = "none"
    discount: float = 0.95
    gate: Gate = field(default_factory=Gate)
    forgotten: Literal["drop", "draw"] = "drop"
    patience: int = 10
    vllm: Literal["none", "colocate", "server"] = "none"

    def __post_init__(self) -> None:
        positive(self, (*self._POSITIVE, "epsilon", "iterations", "patience"))
        self.check_play()
        if self.group_size < 2:
            raise UserError("group_size must be at least 2: one episode alone has no baseline")
        if self.batch_size * self.accumulate % self.group_size:
            raise UserError(
                f"batch_size x accumulate = {self.batch_size * self.accumulate} rows hold no whole number of groups of "
                f"{self.group_size}"
            )
        if self.per_turn != "none" and self.scale != "none":
            raise UserError(f"per_turn: {self.per_turn} needs scale: none, not {self.scale}")
        if self.per_turn == "return_to_go" and not self.reward.credit:
            raise UserError("per_turn: return_to_go needs reward.credit, the weight of what games pay for turns")
        if self.lora_dropout and self.adapter != "none":
            raise UserError("lora_dropout must be 0: rollouts are scored without it")


@dataclass(frozen=True, kw_only=True)
class RFT(Play, SFT):
    """Rejection sampling: SFT on the model's own successful episodes.

    Attributes:
        group_size: Episodes of each instance.
        min_reward: Only episodes with at least this reward; None for all successes.
        keep: Of each instance and seat, at most this many.
    """

    keep: int = 2

    def __post_init__(self) -> None:
        positive(self, (*self._POSITIVE, "general_ratio", "keep"))
        if self.top is not None:
            raise UserError("top is for sft; rft keeps successes, or what min_reward says")
        self.check_play()
