"""What happened in an episode, and clembench's scores of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playpen_eval.game import Deferred, Instance

from .board import KINDS, Board


def rounded(number: float) -> float:
    """As clembench rounds everything."""
    return round(number, 3)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0


@dataclass
class Round:
    """One round.

    Attributes:
        team_left: Hidden words of the team when it began.
        targets: What the clue was meant for.
        guesses: What was guessed.
        uncovered: The guesses that were uncovered.
        error: The role that is charged with an error.
    """

    team_left: int
    targets: list[str] = field(default_factory=list)
    guesses: list[str] = field(default_factory=list)
    uncovered: list[str] = field(default_factory=list)
    error: str | None = None

    def numbers(self, kind: Mapping[str, str]) -> dict[str, float]:
        """The scores of a round, rounded; they are averaged over rounds."""
        team_targets = sum(kind[word] == "team" for word in self.targets)
        team_words = sum(kind[word] == "team" for word in self.uncovered)
        hits = len(set(self.uncovered) & set(self.targets))
        clue = _share(team_targets, len(self.targets)), _share(team_targets, self.team_left)
        target = _share(hits, len(self.uncovered)), _share(hits, len(self.targets))
        team = _share(team_words, len(self.uncovered)), _share(team_words, self.team_left)
        numbers = {
            "cluegiver_number_of_targets": len(self.targets),
            "cluegiver_team_precision": clue[0],
            "cluegiver_team_recall": clue[1],
            "cluegiver_team_f1": _f1(*clue),
            "guesser_number_of_guesses": len(self.guesses),
            "guesser_number_of_revealed_words": len(self.uncovered),
            "guesser_number_of_unrevealed_guesses": len(self.guesses) - len(self.uncovered),
            "guesser_target_precision": target[0],
            "guesser_target_recall": target[1],
            "guesser_target_f1": _f1(*target),
            "guesser_team_precision": team[0],
            "guesser_team_recall": team[1],
            "guesser_team_f1": _f1(*team),
        }
        return {name: rounded(number) for name, number in numbers.items()}

    def errors(self) -> dict[str, int]:
        """Who is charged with an error."""
        return {f"{role}_validation_error": int(self.error == role) for role in ("cluegiver", "guesser")}

    def counts(self, kind: Mapping[str, str]) -> dict[str, Any]:
        """clembench's raw counts."""
        hits = len(set(self.uncovered) & set(self.targets))
        return {
            "Cluegiver": {"validation error": int(self.error == "cluegiver")},
            "Guesser": {"validation error": int(self.error == "guesser")},
            "targeted": _by_kind(self.targets, kind),
            "guesses": list(self.guesses),
            "revealed": {"target": hits, **_by_kind(self.uncovered, kind)},
        }


def _by_kind(words: Iterable[str], kind: Mapping[str, str]) -> dict[str, int]:
    kinds = [kind[word] for word in words]
    return {**{name: kinds.count(name) for name in KINDS}, "total": len(kinds)}


class Record:
    """What happened so far in an episode of our own rules.

    Attributes:
        rounds: All rounds, the last one perhaps incomplete.
        replies: How many there were.
    """

    def __init__(self, instance: Instance, board: Board):
        self.instance = instance
        self.board = board
        self.rounds: list[Round] = []
        self.replies = 0

    def begin(self) -> Round:
        """A new round begins."""
        self.rounds.append(Round(len(self.board.hidden["team"])))
        return self.rounds[-1]

    def numbers(self, *, aborted: bool = False, stripped: Mapping[str, int] | None = None) -> dict[str, Any]:
        """The keyword arguments of an outcome; they are computed when somebody reads them."""
        metrics = Deferred(lambda: self.metrics(aborted, stripped or {}))
        return {"metrics": metrics, "rounds": Deferred(self.by_round)}

    def by_round(self) -> dict[str, Mapping[str, Any]]:
        """The scores of every round."""
        kind = self.board.kind
        return {str(index): round_.errors() | round_.numbers(kind) for index, round_ in enumerate(self.rounds)}

    def turns(self) -> int:
        """Number of turns."""
        return len(self.rounds)

    def metrics(self, aborted: bool, stripped: Mapping[str, int]) -> dict[str, Any]:
        """The scores of the episode."""
        kind, found = self.board.kind, self.board.by_team
        rounds = [round_.numbers(kind) for round_ in self.rounds]
        team = sum(kind[word] == "team" for word in found)
        sizes = {name: len(words) for name, words in self.instance["assignments"].items()}
        others = sum(sizes.values()) - sizes["team"]
        guesses = sum(len(round_.guesses) for round_ in self.rounds)
        return {
            **{f"average_{name}": rounded(statistics.mean(row[name] for row in rounds)) for name in rounds[0]},
            "game_ended_through_assassin": int(self.board.through_assassin),
            "episode_recall": rounded(_share(team, sizes["team"])),
            "episode_negative_recall": rounded(1 - _share(len(found) - team, others)),
            "number_of_turns": self.turns(),
            "efficiency": rounded(min(0.5 * guesses / self.turns(), 1)),
            "request_count": self.replies,
            "parsed_request_count": self.replies - aborted,
            "violated_request_count": int(aborted),
            "request_success_ratio": rounded((self.replies - aborted) / self.replies),
        }


class ClembenchRecord(Record):
    """clembench's scores have names and raw counts among them."""

    def by_round(self) -> dict[str, Mapping[str, Any]]:
        """The scores of every round, and its raw counts."""
        scores = super().by_round()
        kind = self.board.kind
        return {name: {"turn": self.rounds[int(name)].counts(kind), **numbers} for name, numbers in scores.items()}

    def turns(self) -> int:
        """clembench counts one turn too many unless the game ended after a reply of the cluegiver."""
        return len(self.rounds) + (self.replies % 2 == 0)

    def metrics(self, aborted: bool, stripped: Mapping[str, int]) -> dict[str, Any]:
        """The scores of the episode, and what they are of."""
        names = {"experiment_variable": self.instance["variable"], "experiment_name": self.instance["name"]}
        counts = {f"{role}_strip_words": count for role, count in stripped.items()}
        return {**names, **counts, **super().metrics(aborted, stripped)}
