"""What the configurations of several methods share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from playpen_eval.errors import UserError

from .rewards import Shaping


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


def positive(config: Any, names: Iterable[str]) -> None:
    """Raises a `UserError` for a value of these names that is not above 0."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise UserError(f"{name} must be above 0, not {value}")
