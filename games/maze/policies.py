"""Behaviour policies: the walks that offline methods learn from, and what is expected of a walk."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from .mazes import LAYOUTS, MOVES, Cell, Maze, maze, maze_of, start_of
from .rules import LIMIT

SOLVER = 0.15
"""Share of the data's moves that come from a solver (appendix C.1)."""

_NAMES = tuple(MOVES)
_GATES = {(layout.rows, layout.goal): layout.gates for layout in LAYOUTS.values()}


@functools.lru_cache(maxsize=4096)
def _piece(rows: tuple[str, ...], goal: Cell, start: Cell) -> Mapping[Cell, int]:
    return maze(rows, goal).piece(start, _GATES.get((rows, goal), ()))


def _walk(instance: Mapping[str, Any], within: Mapping[Cell, int], choose: Callable[[Cell], str]) -> list[str]:
    """A walk through some cells to the one at distance 0; moves out of them are chosen again."""
    steps, cell, said = maze_of(instance).steps, start_of(instance), []
    while within[cell] and len(said) < LIMIT:
        name = choose(cell)
        if steps[cell][name] in within:
            cell = steps[cell][name]
            said.append(f"move {name}")
    return said


def mix(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """A walk of the data: in one piece of the maze, 15% of the moves a solver's, the others random.

    It stops at the end of the piece without having reached the goal unless the goal is there, so that whoever wants to
    come from a far piece to the goal has to put walks together.
    """
    one = maze_of(instance)
    piece = _piece(tuple(instance["map"]), one.goal, start_of(instance))
    return _walk(instance, piece, lambda cell: one.way(cell, piece) if rng.random() < SOLVER else rng.choice(_NAMES))


def uniform(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """A walk at random, to the end of the episode."""
    return _walk(instance, maze_of(instance).distance, lambda cell: rng.choice(_NAMES))


def best(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """A shortest way."""
    one = maze_of(instance)
    return _walk(instance, one.distance, one.way)


POLICIES = {"mix": mix, "random": uniform, "best": best}


def expected_returns(one: Maze, shares: Mapping[str, float]) -> dict[Cell, float]:
    """The exact mean return of walks that draw every move by fixed shares.

    Args:
        one: The maze.
        shares: Direction -> its probability; they sum to 1.

    Returns:
        Start -> mean return.
    """
    value = dict.fromkeys(one.steps, -1.0)  # what remains unpaid when the moves are used up
    for _ in range(LIMIT):
        value = {
            cell: sum(
                share * (0 if steps[name] == one.goal else value[steps[name]] - 1) for name, share in shares.items()
            )
            for cell, steps in one.steps.items()
        }
    return {start: value[start] for start in one.starts()}
