"""A map, a walk through it, and the numbers that come of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

DIRECTIONS = {"north": (0, 1), "east": (1, 0), "south": (0, -1), "west": (-1, 0)}
OPPOSITE = {"north": "south", "east": "west", "south": "north", "west": "east"}

Neighbours = tuple[int, ...]
"""For every room the set of rooms next to it; sets of rooms are integers, bit by bit."""


class World:
    """The rooms of an instance, by number.

    Attributes:
        names: Name of each room.
        exits: For each room direction -> room, in the order in which they are told.
        neighbours: For each room the set of rooms next to it.
        start: Where the walk begins.
        everything: The set of all rooms.
    """

    def __init__(self, instance: Mapping[str, Any]):
        rooms: Mapping[str, int] = instance["rooms"]
        self.names = sorted(rooms, key=rooms.__getitem__)
        self.exits: list[Mapping[str, int]] = instance["exits"]
        self.neighbours: Neighbours = tuple(as_set(exits.values()) for exits in self.exits)
        self.start = rooms[instance["start"]]
        self.everything = (1 << len(self.names)) - 1


class Step(NamedTuple):
    """One attempt to move.

    Attributes:
        origin: The room it was made in.
        direction: Where to.
        room: The room it led to, None if there is no such exit.
    """

    origin: int
    direction: str
    room: int | None


@dataclass
class Walk:
    """What was done so far."""

    world: World
    steps: list[Step] = field(default_factory=list)

    @property
    def room(self) -> int:
        """Where the explorer is."""
        return next((step.room for step in reversed(self.steps) if step.room is not None), self.world.start)

    def go(self, direction: str) -> bool:
        """Moves if there is such an exit; tells whether there is."""
        origin = self.room
        room = self.world.exits[origin].get(direction)
        self.steps.append(Step(origin, direction, room))
        return room is not None

    def rooms(self) -> list[int]:
        """The rooms in the order in which they were entered, beginning with the start."""
        return [self.world.start, *(step.room for step in self.steps if step.room is not None)]

    def visited(self) -> int:
        """The set of rooms that were entered."""
        return as_set(self.rooms())

    def is_complete(self) -> bool:
        """Whether all rooms were entered."""
        return self.visited() == self.world.everything

    def efficient(self, good_steps: Callable[[Neighbours, int, int], frozenset[int]]) -> list[bool]:
        """For every step whether it was a good one; none is after all rooms were visited.

        Args:
            good_steps: (neighbours, room, visited rooms) -> the rooms that may be entered next.
        """
        visited = 1 << self.world.start
        flags = []
        for step in self.steps:
            useful = step.room is not None and visited != self.world.everything
            flags.append(useful and step.room in good_steps(self.world.neighbours, step.origin, visited))
            if step.room is not None:
                visited |= 1 << step.room
        return flags

    def loops(self, *, restart: bool = False) -> int:
        """How often the last four rooms were fewer than three different ones.

        Args:
            restart: Forget the rooms before each loop.
        """
        recent: list[int] = []
        loops = 0
        for room in self.rooms():
            recent.append(room)
            if len(recent) >= 4 and len(set(recent[-4:])) < 3:
                loops += 1
                if restart:
                    recent.clear()
        return loops

    def seen(self) -> int:
        """The set of rooms that were entered or lie next to one that was."""
        visited = self.visited()
        return visited | around(self.world.neighbours, visited)

    def exploration(self) -> float:
        """Share of the rooms that were entered, in percent."""
        return 100 * self.visited().bit_count() / len(self.world.names)


def as_set(rooms: Any) -> int:
    """Room numbers as a set."""
    return functools.reduce(lambda found, room: found | 1 << room, rooms, 0)


def members(rooms: int) -> list[int]:
    """The room numbers of a set, ascending."""
    return [room for room in range(rooms.bit_length()) if rooms >> room & 1]


def around(neighbours: Neighbours, rooms: int) -> int:
    """All rooms next to one of a set."""
    return functools.reduce(lambda found, room: found | neighbours[room], members(rooms), 0)


def percent(flags: list[bool]) -> float:
    """Share of true ones in percent, 0 if there are none at all."""
    return 100 * sum(flags) / len(flags) if flags else 0.0


def harmonic_mean(first: float, second: float) -> float:
    """Of two numbers that are not negative; 0 if both are."""
    return 2 * first * second / (first + second) if first + second else 0.0
