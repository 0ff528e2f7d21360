"""Grids of five rows and five columns, and the families of similar ones that instances are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from random import Random

Grid = tuple[str, ...]
"""Five rows of five cells each; `X` is filled and `.` is empty."""

SIZE = 5
FAR = 8
"""Two grids of one instance differ in at most so many cells."""

NEIGHBOURS = 5
"""A drawing is shown beside two of so many that are most like it."""

ROWS = ("XXXXX", ".....", "X...X", ".XXX.", "X.X.X", ".X.X.", "XX...", "...XX", "XXX..", "..XXX", "XX.XX", "..X..")
"""What a row (or a column) of a line pattern may look like."""


def _read_drawings(name: str) -> list[Grid]:
    """Drawings are blocks with a blank line between them; the first line of a block is its name."""
    text = (Path(__file__).parent / name).read_text(encoding="ascii")
    return [tuple(block.split()[1:]) for block in text.split("\n\n")]


LETTERS = _read_drawings("letters.txt")
DIGITS = _read_drawings("digits.txt")


def show(grid: Grid) -> str:
    """The grid as players see it."""
    return "\n".join(" ".join(row) for row in grid)


def distance(one: Grid, other: Grid) -> int:
    """The number of cells in which two grids differ."""
    return sum(a != b for a, b in zip("".join(one), "".join(other), strict=True))


def draw(kind: str, rng: Random) -> list[Grid]:
    """Three different but similar grids.

    None of them is special before the target is drawn: if the other two were made from the target, the follower
    could find it as the one in the middle, without any expression.

    Args:
        kind: One of `KINDS`.
        rng: Source of all randomness.
    """
    while True:
        grids = KINDS[kind](rng)
        if all(1 <= distance(one, other) <= FAR for one, other in combinations(grids, 2)):
            return grids


def _swap(cell: str) -> str:
    return "." if cell == "X" else "X"


def _inverted(grid: Grid) -> Grid:
    return tuple("".join(map(_swap, row)) for row in grid)


def _mirrored(grid: Grid) -> Grid:
    return tuple(row[::-1] for row in grid)


def _upside_down(grid: Grid) -> Grid:
    return grid[::-1]


def _transposed(grid: Grid) -> Grid:
    return tuple(map("".join, zip(*grid, strict=True)))


def _as_it_is(grid: Grid) -> Grid:
    return grid


def _flipped(grid: Grid, count: int, rng: Random) -> Grid:
    """The grid with `count` cells changed."""
    cells = list("".join(grid))
    for index in rng.sample(range(len(cells)), count):
        cells[index] = _swap(cells[index])
    width = len(grid[0])
    return tuple("".join(cells[start : start + width]) for start in range(0, len(cells), width))


def _drawings(drawings: list[Grid], style: Callable[[Grid], Grid], rng: Random) -> list[Grid]:
    """A drawing and two that are like it, in one style; a cell may be wrong."""
    first = rng.choice(drawings)
    rest = sorted((other for other in drawings if other != first), key=lambda other: distance(first, other))
    chosen = [first, *rng.sample(rest[:NEIGHBOURS], 2)]
    return [_flipped(style(grid), rng.randrange(2), rng) for grid in chosen]


def _letters(rng: Random) -> list[Grid]:
    return _drawings(LETTERS, rng.choice((_as_it_is, _inverted, _mirrored, _upside_down)), rng)


def _digits(rng: Random) -> list[Grid]:
    """Digits are three cells wide and may stand left, in the middle or right."""
    left = rng.randrange(3)
    placed = [tuple("." * left + row + "." * (2 - left) for row in digit) for digit in DIGITS]
    return _drawings(placed, rng.choice((_as_it_is, _inverted)), rng)


def _rows(rng: Random) -> list[Grid]:
    """Rows of two patterns; the grids differ in one or two rows."""
    patterns = rng.sample(ROWS, 2)
    first = [rng.choice(patterns) for _ in range(SIZE)]
    grids = [first, list(first), list(first)]
    for grid in grids[1:]:
        grid[rng.randrange(SIZE)] = rng.choice(ROWS)
    return [tuple(grid) for grid in grids]


def _columns(rng: Random) -> list[Grid]:
    return [_transposed(grid) for grid in _rows(rng)]


def _random(rng: Random, width: int = SIZE) -> list[Grid]:
    first = tuple("".join(rng.choice("X.") for _ in range(width)) for _ in range(SIZE))
    return [first, *(_flipped(first, rng.randint(1, 4), rng) for _ in range(2))]


def _symmetric(rng: Random) -> list[Grid]:
    """The left half is the mirror image of the right one."""
    return [tuple(half + half[1::-1] for half in grid) for grid in _random(rng, width=3)]


KINDS: Mapping[str, Callable[[Random], list[Grid]]] = {
    "letters": _letters,
    "digits": _digits,
    "rows": _rows,
    "columns": _columns,
    "random": _random,
    "symmetric": _symmetric,
}
