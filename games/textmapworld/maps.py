"""Random maps on a grid."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from .world import DIRECTIONS, OPPOSITE, Neighbours, members

SIDE = 4
NAMES = tuple(Path(__file__).with_name("rooms.txt").read_text(encoding="utf-8").splitlines())

Cell = tuple[int, int]


def draw_map(rooms: int, passages: int, rng: Random) -> dict[str, Any]:
    """The fields `rooms` (name -> number) and `exits` (for each number direction -> number) of an instance.

    Args:
        rooms: How many.
        passages: How many; `rooms - 1` make a tree, each further one closes a cycle.
        rng: Source of randomness.
    """
    while True:
        cells = _grow(rooms, rng)
        order = list(cells)
        spare = [
            (cell, direction)
            for cell in order
            for direction in ("north", "east")
            if direction not in cells[cell] and next_cell(cell, direction) in cells
        ]
        if len(spare) >= passages - (rooms - 1):
            break
    for cell, direction in rng.sample(spare, passages - (rooms - 1)):
        _connect(cells, cell, direction)
    rng.shuffle(order)
    number = {cell: index for index, cell in enumerate(order)}
    names = rng.sample(NAMES, rooms)
    exits = [{way: number[next_cell(cell, way)] for way in DIRECTIONS if way in cells[cell]} for cell in order]
    return {"rooms": {name: index for index, name in enumerate(names)}, "exits": exits}


def _grow(rooms: int, rng: Random) -> dict[Cell, set[str]]:
    """A tree of cells with the directions of their passages; how often it goes on from its end is drawn, too."""
    straightness = rng.random()
    cell = rng.randrange(SIDE), rng.randrange(SIDE)
    cells: dict[Cell, set[str]] = {cell: set()}
    while len(cells) < rooms:
        direction = rng.choice(list(DIRECTIONS))
        following = next_cell(cell, direction)
        if following not in cells and all(0 <= part < SIDE for part in following):
            cells[following] = set()
            _connect(cells, cell, direction)
            cell = following
        if rng.random() > straightness or not any(_is_free(next_cell(cell, way), cells) for way in DIRECTIONS):
            cell = rng.choice(list(cells))
    return cells


def _is_free(cell: Cell, cells: dict[Cell, set[str]]) -> bool:
    return cell not in cells and all(0 <= part < SIDE for part in cell)


def next_cell(cell: Cell, direction: str) -> Cell:
    """The cell in a direction."""
    x, y = DIRECTIONS[direction]
    return cell[0] + x, cell[1] + y


def _connect(cells: dict[Cell, set[str]], cell: Cell, direction: str) -> None:
    cells[cell].add(direction)
    cells[next_cell(cell, direction)].add(OPPOSITE[direction])


def distances(neighbours: Neighbours, start: int) -> dict[int, int]:
    """Steps from a room to each room."""
    found = {start: 0}
    queue = [start]
    for room in queue:
        for other in members(neighbours[room]):
            if other not in found:
                found[other] = found[room] + 1
                queue.append(other)
    return found
