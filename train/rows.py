"""One training row: what one seat read and said in one episode, as token ids, with a mask over what it said.

The same row feeds all methods: labels of SFT, `completion_mask` of DPO and KTO, `env_mask` of GRPO, the actions of the
value-based methods. Rollouts make it from the ids that were sampled; `row_from_chat` is for text that has no ids.

A seat that forgets exchanges (privateshared's asides) has no single context, so it has one more row for each of them:
same episode and seat, `part` 1 and up.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playpen_eval.errors import UserError

from .data.files import read_records, write_records

if TYPE_CHECKING:
    from playpen_eval.episode import Episode

    from .chat import Chat


@dataclass(frozen=True, slots=True)
class RowMeta:
    """Where a row comes from.

    Attributes:
        game: The game's name.
        version: Its version.
        instance: Id of the instance.
        experiment: Experiment of the instance.
        split: Split of the instance.
        seat: The learner's role.
        kind: How the episode ended: `success`, `lose`, `aborted`, `unfinished` if the play was stopped, or `failed` if
            a partner's server did.
        score: In [0, 1]; None unless it was played to its end.
        episode: Names the episode among all rows of a set; its seats and parts share it.
        part: 0 for the seat's chat, n for the n-th exchange that it forgot.
        player: Who played the seat.
        partner: Who played the other ones.
        source: The run or recording it comes from; `play` if it was played for the purpose.
    """

    game: str
    version: int
    instance: str
    experiment: str
    split: str
    seat: str
    kind: str
    score: float | None
    episode: str
    part: int = 0
    player: str = "self"
    partner: str = "self"
    source: str = "play"

    @classmethod
    def of(cls, episode: Episode, seat: str, kind: str, name: str, **others: Any) -> RowMeta:
        """What the episode itself tells.

        Args:
            episode: It is over, or nobody goes on with it.
            seat: The learner's role.
            kind: How it ended.
            name: Its name among all rows of the set.
            others: The fields from `part` on.
        """
        instance, outcome = episode.instance, episode.outcome
        return cls(
            game=episode.game.name,
            version=episode.game.version,
            instance=instance["id"],
            experiment=instance["experiment"],
            split=instance["split"],
            seat=seat,
            kind=kind,
            score=outcome.score if outcome else None,
            episode=name,
            **others,
        )


@dataclass(slots=True)
class Row:
    """One row; see the module.

    Attributes:
        prompt_ids: The seat's first context.
        completion_ids: All later tokens of the seat's view, ending with the learner's last one.
        mask: For each of `completion_ids` 1 if the learner said it, end of turn included.
        turn_of: For each of `completion_ids` the number of the learner's turn; -1 for what others said.
        reward: None if a partner or the infrastructure failed: such a row tells nothing about the learner.
        turn_rewards: The games' own credit for each turn of the learner.
        logprobs: For each of `completion_ids` its log-probability when sampled, 0 for what others said; None if it
            was not sampled or the sampler does not tell.
        meta: Where it comes from.
    """

    prompt_ids: list[int]
    completion_ids: list[int]
    mask: list[int]
    turn_of: list[int]
    reward: float | None
    meta: RowMeta
    turn_rewards: list[float] = field(default_factory=list)
    logprobs: list[float] | None = None

    def validate(self) -> None:
        """Checks what trainers rely on.

        Raises:
            UserError: Says what is wrong and in which row.
        """
        where = f"row of {self.meta.instance}, {self.meta.seat}, part {self.meta.part}"
        size = len(self.completion_ids)
        if not self.prompt_ids or not size:
            raise UserError(f"{where}: prompt_ids has {len(self.prompt_ids)} and completion_ids {size} tokens, not 1+")
        for name in ("mask", "turn_of", "logprobs"):
            values = getattr(self, name)
            if values is not None and len(values) != size:
                raise UserError(f"{where}: {name} has {len(values)} values for {size} tokens")
        for place, (mask, turn) in enumerate(zip(self.mask, self.turn_of)):
            if mask not in (0, 1) or (mask == 1) != (turn >= 0):
                raise UserError(f"{where}: token {place} has mask {mask} and turn {turn}")
            if turn >= len(self.turn_rewards):
                raise UserError(f"{where}: token {place} is of turn {turn} of {len(self.turn_rewards)}")
        if any(token < 0 for token in (*self.prompt_ids, *self.completion_ids)):
            raise UserError(f"{where}: negative token ids")
        if self.reward is not None and not math.isfinite(self.reward):
            raise UserError(f"{where}: reward {self.reward} is no number")

    def labels(self) -> list[int]:
        """Labels for prompt and completion together, -100 where no loss is taken."""
        said = [token if mask else -100 for token, mask in zip(self.completion_ids, self.mask)]
        return [-100] * len(self.prompt_ids) + said

    def to_dict(self) -> dict[str, Any]:
        """Flat JSON data; `from_dict` is the inverse."""
        data = {name: getattr(self, name) for name in _NAMES if name != "meta"}
        return data | dataclasses.asdict(self.meta)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Row:
        """Builds a row from `to_dict` data; further columns are ignored.

        Raises:
            UserError: A column is missing or of the wrong type, or the row is not valid.
        """
        try:
            meta = RowMeta(**{name: data[name] for name in META_NAMES})
            row = cls(**{name: data[name] for name in _NAMES if name != "meta"}, meta=meta)
            row.validate()
        except (KeyError, TypeError) as error:
            raise UserError(f"no training row ({type(error).__name__}: {error})") from None
        return row


_NAMES = tuple(field.name for field in dataclasses.fields(Row))
META_NAMES = tuple(field.name for field in dataclasses.fields(RowMeta))
"""Columns that tell where a record comes from."""


def row_from_chat(
    chat: Chat,
    messages: Sequence[Mapping[str, str]],
    learn: Iterable[int],
    meta: RowMeta,
    reward: float | None = None,
    turn_rewards: Sequence[float] = (),
) -> Row:
    """A row from text that has no ids: recordings, logs, scripted play.

    Args:
        chat: Template and tokenizer.
        messages: The seat's chat.
        learn: Places of the messages that the learner said.
        meta: Where it comes from.
        reward: Its reward.
        turn_rewards: One for each learned message; zeros if not given.
    """
    learn = sorted(learn)
    encoded = chat.encode(messages, learn)
    row = Row(*encoded, reward=reward, meta=meta, turn_rewards=[*turn_rewards] or [0.0] * len(learn))
    row.validate()
    return row


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Writes rows as .jsonl or .parquet; returns how many."""
    return write_records(path, (row.to_dict() for row in rows))


def read_rows(path: Path) -> Iterator[Row]:
    """Reads what `write_rows` wrote, one at a time.

    Raises:
        UserError: The file cannot be read, or a row is not valid.
    """
    for number, record in enumerate(read_records(path), 1):
        try:
            yield Row.from_dict(record)
        except UserError as error:
            raise UserError(f"{path}: row {number}: {error}") from None
