"""What instances are made of: shapes that can be told in a few words, and letters at random places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from .grids import EMPTY, SIZE, Grid

Cells = frozenset[tuple[int, int]]
"""(row, column) of the cells of a shape, from 0."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LINE = range(SIZE)
_END = SIZE - 1

DRAWINGS: Mapping[str, str] = {
    "arrow": "..X.. .XXX. X.X.X ..X.. ..X..",
    "heart": ".X.X. XXXXX XXXXX .XXX. ..X..",
    "house": "..X.. .XXX. XXXXX .X.X. .XXX.",
    "hourglass": "XXXXX .XXX. ..X.. .XXX. XXXXX",
    "diamond": "..X.. .X.X. X...X .X.X. ..X..",
    "smile": ".X.X. ..... X...X X...X .XXX.",
    "wave": "..... .X... X.X.X ...X. .....",
    "letter A": "..X.. .X.X. XXXXX X...X X...X",
    "letter C": ".XXXX X.... X.... X.... .XXXX",
    "letter E": "XXXXX X.... XXXX. X.... XXXXX",
    "letter F": "XXXXX X.... XXXX. X.... X....",
    "letter H": "X...X X...X XXXXX X...X X...X",
    "letter K": "X...X X..X. XXX.. X..X. X...X",
    "letter M": "X...X XX.XX X.X.X X...X X...X",
    "letter N": "X...X XX..X X.X.X X..XX X...X",
    "letter P": "XXXX. X...X XXXX. X.... X....",
    "letter U": "X...X X...X X...X X...X .XXX.",
    "letter Y": "X...X .X.X. ..X.. ..X.. ..X..",
    "letter Z": "XXXXX ...X. ..X.. .X... XXXXX",
}
"""Rows from the top."""


def _where(test: Callable[[int, int], bool]) -> Cells:
    return frozenset((row, column) for row in _LINE for column in _LINE if test(row, column))


def _lines(rng: Random) -> Cells:
    """One to three whole rows or columns."""
    chosen, across = rng.sample(_LINE, rng.randint(1, 3)), rng.random() < 0.5
    return _where(lambda row, column: (row if across else column) in chosen)


def _cross(rng: Random) -> Cells:
    """Both diagonals, a plus of any arm length in the middle, or a whole row and a whole column."""
    kind = rng.choice(("diagonals", "plus", "row and column"))
    if kind == "diagonals":
        return _where(lambda row, column: column in (row, _END - row))
    if kind == "plus":
        arm = rng.randint(1, 2)
        return _where(lambda row, column: 2 in (row, column) and abs(row - 2) + abs(column - 2) <= arm)
    across, down = rng.choice(_LINE), rng.choice(_LINE)
    return _where(lambda row, column: row == across or column == down)


def _box(rng: Random) -> Cells:
    """A block, or the frame of one."""
    height, width = rng.randint(2, SIZE), rng.randint(2, SIZE)
    top, left = rng.randint(0, SIZE - height), rng.randint(0, SIZE - width)
    bottom, right = top + height - 1, left + width - 1
    hollow = rng.random() < 0.5
    return _where(
        lambda row, column: (
            top <= row <= bottom
            and left <= column <= right
            and not (hollow and top < row < bottom and left < column < right)
        )
    )


def _stairs(rng: Random) -> Cells:
    """A diagonal, the steps below it, or everything below it, at any of the four corners."""
    depth = rng.choice((1, 2, SIZE))
    return _turned(_where(lambda row, column: 0 <= row - column < depth), rng)


def _checks(rng: Random) -> Cells:
    """A checkerboard, or dots in every other row and column."""
    odd, sparse = rng.randrange(2), rng.random() < 0.5
    if sparse:
        return _where(lambda row, column: row % 2 == odd and column % 2 == odd)
    return _where(lambda row, column: (row + column) % 2 == odd)


def _drawing(rng: Random) -> Cells:
    rows = rng.choice(list(DRAWINGS.values())).split()
    return _turned(_where(lambda row, column: rows[row][column] == "X"), rng)


def _turned(cells: Cells, rng: Random) -> Cells:
    """The cells after none to three quarter turns."""
    for _ in range(rng.randrange(4)):
        cells = frozenset((column, _END - row) for row, column in cells)
    return cells


_SHAPES = (_lines, _cross, _box, _stairs, _checks, _drawing)


def draw_compact(rng: Random) -> Grid:
    """A shape in one letter; often a second one in another letter is drawn over it."""
    cells = [EMPTY] * SIZE * SIZE
    for letter in rng.sample(LETTERS, rng.randint(1, 2)):
        for row, column in rng.choice(_SHAPES)(rng):
            cells[row * SIZE + column] = letter
    return "".join(cells)


def draw_random(rng: Random) -> Grid:
    """Four to ten cells at random places, in one to three letters."""
    letters = rng.sample(LETTERS, rng.randint(1, 3))
    cells = [EMPTY] * SIZE * SIZE
    for index, place in enumerate(rng.sample(range(SIZE * SIZE), rng.randint(4, 10))):
        cells[place] = letters[index] if index < len(letters) else rng.choice(letters)
    return "".join(cells)


DRAW: Mapping[str, Callable[[Random], Grid]] = {"compact": draw_compact, "random": draw_random}
"""Experiment -> what draws its targets."""
