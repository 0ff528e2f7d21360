"""Scripted guessers: greedy information gain, and behaviour policies; for objects and for cities alike."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from .reading import plain_words

ROUNDS = 20


class Shape(NamedTuple):
    """What makes a guesser of the data.

    Attributes:
        first: Questions before which nothing is named.
        naming: Chance to name something instead of asking, from then on.
        idle: Share of the questions that are drawn without a look at what is known.
    """

    first: int
    naming: float
    idle: float


class Search:
    """What the oracle's answers leave of a list; sets are integers with a bit for each name."""

    def __init__(
        self,
        names: Sequence[str],
        questions: Sequence[str],
        ask_for: Callable[[str], str],
        answer: Callable[[str, str], str],
    ):
        """Asks all questions about everything.

        Args:
            names: What can be hidden.
            questions: What can be asked.
            ask_for: Name -> the question that names it.
            answer: Name and question -> the oracle's answer.
        """
        self.places = {name: place for place, name in enumerate(names)}
        self.all = (1 << len(names)) - 1
        self.asking = list(questions)
        self.naming = [ask_for(name) for name in names]
        self.named = {question: 1 << place for place, question in enumerate(self.naming)}
        self.told = [[answer(name, question) for name in names] for question in self.asking]
        self.rows = [_sets(told) for told in self.told]
        self.row_of = {question: row for question, row in zip(self.asking, self.rows, strict=True)}
        self.fits = [[row[told] for told in answers] for row, answers in zip(self.rows, self.told, strict=True)]
        self.left = functools.lru_cache(maxsize=4096)(self._left)
        self.best = functools.lru_cache(maxsize=4096)(self._best)

    def _left(self, rows: tuple[tuple[str, str], ...]) -> int:
        """What (question, answer) so far leave; an answer that leaves nothing, or cannot be read, is ignored."""
        if not rows:
            return self.all
        left, (question, said) = self.left(rows[:-1]), rows[-1]
        if question in self.named:
            return left & ~self.named[question] or self._unnamed(rows)
        return left & _meant(self.row_of.get(question, {}), said) or left

    def _unnamed(self, rows: tuple[tuple[str, str], ...]) -> int:
        left = self.all
        for question, _ in rows:
            left &= ~self.named.get(question, 0)
        return left or self.all

    def _best(self, left: int) -> str:
        """The question whose answer tells most; a name once only two are left, or no question tells them apart."""
        if left.bit_count() > 2:
            costs = [_cost(left, row) for row in self.rows]
            lowest = min(costs)
            if lowest < _cost(left, {"": left}):
                return self.asking[costs.index(lowest)]
        return self.naming[left.bit_length() - 1]

    def play(self, target: str, choose: Callable[[int, int], tuple[bool, int]]) -> list[str]:
        """All replies of an episode in order.

        Args:
            target: What is hidden.
            choose: Number of the question and what is left -> whether to name something, and the number of the name
                or of the question.
        """
        place, left, replies = self.places[target], self.all, []
        for turn in range(ROUNDS):
            naming, number = choose(turn, left)
            if naming:
                replies.append(self.naming[number])
                if number == place:
                    return replies
                left &= ~(1 << number)
                replies.append("No.")
            else:
                replies += (self.asking[number], self.told[number][place])
                left &= self.fits[number][place]
        return replies[:-1]  # the last question is not answered

    def mix(self, target: str, shape: Shape, rng: Random) -> list[str]:
        """The data: questions with and without a plan, then names; see `Shape`."""
        asked, fits, place = set[int](), self.fits, self.places[target]

        def choose(turn: int, left: int) -> tuple[bool, int]:
            if turn >= shape.first and rng.random() < shape.naming:
                return True, _draw(left, rng)
            idle = rng.random() < shape.idle or (turn < shape.first and left.bit_count() == 1)
            for _ in range(30):
                number = rng.randrange(len(fits))
                # A question tells something if not all that is left shares the target's answer.
                if number not in asked and (idle or left & fits[number][place] != left):
                    break
            else:
                return True, _draw(left, rng)
            asked.add(number)
            return False, number

        return self.play(target, choose)

    def uniform(self, target: str, rng: Random) -> list[str]:
        """Any question or any name, with equal chances."""

        def choose(turn: int, left: int) -> tuple[bool, int]:
            number = rng.randrange(len(self.asking) + len(self.naming))
            return number < len(self.naming), number if number < len(self.naming) else number - len(self.naming)

        return self.play(target, choose)

    def greedy(self, target: str) -> list[str]:
        """As the scripted guesser plays against the scripted oracle."""
        numbers = {question: (False, number) for number, question in enumerate(self.asking)}
        numbers |= {question: (True, number) for number, question in enumerate(self.naming)}
        return self.play(target, lambda turn, left: numbers[self.best(left)])


def _sets(told: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, answer in enumerate(told):
        found[answer] = found.get(answer, 0) | 1 << place
    return found


def _cost(left: int, row: dict[str, int]) -> float:
    counts = [(left & fits).bit_count() for fits in row.values()]
    return math.fsum(count * math.log(count) for count in counts if count)


def _draw(left: int, rng: Random) -> int:
    """A member of a set."""
    for _ in range(rng.randrange(left.bit_count())):
        left &= left - 1
    return (left & -left).bit_length() - 1


def _meant(row: dict[str, int], said: str) -> int:
    """What fits an answer, in the oracle's words or in those of somebody else."""
    if said in row:
        return row[said]
    words = plain_words(said)
    if "Yes." in row or "No." in row:
        return row.get(f"{words.split()[0].capitalize()}.", 0) if words.strip() else 0
    return sum(fits for text, fits in row.items() if plain_words(text.rpartition(":")[2].removeprefix("The ")) in words)
