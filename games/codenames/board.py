"""The words on the table and what has been uncovered; the same for all rules."""

from __future__ import annotations

from typing import Any, NamedTuple

KINDS = ("team", "opponent", "innocent", "assassin")
"""What a word can be, in clembench's names."""


class Result(NamedTuple):
    """How a game ended.

    Attributes:
        won: Whether the team has won.
        reason: Why, for people.
    """

    won: bool
    reason: str


class Board:
    """The state of one game.

    Attributes:
        words: The words that are still hidden, as they lie on the table.
        kind: Word -> what it is.
        hidden: Kind -> the words that are still hidden, in the order of the instance.
        by_team: What the team has uncovered, in order.
        through_assassin: Whether the last of these is an assassin.
    """

    def __init__(self, instance: dict[str, Any]):
        assignments = instance["assignments"]
        self.words: list[str] = list(instance["board"])
        self._to_move = list(instance["opponent_order"])
        self._per_turn: int = instance["opponent_difficulty"]
        self.kind: dict[str, str] = {word: kind for kind in KINDS for word in assignments[kind]}
        self.hidden: dict[str, list[str]] = {kind: list(assignments[kind]) for kind in KINDS}
        self.by_team: list[str] = []
        self.through_assassin = False

    def is_hidden(self, word: str) -> bool:
        """Whether a text is one of the words that are still hidden."""
        return word in self.words

    def guess(self, words: list[str]) -> list[str]:
        """Uncovers words until one is not the team's; returns those uncovered."""
        for count, word in enumerate(words, 1):
            self._uncover(word)
            self.by_team.append(word)
            if self.kind[word] != "team":
                self.through_assassin = self.kind[word] == "assassin"
                return words[:count]
        return words

    def opponents_move(self) -> list[str]:
        """The opponents uncover their next words; returns them."""
        moved = [word for word in self._to_move if word in self.words][: self._per_turn]
        for word in moved:
            self._uncover(word)
        return moved

    def _uncover(self, word: str) -> None:
        self.words.remove(word)
        self.hidden[self.kind[word]].remove(word)

    def result(self) -> Result | None:
        """Whether the game is over."""
        if not self.hidden["team"]:
            return Result(True, "all words of the team are uncovered")
        if not self.hidden["opponent"]:
            return Result(False, "all words of the opponents are uncovered")
        if self.through_assassin:
            return Result(False, f"the guesser uncovered an assassin, {self.by_team[-1]!r}")
        return None
