"""Grids as text: how they are read and shown, and how much of a target was drawn."""

from __future__ import annotations

import re
from typing import NamedTuple

SIZE = 5
EMPTY = "."
CLEMBENCH_EMPTY = "▢"

Grid = str
"""The cells of a grid row by row, without anything between them; letters are capitals."""

BLANK: Grid = EMPTY * SIZE * SIZE
_ROW = re.compile(r"[ \t]*+[A-Za-z.](?:[ \t]++[A-Za-z.]){4}[ \t]*+")
_FENCE = re.compile(r"\s*```[A-Za-z]*[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL)


class Scores(NamedTuple):
    """How well a grid is drawn, each number in percent.

    Attributes:
        precision: Drawn cells that are right.
        recall: Cells of the target that are drawn right.
        f1: Harmonic mean of both.
    """

    precision: float
    recall: float
    f1: float


NOTHING = Scores(0.0, 0.0, 0.0)


def show(grid: Grid) -> str:
    """The grid as players see it."""
    return "\n".join(" ".join(grid[start : start + SIZE]) for start in range(0, len(grid), SIZE))


def read(text: str) -> Grid | None:
    """The grid that a reply consists of, alone or in a code fence; None if it is anything else."""
    if fenced := _FENCE.fullmatch(text):
        text = fenced[1]
    rows = text.strip().splitlines()
    if len(rows) != SIZE or not all(map(_ROW.fullmatch, rows)):
        return None
    return "".join("".join(rows).split()).upper()


def evaluate(target: Grid, drawn: Grid) -> Scores:
    """Exact scores of a grid."""
    right = sum(cell == wanted != EMPTY for wanted, cell in zip(target, drawn, strict=True))
    in_target, in_drawn = (SIZE * SIZE - grid.count(EMPTY) for grid in (target, drawn))
    if not right:
        return NOTHING
    return Scores(100 * right / in_drawn, 100 * right / in_target, 200 * right / (in_drawn + in_target))


def changed(before: Grid, after: Grid) -> int:
    """The number of cells in which two grids differ."""
    return sum(old != new for old, new in zip(before, after, strict=True))


def _cells(text: str) -> list[list[str]]:
    return [line.strip().split(" ") for line in text.strip().lower().split("\n")]


def clembench_evaluate(target: str, drawn: str) -> Scores | None:
    """Scores as clembench computes and rounds them; None where its code fails.

    It fails at a grid without letters, and at a row after the first whose cells are not separated by blanks.

    Args:
        target: The text of the target.
        drawn: The follower's reply.
    """
    wanted, found = _cells(target), _cells(drawn)
    if (len(wanted), len(wanted[0])) != (len(found), len(found[0])):
        return NOTHING
    right = in_target = in_drawn = 0
    try:
        for row, cells in enumerate(wanted):
            for column, cell in enumerate(cells):
                other = found[row][column]
                in_target += cell != CLEMBENCH_EMPTY
                in_drawn += other != CLEMBENCH_EMPTY
                right += cell == other != CLEMBENCH_EMPTY
        precision, recall = round(right / in_drawn, 4), round(right / in_target, 4)
    except (IndexError, ZeroDivisionError):
        return None
    f1 = round(2 * precision * recall / (precision + recall), 4) if right else 0.0
    return Scores(*(float(round(100 * score)) for score in (precision, recall, f1)))


def clembench_changed(before: str, after: str, size: int = SIZE) -> int:
    """The number of cells in which two replies differ; 0 where clembench cannot compare them."""
    old, new = _cells(before), _cells(after)
    places = [(row, column) for row in range(size) for column in range(size)]
    try:
        return sum(old[row][column] != new[row][column] for row, column in places)
    except IndexError:
        return 0
