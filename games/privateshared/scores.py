"""Counts requests and probes, and scores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from playpen_eval.game import Outcome

Pair = tuple[bool, bool]
"""Whether the questioner knows a slot, and whether the answerer says so."""


def kappa(pairs: Sequence[Pair]) -> float | None:
    """Cohen's kappa, unweighted; None where it is not defined (no pairs, or one and the same label everywhere)."""
    total = len(pairs)
    agreed = sum(known == said for known, said in pairs)
    known, said = sum(known for known, _ in pairs), sum(said for _, said in pairs)
    chance = known * said + (total - known) * (total - said)  # times total squared, as all of this in whole numbers
    return None if chance == total * total else (total * agreed - chance) / (total * total - chance)


def accuracy(pairs: Sequence[Pair]) -> float:
    """Share of right probes."""
    return sum(known == said for known, said in pairs) / len(pairs)


def harmonic_mean(a: float, b: float) -> float:
    """0 if both are 0."""
    return 2 * a * b / (a + b) if a + b else 0.0


@dataclass
class Record:
    """What happened in an episode of so many slots; its numbers have clembench's names.

    Attributes:
        slots: How many there are.
        asked: Asks in each round, from round 0, which only probes.
        parsed: Of those the replies in the form asked for.
        filled: Round -> whether the answer filled its slot; only valid answers.
        probed: Round -> pairs of a complete probing round.
        unanswered: Rounds whose answer was invalid.
    """

    slots: int
    asked: list[int] = field(default_factory=list)
    parsed: list[int] = field(default_factory=list)
    filled: dict[int, bool] = field(default_factory=dict)
    probed: dict[int, list[Pair]] = field(default_factory=dict)
    unanswered: set[int] = field(default_factory=set)

    def count(self, round_: int, *, valid: bool) -> None:
        """Counts one reply."""
        while len(self.asked) <= round_:
            self.asked.append(0)
            self.parsed.append(0)
        self.asked[round_] += 1
        self.parsed[round_] += valid

    def slot_filling(self) -> float:
        """Share of filled slots; a slot that was not answered is not filled."""
        return sum(self.filled.values()) / self.slots

    def rounds(self) -> dict[str, dict[str, float | None]]:
        """Numbers of each round; the accuracy only if it was probed to the end."""
        rounds: dict[str, dict[str, float | None]] = {}
        for index in range(len(self.asked)):
            rounds[str(index)] = self.counts(index)
            if index in self.probed:
                rounds[str(index)]["accuracy"] = accuracy(self.probed[index])
            if index > 0:
                rounds[str(index)]["slot_filled"] = int(self.filled.get(index, False))
        return rounds

    def middle(self) -> list[Pair] | None:
        """The probing round in the middle, if there was one."""
        return self.probed.get((self.slots + 1) // 2 - 1)

    def requests(self, index: int) -> int:
        """Requests of a round."""
        return self.asked[index]

    def counts(self, index: int) -> dict[str, float | None]:
        """Counts of a round."""
        return {
            "request_count": self.requests(index),
            "parsed_request_count": self.parsed[index],
            "violated_request_count": self.asked[index] - self.parsed[index],
        }

    def aborted(self, role: str, reason: str) -> Outcome:
        """The outcome after an abort: counts only."""
        names = ("accuracy", "kappa", "truncated_kappa", "slot_filling_accuracy")
        return Outcome.aborted(role, reason, metrics=self._metrics(dict.fromkeys(names), None), rounds=self.rounds())

    def finished(self) -> Outcome:
        """The outcome after the last request."""
        pairs = [pair for part in self.probed.values() for pair in part]
        agreement, right, filled = kappa(pairs), accuracy(pairs), self.slot_filling()
        truncated = max(0.0, agreement or 0.0)
        numbers = {
            "accuracy": right,
            "kappa": agreement,
            "truncated_kappa": truncated,
            "slot_filling_accuracy": filled,
        }
        middle = self.middle()
        more: dict[str, Any] = {
            "metrics": self._metrics(numbers, accuracy(middle) if middle else None),
            "rounds": self.rounds(),
        }
        score = harmonic_mean(filled, truncated)
        if right == filled == 1:
            return Outcome.success(score, "every slot was filled and every aside was right", **more)
        return Outcome.lose(score, f"{filled:.0%} of the slots filled, {right:.0%} of the asides right", **more)

    def _metrics(self, numbers: dict[str, float | None], middle: float | None) -> dict[str, float | None]:
        requests = sum(self.requests(index) for index in range(len(self.asked)))
        parsed = sum(self.parsed)
        metrics = {
            "request_count": requests,
            "parsed_request_count": parsed,
            "violated_request_count": sum(self.asked) - parsed,
            "request_success_ratio": parsed / requests,
            **numbers,
        }
        return metrics | {"middle_accuracy": middle} if self.middle() else metrics


class ClembenchRecord(Record):
    """The numbers as clembench makes them, whose lists are as long as there were valid answers.

    After an invalid answer the probing rounds and slots of a round therefore belong to a later request than its counts.
    """

    def slot_filling(self) -> float:
        """Share of filled slots among the valid answers."""
        return sum(self.filled.values()) / len(self.filled) if self.filled else 0.0

    def requests(self, index: int) -> int:
        """An invalid answer is a violation, but no request."""
        return self.asked[index] - (index in self.unanswered)

    def rounds(self) -> dict[str, dict[str, float | None]]:
        """Counts of the first requests, accuracies of the first complete rounds, slots of the first valid answers."""
        filled = list(self.filled.values())
        rounds: dict[str, dict[str, float | None]] = {}
        for index, pairs in enumerate(self.probed.values()):
            rounds[str(index)] = {**self.counts(index), "accuracy": accuracy(pairs)}
            if index > 0:
                rounds[str(index)]["slot_filled"] = int(filled[index - 1])
        return rounds

    def middle(self) -> list[Pair] | None:
        """The round in the middle, counted among the complete ones."""
        return dict(enumerate(self.probed.values())).get((self.slots + 1) // 2 - 1)
