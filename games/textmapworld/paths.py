"""Which step to take next: the first steps of shortest walks, by our own notion and by clembench's."""

from __future__ import annotations

import functools
from collections.abc import Callable

from .world import Neighbours, around, members


@functools.lru_cache(maxsize=4096)
def good_steps(neighbours: Neighbours, room: int, visited: int) -> frozenset[int]:
    """First steps of the shortest walks that lead to every room which is known but not visited.

    Such a walk uses what the explorer can know: the rooms it has visited, their exits, and that the map is a grid, so
    that two exits may lead to the same room. Passages between rooms that it has not visited are not known.
    """

    def following(at: int, _: int) -> int:
        return neighbours[at] if visited >> at & 1 else neighbours[at] & visited

    return _first_steps(room, around(neighbours, visited) & ~visited, following)


@functools.lru_cache(maxsize=4096)
def clembench_steps(neighbours: Neighbours, room: int, visited: int) -> frozenset[int]:
    """The same by clembench: walks may use the whole map, but enter a room again only out of a dead end."""

    def following(at: int, walked: int) -> int:
        return neighbours[at] & ~walked or neighbours[at]

    return _first_steps(room, around(neighbours, visited) & ~visited, following)


def _first_steps(start: int, targets: int, following: Callable[[int, int], int]) -> frozenset[int]:
    """First steps of all walks of least length that lead to every target.

    How a walk may go on depends on where it is and which rooms it contains, and on nothing else about it. So of the
    walks that agree in these and in their first step, one is enough.

    Args:
        start: Where the walks begin.
        targets: The set of rooms to enter.
        following: (room, rooms of the walk) -> the rooms that may come next.
    """
    states = {(first, first, 1 << start | 1 << first) for first in members(following(start, 1 << start))}
    known = set(states)
    while states:
        if found := {first for first, _, walked in states if not targets & ~walked}:
            return frozenset(found)
        states = {
            (first, room, walked | 1 << room) for first, at, walked in states for room in members(following(at, walked))
        } - known
        known |= states
    return frozenset()
