"""The mazes, and what can be computed of one: steps, walls, distances, the pieces that the data are walked in."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Cell = tuple[int, int]
"""Row and column, from 0; row 0 is the uppermost."""

MOVES: Mapping[str, Cell] = {"right": (0, 1), "left": (0, -1), "up": (-1, 0), "down": (1, 0)}
WALLS: Mapping[str, str] = {"right": "right", "left": "left", "up": "above", "down": "below"}
"""Direction -> where a wall in it is said to be, in the order in which walls are told."""

FREE = " "


class Layout(NamedTuple):
    """A maze of ours or of the paper.

    Attributes:
        rows: One text a row; a blank is free, anything else is wall.
        goal: Where walks end.
        gates: Cells where the data are cut into pieces.
    """

    rows: tuple[str, ...]
    goal: Cell
    gates: tuple[Cell, ...]


LAYOUTS = {
    # The paper's: two T-shaped arms that meet above the goal.
    "double_t": Layout(
        (
            "#############",
            "#     #     #",
            "### ##### ###",
            "### ##### ###",
            "### ##### ###",
            "###       ###",
            "###### ######",
            "###### ######",
            "###### ######",
            "#############",
        ),
        goal=(8, 6),
        gates=((5, 3), (5, 9)),
    ),
    "comb": Layout(
        (
            "#############",
            "# # # # # # #",
            "# # # # # # #",
            "# # # # # # #",
            "# # # # # # #",
            "#           #",
            "###### ######",
            "###### ######",
            "#############",
        ),
        goal=(7, 6),
        gates=((5, 5), (5, 7)),
    ),
    "spiral": Layout(
        (
            "###########",
            "#         #",
            "######### #",
            "#       # #",
            "# ##### # #",
            "# #   # # #",
            "# # ### # #",
            "# #     # #",
            "# ####### #",
            "#         #",
            "###########",
        ),
        goal=(5, 5),
        gates=((9, 9), (3, 1)),
    ),
}


class Maze:
    """A maze with its goal.

    Attributes:
        goal: Where walks end.
        steps: Cell -> direction -> the cell after a move; the same one where a wall is in the way.
        walls: Cell -> what is told of the walls around it.
        distance: Cell -> moves to the goal; only cells from which it can be reached.
    """

    def __init__(self, rows: Sequence[str], goal: Cell):
        free = {(r, c) for r, row in enumerate(rows) for c, sign in enumerate(row) if sign == FREE}
        self.goal = goal
        self.steps: dict[Cell, dict[str, Cell]] = {}
        for r, c in free:
            ahead = {name: (r + down, c + right) for name, (down, right) in MOVES.items()}
            self.steps[r, c] = {name: cell if cell in free else (r, c) for name, cell in ahead.items()}
        self.walls = {cell: _walls(cell, steps) for cell, steps in self.steps.items()}
        self.distance = self.distances(goal)

    def distances(self, end: Cell, within: Iterable[Cell] | None = None) -> dict[Cell, int]:
        """Moves to a cell from every other one, on ways through some cells only if they are given."""
        allowed = self.steps.keys() if within is None else set(within)
        found, todo = {end: 0}, deque([end])
        while todo:
            cell = todo.popleft()
            for other in self.steps[cell].values():
                if other in allowed and other not in found:
                    found[other] = found[cell] + 1
                    todo.append(other)
        return found

    def way(self, cell: Cell, distance: Mapping[Cell, int] | None = None) -> str:
        """The first direction in which a shortest way to the goal begins; or to where `distance` is to."""
        far = self.distance if distance is None else distance
        steps = self.steps[cell]
        return min(steps, key=lambda name: far.get(steps[name], len(self.steps)))

    def starts(self) -> list[Cell]:
        """All cells but the goal from which the goal can be reached, in order."""
        return sorted(self.distance.keys() - {self.goal})

    def piece(self, start: Cell, gates: Sequence[Cell]) -> dict[Cell, int]:
        """The piece of the maze that the data walk in from a cell: its cells -> moves to its end.

        Gates cut the maze. A piece ends at the goal, or at that gate of its own that is nearest to the goal; a walk
        from a gate goes on in the piece that is nearer to the goal.
        """
        inner = self.steps[start][self.way(start)] if start in gates else start
        cells = self.distances(inner, self.steps.keys() - set(gates)).keys()
        around = {other for cell in cells for other in self.steps[cell].values()}
        return self.distances(min(around, key=self.distance.__getitem__), around)


def _walls(cell: Cell, steps: Mapping[str, Cell]) -> str:
    around = [WALLS[name] for name, after in steps.items() if after == cell]
    if not around:
        return "No walls."
    return f"{'Wall' if len(around) == 1 else 'Walls'}: {', '.join(around)}."


@functools.lru_cache(maxsize=256)
def maze(rows: tuple[str, ...], goal: Cell) -> Maze:
    """The maze of some rows, computed once."""
    return Maze(rows, goal)


def maze_of(instance: Mapping[str, Any]) -> Maze:
    """The maze of an instance."""
    row, column = instance["goal"]
    return maze(tuple(instance["map"]), (row, column))


def start_of(instance: Mapping[str, Any]) -> Cell:
    """The start of an instance."""
    row, column = instance["start"]
    return row, column


KNOWN = {name: maze(layout.rows, layout.goal) for name, layout in LAYOUTS.items()}
"""The mazes by name."""
