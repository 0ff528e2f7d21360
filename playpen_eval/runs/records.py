"""What is kept of a run: one small record per episode and per item, never a transcript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from playpen_eval.scoring import EpisodeScore

UNFINISHED = "unfinished log"
TRUNCATED = "truncated file"
UNREADABLE = "unreadable entry"
MISSING = "missing"
ERROR = "ended with an error"
UNSCORED = "without scores"
INVALID = "invalid score"
DUPLICATE = "duplicate"
LIMIT = "ended by a limit of the evaluation"
PROBLEMS = (UNFINISHED, TRUNCATED, UNREADABLE, MISSING, ERROR, UNSCORED, INVALID, DUPLICATE, LIMIT)
"""Kinds of problems. All but the first and the last mean that something is not in the run's records; an episode that
was ended by a limit is: as aborted by whoever was to move."""

EXAMPLES = 5
"""Places that a problem names; the others are only counted."""


class InstanceSource(NamedTuple):
    """Where the instances of a game came from.

    Attributes:
        source: A split, `clembench-2.0` or a file name.
        sha256: Digest of the whole set (`InstanceSet.sha256`); None if it cannot be told from the log.
    """

    source: str
    sha256: str | None


class Locator(NamedTuple):
    """Where the transcript of an episode is; `read_transcript` fetches it.

    Attributes:
        format: Format of the file.
        path: The file, or the folder of the recording.
        place: Id of the sample, offset of the line in bytes, or folder of the episode.
        part: Epoch, or number of the repeat in the line.
    """

    format: str
    path: str
    place: str | int
    part: int = 0


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """One episode.

    Attributes:
        game: The game's name.
        instance: Id of the instance, the same in every format.
        epoch: Which play of the instance it is, from 1.
        version: Version of the game; None where upstream's own code played.
        experiment: Experiment of the instance.
        split: Split of the instance, or `clembench-2.0`.
        kind: `success`, `lose` or `aborted`.
        score: In [0, 1] (a lose of EQ-Bench may lie below); None when aborted.
        learner_fault: True if the learner broke the protocol.
        partner_fault: True if a partner did; such an episode says nothing about the learner.
        turns: Replies in it, those of scripted players included; None if the log does not tell.
        roles: The learner's roles beside a partner; None if it played all of them.
        partner: Who took the other roles: `self`, `scripted:STYLE` or `model:NAME`; None if the log does not tell.
        locator: Where its transcript is.
    """

    game: str
    instance: str
    epoch: int
    version: int | None
    experiment: str
    split: str
    kind: str
    score: float | None
    learner_fault: bool
    partner_fault: bool
    turns: int | None
    roles: tuple[str, ...] | None
    partner: str | None
    locator: Locator

    @property
    def key(self) -> tuple[str, str]:
        """What two runs share if they measure the same instance."""
        return self.game, self.instance

    @property
    def score_entry(self) -> EpisodeScore:
        """The episode as `scoring.summarise` takes it."""
        return EpisodeScore(self.kind, self.score, self.partner_fault)


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """One item of a reference benchmark.

    Attributes:
        benchmark: Name in the catalogue.
        task: Task of lm-evaluation-harness.
        item: `TASK/INDEX`, or the id of the instance where the benchmark is a game.
        value: Its main metric, 1 for a perfect answer.
        epoch: Which answer to the item it is, from 1.
    """

    benchmark: str
    task: str
    item: str
    value: float
    epoch: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a run.

    Attributes:
        kind: One of `PROBLEMS`.
        count: How many times.
        where: The first few places.
    """

    kind: str
    count: int
    where: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {self.count - len(self.where)} more" if self.count > len(self.where) else ""
        return f"{self.kind}: {'; '.join(self.where)}{more}"


@dataclass(frozen=True, slots=True)
class RunMeta:
    """How a run was made; what the log does not have is None, or missing from a mapping.

    Attributes:
        label: Short name: that of the file or folder.
        path: What was read.
        format: `inspect`, `lm-eval`, `clembench` or `playpen-eval`.
        model: The evaluated model.
        instances: Game -> where its instances came from.
        partner: Who took the other roles; several are joined by a comma.
        dtype: Number format of the weights.
        quantization: Such as `4bit`.
        generation: Settings such as temperature and max_tokens.
        versions: Game -> version.
        packages: Package -> version.
        commit: Git commit of the code.
        tokens_in: Tokens read by all models, cached ones included.
        tokens_out: Tokens written by all models.
        model_calls: Replies generated by all models.
        wall_seconds: Time in which something of the run was running.
        cost: In dollars.
        other_tasks: Tasks in the log that are neither games nor reference benchmarks; nothing of them was read.
    """

    label: str
    path: str
    format: str
    model: str | None = None
    instances: Mapping[str, InstanceSource] = field(default_factory=dict)
    partner: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    generation: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    model_calls: int | None = None
    wall_seconds: float | None = None
    cost: float | None = None
    other_tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One run, whatever wrote it.

    Attributes:
        meta: How it was made.
        episodes: The episodes, each (instance, roles, epoch) once.
        items: The items of reference benchmarks. A benchmark that is a game has its episodes here as well.
        problems: What is wrong with it, at most one entry of a kind.
    """

    meta: RunMeta
    episodes: list[EpisodeRecord]
    items: list[ItemRecord]
    problems: list[Problem]
