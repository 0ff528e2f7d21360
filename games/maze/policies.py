"""Behaviour policies: the walks that offline methods learn from, and what is expected of a walk."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from random import Random
from typing import Any

from .mazes import LAYOUTS, MOVES, Cell, Maze, maze_of
from .rules import LIMIT

SOLVER = 0.15
"""Share of the data's moves that come from a solver (appendix C.1)."""

_NAMES = tuple(MOVES)
_GATES = {(layout.rows, layout.goal): layout.gates for layout in LAYOUTS.values()}


@functools.lru_cache(maxsize=4096)
def _piece(rows: tuple[str, ...], goal: Cell, start: Cell, maze: Maze) -> Mapping[Cell, int]:
    return maze.piece(start, _GATES.get((rows, goal), ()))


def data(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """A walk of the data: in one piece of the maze, 15% of the moves a solver's, the others random.

    It stops at the end of the piece without having reached the goal unless the goal is there, so that whoever wants to
    come from a far piece to the goal has to put walks together.
    """
    maze = maze_of(instance)
    row, column = instance["start"]
    piece = _piece(tuple(instance["map"]), maze.goal, (row, column), maze)
    cell, said = (row, column), []
    while piece[cell] and len(said) < LIMIT:
        name = maze.way(cell, piece) if rng.random() < SOLVER else rng.choice(_NAMES)
        if maze.steps[cell][name] in piece:
            cell = maze.steps[cell][name]
            said.append(f"move {name}")
    return said


def uniform(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """A walk at random, to the end of the episode."""
    maze = maze_of(instance)
    row, column = instance["start"]
    cell, said = (row, column), []
    while cell != maze.goal and len(said) < LIMIT:
        name = rng.choice(_NAMES)
        cell = maze.steps[cell][name]
        said.append(f"move {name}")
    return said


def best(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """A shortest way."""
    maze = maze_of(instance)
    row, column = instance["start"]
    cell, said = (row, column), []
    while cell != maze.goal:
        name = maze.way(cell)
        cell = maze.steps[cell][name]
        said.append(f"move {name}")
    return said


POLICIES = {"data": data, "random": uniform, "best": best}


def expected_returns(maze: Maze, shares: Mapping[str, float]) -> dict[Cell, float]:
    """The exact mean return of walks that draw every move by fixed shares.

    Args:
        maze: The maze.
        shares: Direction -> its probability; they sum to 1.

    Returns:
        Start -> mean return.
    """
    value = dict.fromkeys(maze.steps, -1.0)  # what remains unpaid when the moves are used up
    for _ in range(LIMIT):
        value = {
            cell: sum(
                share * (0 if steps[name] == maze.goal else value[steps[name]] - 1) for name, share in shares.items()
            )
            for cell, steps in maze.steps.items()
        }
    return {start: value[start] for start in maze.starts()}
