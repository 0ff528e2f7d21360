"""Scripted players, connected by nothing but the expression: facts about single rows and columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from playpen_eval.game import ScriptedPlayer, View

ORDINALS = ("first", "second", "third")
_LINE = range(1, 6)
_FACT = re.compile(
    r"\b(row|column) ([1-5]) (?:is (empty|full)|has X in (?:rows?|columns?) ([1-5](?:(?:, | and )[1-5])*) only)",
    re.IGNORECASE,
)

Filled = frozenset[tuple[int, int]]
"""The (row, column) of all filled cells."""


class Fact(NamedTuple):
    """Which cells of one line are filled.

    Attributes:
        axis: `row` or `column`.
        number: Which one, from 1.
        cells: The filled cells of the line, from 1.
    """

    axis: str
    number: int
    cells: frozenset[int]

    def holds(self, grid: Filled) -> bool:
        """Whether the fact is true of a grid."""
        return _line(grid, self.axis, self.number) == self.cells

    def __str__(self) -> str:
        if len(self.cells) in (0, len(_LINE)):
            return f"{self.axis} {self.number} is {'full' if self.cells else 'empty'}"
        numbers = [str(cell) for cell in sorted(self.cells)]
        across = "column" if self.axis == "row" else "row"
        named = " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))
        return f"{self.axis} {self.number} has X in {across}{'s' * (len(numbers) > 1)} {named} only"


def _line(grid: Filled, axis: str, number: int) -> frozenset[int]:
    if axis == "row":
        return frozenset(column for row, column in grid if row == number)
    return frozenset(row for row, column in grid if column == number)


def filled(text: str) -> Filled:
    """The filled cells of a grid as it is shown, whatever its empty cells look like."""
    rows = enumerate(text.splitlines(), 1)
    return frozenset((row, column) for row, line in rows for column, cell in enumerate(line.split(), 1) if cell == "X")


def describe(grids: Sequence[Filled], target: int) -> str:
    """The fewest facts, and of those the shortest, that are true of the target and of no other grid."""
    facts = [Fact(axis, n, _line(grids[target], axis, n)) for axis in ("row", "column") for n in _LINE]
    others = [grid for grid in grids if grid != grids[target]]
    for count in (1, 2):  # two are enough: each of the two others differs from the target in some row
        found = [
            "; ".join(map(str, chosen))
            for chosen in combinations(facts, count)
            if not any(all(fact.holds(other) for fact in chosen) for other in others)
        ]
        if found:
            return min(found, key=len)
    return "; ".join(map(str, facts))


def facts_in(text: str) -> Iterator[Fact]:
    """All facts that a text states."""
    for axis, number, whole, cells in _FACT.findall(text):
        if whole:
            said = _LINE if whole.lower() == "full" else ()
        else:
            said = (int(cell) for cell in re.findall("[1-5]", cells))
        yield Fact(axis.lower(), int(number), frozenset(said))


def giver(view: View) -> ScriptedPlayer:
    """Tells the target from the other two by as little as possible."""
    expression = describe([filled(grid) for grid in view["giver_grids"]], view["giver_target"])
    return lambda messages: f"Expression: {expression}"


def follower(view: View) -> ScriptedPlayer:
    """Takes the grid of which most of what was said is true, the first of several."""
    grids = [filled(grid) for grid in view["follower_grids"]]

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        facts = list(facts_in(messages[-1]["content"]))
        fits = [sum(fact.holds(grid) for fact in facts) for grid in grids]
        return f"Answer: {ORDINALS[fits.index(max(fits))]}"

    return reply


def breaker(_view: View) -> ScriptedPlayer:
    """Ignores the form that was asked for."""
    return lambda messages: "I like the one with the squares."
