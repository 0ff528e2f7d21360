"""What the author of a game writes: the rules as a generator, and what the engine has to know about them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

from playpen_eval.errors import UserError, unknown

Instance = dict[str, Any]
"""One thing to play, as JSON: the fields of the game and the engine's `id`, `experiment` and `split`."""

View = Mapping[str, Any]
"""The fields of an instance that one role is told."""

Metrics = Mapping[str, float | None]
"""Numbers by snake_case name; None where a number is not defined (clembench writes NaN)."""

ScriptedPlayer = Callable[[Sequence[Mapping[str, str]]], str]
"""A program in a role: what the role has been told (chat messages) -> its reply. Keeps no state of its own."""


class Deferred(Mapping[str, Any]):
    """Numbers that are computed when they are first read; most episodes of a training run never need them."""

    __slots__ = ("_compute", "_numbers")

    def __init__(self, compute: Callable[[], Mapping[str, Any]]):
        self._compute = compute
        self._numbers: Mapping[str, Any] | None = None

    def _read(self) -> Mapping[str, Any]:
        if self._numbers is None:
            self._numbers = self._compute()
        return self._numbers

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


NO_REWARD: Mapping[str, float] = MappingProxyType({})


class Ask(NamedTuple):
    """One question to one role; the game resumes with the reply.

    Attributes:
        role: Who has to answer.
        text: What the role is told now. It is the next user message of that role.
        remember: False if the exchange disappears from the role's history once it is answered.
        max_tokens: Upper limit for this reply, instead of the limit of the run.
        reward: Per-turn credit by role for what happened since the previous ask.
        preface: Exchanges (text, reply) that enter the role's history first, as if they had happened.
    """

    role: str
    text: str
    remember: bool = True
    max_tokens: int | None = None
    reward: Mapping[str, float] = NO_REWARD
    preface: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an episode ended; every score, reward and report reads it, nothing else.

    Attributes:
        kind: `success`, `lose`, or `aborted` when a role broke the protocol.
        score: In [0, 1]; None when aborted. Reports show it times 100, as clembench does. A lose may score below 0
            where the published scale does (EQ-Bench: worse than guessing).
        reason: One sentence for people.
        faulty_role: The role that broke the protocol; only when aborted.
        metrics: Further numbers of the episode.
        rounds: Numbers by round; the keys are the game's own round names.
        reward: Per-turn credit by role since the last ask.
    """

    kind: Literal["success", "lose", "aborted"]
    score: float | None
    reason: str
    faulty_role: str | None = None
    metrics: Metrics = field(default_factory=dict)
    rounds: Mapping[str, Metrics] = field(default_factory=dict)
    reward: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in ("success", "lose", "aborted"):
            raise ValueError(f"unknown outcome {self.kind!r}; use success, lose or aborted")
        if self.kind == "aborted":
            if self.score is not None or self.faulty_role is None:
                raise ValueError("an aborted outcome has a faulty role and no score")
        elif self.faulty_role is not None:
            raise ValueError(f"only an aborted outcome has a faulty role, not a {self.kind}")
        elif self.score is None or not (0 <= self.score <= 1 or (self.kind == "lose" and -math.inf < self.score < 0)):
            raise ValueError(f"the score of a {self.kind} must lie in [0, 1], not {self.score!r}")

    @classmethod
    def success(cls, score: float = 1.0, reason: str = "", **more: Any) -> Outcome:
        """The goal was reached."""
        return cls("success", score, reason, **more)

    @classmethod
    def lose(cls, score: float = 0.0, reason: str = "", **more: Any) -> Outcome:
        """The rules were kept but the goal was missed; `score` is partial credit."""
        return cls("lose", score, reason, **more)

    @classmethod
    def aborted(cls, role: str, reason: str = "", **more: Any) -> Outcome:
        """`role` broke the protocol."""
        return cls("aborted", None, reason, role, **more)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `from_dict` is the inverse."""
        return {
            "kind": self.kind,
            "score": self.score,
            "reason": self.reason,
            "faulty_role": self.faulty_role,
            "metrics": dict(self.metrics),
            "rounds": {name: dict(numbers) for name, numbers in self.rounds.items()},
            "reward": dict(self.reward),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outcome:
        """Builds an outcome from `to_dict` data; fields of a newer version are ignored."""
        return cls(**{f.name: data[f.name] for f in dataclasses.fields(cls) if f.name in data})


class Abort(Exception):
    """Raised inside `Game.play` where a role broke the protocol: ends the episode as aborted."""

    def __init__(self, role: str, reason: str):
        super().__init__(role, reason)
        self.role = role
        self.reason = reason


class Game:
    """One dialogue game.

    `play` must be pure: everything follows from the instance and the replies; no clock, file, network or global
    randomness. `playpen-eval check` tests that, and everything else that is promised here.

    Attributes:
        name: Unique name, lower case with underscores.
        version: Raised with every change of a rule, prompt, score or instance.
        roles: Everybody who can be asked.
        learner: The role a learner takes when a partner takes the others; the last role if not given.
        upstream_name: Its name in clembench, if that is another one.
        suite: The published set of games that it belongs to, as "playpen"; aggregates are over a suite's games only.
        held_out: True for games that are kept to test generalisation and never trained on.
        lowest_score: The lowest score possible, for intervals; below 0 only where a lose may score below 0.
        experiments: Names of the instance sets.
        sizes: Instances per experiment in each shipped split.
        visible: For every role the instance fields that its prompt tells it; the others are secret to it.
        policies: Names of the behaviour policies, which make data to learn from; the paper's data are made by `mix`.
        upstream_defects: Scores that clembench computes wrongly -> why; replay does not count them as differences.
            `NAME missing` stands for a score that its recordings lack.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    roles: ClassVar[tuple[str, ...]]
    learner: ClassVar[str] = ""
    upstream_name: ClassVar[str] = ""
    suite: ClassVar[str] = ""
    held_out: ClassVar[bool] = False
    lowest_score: ClassVar[float] = 0.0
    experiments: ClassVar[tuple[str, ...]] = ("default",)
    sizes: ClassVar[Mapping[str, int]] = {"train": 40, "validation": 10, "test": 20}
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    policies: ClassVar[tuple[str, ...]] = ()
    upstream_defects: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        if "roles" in cls.__dict__ and "learner" not in cls.__dict__:
            cls.learner = cls.roles[-1]
        if "name" in cls.__dict__ and "upstream_name" not in cls.__dict__:
            cls.upstream_name = cls.name

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """The rules: asks roles, reads their replies, returns the outcome (or raises `Abort`)."""
        raise NotImplementedError(f"{type(self).__name__} has no play()")

    def max_turns(self, instance: Instance) -> int:
        """The number of asks after which every episode of the instance has ended."""
        raise NotImplementedError(f"{type(self).__name__} has no max_turns()")

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Draws one instance of an experiment; the engine takes care of ids, splits and duplicates."""
        raise NotImplementedError(f"{type(self).__name__} has no generate()")

    def key(self, instance: Instance) -> Any:
        """What two splits must not share (a target word, a board), as JSON; by default the whole content."""
        return content(instance)

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A program that plays a role knowing only what the role is told.

        Args:
            role: One of `roles`.
            view: The instance's fields that are visible to the role.
            style: `best` plays to win; `breaker` breaks the protocol at once.
        """
        raise NotImplementedError(f"{type(self).__name__} has no scripted players")

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """Replies that win the instance as early as the rules allow, or in the last allowed turn."""
        raise NotImplementedError(f"{type(self).__name__} has no solution()")

    def behave(self, policy: str, instance: Instance, rng: Random) -> list[str]:
        """The replies of all roles, in order of play, when a behaviour policy plays an instance.

        They end the episode exactly, or stop when the learner is to move, where the policy gives up. A policy may know
        what the roles do not. Who takes the policy's name from a user calls `check_policy` first.

        Args:
            policy: One of `policies`.
            instance: The instance.
            rng: All chance that the policy has.
        """
        raise NotImplementedError(f"{type(self).__name__} has no behave()")

    def check_policy(self, policy: str) -> None:
        """Raises a `UserError` unless the game has the behaviour policy."""
        if not self.policies:
            raise UserError(f"{self.name} has no behaviour policies")
        if policy not in self.policies:
            raise unknown(f"policy of {self.name}", policy, self.policies)

    def load_split(self, split: str) -> list[Instance] | None:
        """The instances of a split where they are somebody else's data and none are shipped (`sizes` is empty).

        Returns:
            The instances with `id`, `experiment` and `split`; None for a game that ships its own.

        Raises:
            UserError: The data are not on this machine; says how to get them.
        """
        return None

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """Translates clembench's own data; the instance then plays by clembench's rules.

        Args:
            experiment: The experiment object without its instances; `folder` is the game's folder in the checkout,
                if the data come from one.
            instance: The instance object.
            version: clembench version such as "2.0".
        """
        raise ValueError(f"game {self.name!r} cannot read clembench instances")

    def from_recording(self, instance: Mapping[str, Any], interactions: Mapping[str, Any]) -> Mapping[str, Any]:
        """Adds to clembench's instance what only a log of its play tells, such as the draws of upstream's own player.

        Args:
            instance: The instance object; the result goes to `from_clembench`.
            interactions: The event log of the episode.
        """
        return instance

    def view(self, instance: Instance, role: str) -> Instance:
        """The part of an instance that a role is told."""
        return {name: instance[name] for name in self.visible.get(role, ()) if name in instance}

    @property
    def summary(self) -> str:
        """The first line of the class's docstring."""
        return (type(self).__doc__ or "").strip().partition("\n")[0]


def content(instance: Instance) -> Instance:
    """The fields of the game alone, without those of the engine."""
    return {name: value for name, value in instance.items() if name not in ("id", "experiment", "split")}


def words_in(texts: Mapping[str, str]) -> frozenset[str]:
    """All words of some texts in lower case; a game does not hide what its own prompts say."""
    return frozenset(re.findall(r"[a-z]+", " ".join(texts.values()).lower()))


def read_texts(game_file: str, folder: str = "prompts") -> dict[str, str]:
    """Reads the text files beside a game.py once, at import.

    Args:
        game_file: The module's `__file__`.
        folder: Folder beside it.

    Returns:
        File name without ending -> text without final newlines. Placeholders are filled with `str.format`.
    """
    files = sorted((Path(game_file).parent / folder).glob("*.txt"))
    return {path.stem: path.read_text(encoding="utf-8").rstrip("\n") for path in files}
