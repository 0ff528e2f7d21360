"""Grids of five rows and five columns, and the pairs of them that instances are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple

Grid = tuple[str, ...]
"""Five rows of five cells each; `X` is filled and `.` is empty."""

Pair = tuple[Grid, Grid]

SIZE = 5
FILLED = range(6, 20)
"""How many cells of a drawing may be filled."""

_LINE = range(SIZE)
_END = SIZE - 1
_SHIFTS = (*[(0, 0)] * 4, (0, 1), (0, -1), (1, 0), (-1, 0))

LETTERS: Mapping[str, Grid] = {
    name: tuple(rows.split())
    for name, rows in {
        "A": ".XXX. X...X XXXXX X...X X...X",
        "B": "XXX.. X..X. XXXX. X...X XXXX.",
        "C": ".XXXX X.... X.... X.... .XXXX",
        "D": "XXX.. X..X. X...X X..X. XXX..",
        "E": "XXXX. X.... XXX.. X.... XXXX.",
        "F": "XXXXX X.... XXXX. X.... X....",
        "G": ".XXXX X.... X..XX X...X .XXXX",
        "H": "X...X X...X XXXXX X...X X...X",
        "J": "..XXX ....X ....X X...X .XXX.",
        "K": "X..X. X.X.. XX... X.X.. X..X.",
        "L": "X.... X.... X.... X.... XXXX.",
        "M": "X...X XX.XX X.X.X X...X X...X",
        "N": "X...X XX..X X.X.X X..XX X...X",
        "P": "XXXX. X...X XXXX. X.... X....",
        "R": "XXXX. X...X XXXX. X..X. X...X",
        "S": ".XXXX X.... .XXX. ....X XXXX.",
        "T": "XXXXX ..X.. ..X.. ..X.. ..X..",
        "U": "X...X X...X X...X X...X .XXX.",
        "V": "X...X X...X .X.X. .X.X. ..X..",
        "X": "X...X .X.X. ..X.. .X.X. X...X",
        "Y": "X...X .X.X. ..X.. ..X.. ..X..",
        "Z": "XXXXX ...X. ..X.. .X... XXXXX",
    }.items()
}
"""The drawings of letters, row by row."""


def show(grid: Grid) -> str:
    """The grid as players see it."""
    return "\n".join(" ".join(row) for row in grid)


def read(text: str) -> Grid:
    """The grid in a text as players see it, whatever its empty cells look like."""
    return tuple("".join("X" if cell == "X" else "." for cell in line.split()) for line in text.splitlines())


def distance(one: Grid, other: Grid) -> int:
    """The number of cells in which two grids differ."""
    return sum(a != b for a, b in zip("".join(one), "".join(other), strict=True))


def draw_pair(experiment: str, rng: Random) -> Pair:
    """The two grids of an instance.

    A single grid tells next to nothing about the other one: in every experiment each of them is a drawing of the same
    families, placed in the same ways, and with two cells exchanged in half of the cases.

    Args:
        experiment: One of `EXPERIMENTS`.
        rng: Source of all randomness.
    """
    kind = EXPERIMENTS[experiment]
    while True:
        one, other = kind.draw(rng)
        if distance(one, other) in kind.distances:
            return (one, other) if rng.random() < 0.5 else (other, one)


def _where(test: Callable[[int, int], bool]) -> Grid:
    return tuple("".join("X" if test(row, column) else "." for column in _LINE) for row in _LINE)


def _turned(grid: Grid, turn: int) -> Grid:
    """One of the eight ways to lay a sheet on a square."""
    if turn & 1:
        grid = grid[::-1]
    if turn & 2:
        grid = tuple(row[::-1] for row in grid)
    return tuple(map("".join, zip(*grid, strict=True))) if turn & 4 else grid


def _shifted(grid: Grid, down: int, right: int) -> Grid:
    """What leaves the grid at one side enters it at the other."""
    return _where(lambda row, column: grid[(row - down) % SIZE][(column - right) % SIZE] == "X")


def _placed(grid: Grid, rng: Random) -> Grid:
    return _shifted(_turned(grid, rng.randrange(8)), *rng.choice(_SHIFTS))


def _exchanged(grid: Grid, rng: Random) -> Grid:
    """The grid with one filled cell emptied and one empty cell filled."""
    cells = list("".join(grid))
    filled = rng.choice([index for index, cell in enumerate(cells) if cell == "X"])
    empty = rng.choice([index for index, cell in enumerate(cells) if cell != "X"])
    cells[filled], cells[empty] = cells[empty], cells[filled]
    return tuple("".join(cells[start : start + SIZE]) for start in range(0, SIZE * SIZE, SIZE))


def _letter(rng: Random) -> Grid:
    return rng.choice(list(LETTERS.values()))


def _lines(rng: Random) -> Grid:
    """Two or three whole rows, columns and diagonals."""
    axes = [(axis, n) for axis in ("row", "column") for n in _LINE] + [("down", 0), ("up", 0)] * 2
    chosen = rng.sample(axes, rng.randint(2, 3))
    return _where(
        lambda row, column: any(
            {"row": row == n, "column": column == n, "down": row == column, "up": row + column == _END}[axis]
            for axis, n in chosen
        )
    )


def _block(rng: Random) -> Grid:
    """A rectangle, filled or as a frame, at any place; a frame may have a filled middle."""
    height, width = rng.randint(3, SIZE), rng.randint(3, SIZE)
    top, left = rng.randint(0, SIZE - height), rng.randint(0, SIZE - width)
    inside = rng.choice(("full", "empty", "dot"))

    def filled(row: int, column: int) -> bool:
        row, column = row - top, column - left
        if not (0 <= row < height and 0 <= column < width):
            return False
        edge = row in (0, height - 1) or column in (0, width - 1)
        return edge or inside == "full" or (inside == "dot" and (row, column) == (height // 2, width // 2))

    return _where(filled)


def _stairs(rng: Random) -> Grid:
    """A triangle in a corner, filled or as an outline."""
    steps, outline = rng.randint(2, SIZE), rng.random() < 0.5
    return _where(
        lambda row, column: row + column < steps and not (outline and row and column and row + column < steps - 1)
    )


def _stripes(rng: Random) -> Grid:
    """Rows of two kinds in turn, or in any order."""
    kinds = rng.sample(("XXXXX", ".....", "X...X", ".XXX.", "X.X.X", ".X.X.", "XX...", "...XX", "..X..", "XX.XX"), 2)
    regular = rng.random() < 0.5
    return tuple(kinds[row % 2] if regular else rng.choice(kinds) for row in _LINE)


def _symmetric(rng: Random) -> Grid:
    """Random cells, the left half being the mirror image of the right one."""
    halves = ["".join(rng.choice("X.") for _ in range(3)) for _ in _LINE]
    return tuple(half + half[1::-1] for half in halves)


FAMILIES = (_letter, _lines, _block, _stairs, _stripes, _symmetric)


def _drawing(rng: Random) -> Grid:
    while True:
        grid = rng.choice(FAMILIES)(rng)
        if "".join(grid).count("X") in FILLED:
            return grid


def _perhaps_exchanged(rng: Random) -> Grid:
    drawing = _drawing(rng)
    return drawing if rng.random() < 0.5 else _exchanged(drawing, rng)


def _same(rng: Random) -> Pair:
    grid = _placed(_perhaps_exchanged(rng), rng)
    return grid, grid


def _moved(rng: Random) -> Pair:
    """One grid in two placements."""
    grid = _perhaps_exchanged(rng)
    return _placed(grid, rng), _placed(grid, rng)


def _changed(rng: Random) -> Pair:
    grid = _placed(_drawing(rng), rng)
    return grid, _exchanged(grid, rng)


def _unlike(rng: Random) -> Pair:
    return _placed(_perhaps_exchanged(rng), rng), _placed(_perhaps_exchanged(rng), rng)


class Kind(NamedTuple):
    """One experiment.

    Attributes:
        draw: Draws a candidate.
        distances: In how many cells its grids may differ.
    """

    draw: Callable[[Random], Pair]
    distances: range


EXPERIMENTS: Mapping[str, Kind] = {
    "same_grid": Kind(_same, range(1)),
    "similar_grid_1": Kind(_moved, range(4, 9)),
    "similar_grid_2": Kind(_changed, range(2, 3)),
    "different_grid": Kind(_unlike, range(10, SIZE * SIZE + 1)),
}
