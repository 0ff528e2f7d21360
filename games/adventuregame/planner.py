"""The shortest way to bring things where they belong, proven to be the shortest.

Plans are looked for in a small model of the house: the room the player is in, for every wanted thing whether it lies
where it lay at first, is carried, was put down on the floor of some room or is where it belongs, and which of the
containers that matter are open. Every plan there is a plan in the house. And the house has no shorter one: in any
plan all steps with other things or other containers, looks and closing can be left out; and where a wanted thing is
put down elsewhere than on the floor or where it belongs, the floor of that room serves as well, for the same price.
Without a limit there is no reason to put anything down on the way. A* with an estimate that never says too much (each
thing still needs its take and put, each closed container its opening, and the player the longest of the walks that
single things need) then finds a shortest plan. The tests compare with a blind search in the real rules.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_START, _CARRIED, _THERE = -1, -2, -3  # where a thing is; other numbers are rooms on whose floor it lies

State = tuple[int, tuple[int, ...], int]
"""The room, where each thing is, and the open containers as bits."""


@dataclass(frozen=True)
class Holder:
    """A piece of furniture or a floor: its name, its room, and its bit if it is a container that is closed at first."""

    name: str
    room: int
    inside: bool = False
    bit: int = 0


@dataclass(frozen=True)
class Errand:
    """A thing to bring from one holder to another."""

    thing: str
    start: Holder
    target: Holder


@dataclass(frozen=True)
class House:
    """All that a plan depends on."""

    rooms: Sequence[str]
    exits: Mapping[int, Sequence[int]]
    here: int
    errands: Sequence[Errand]
    limit: int | None = None


def shortest(house: House, most: int = 1000) -> list[str] | None:
    """The commands of a shortest plan, or None if there is none of at most so many."""
    far = _distances(house)
    start: State = (house.here, (_START,) * len(house.errands), 0)
    came: dict[State, tuple[State, str] | None] = {start: None}
    cost: dict[State, int] = {start: 0}
    queue: list[tuple[int, int, State]] = [(_estimate(house, start, far), 0, start)]
    while queue:
        total, length, state = heapq.heappop(queue)
        if total > most:
            return None
        length = -length
        if length > cost[state]:
            continue
        if all(place == _THERE for place in state[1]):
            return _commands(came, state)
        for command, after in _steps(house, state):
            if length + 1 < cost.get(after, 1 << 30):
                cost[after] = length + 1
                came[after] = (state, command)
                # Of equal estimates the longer plan first: it is nearer to its end.
                heapq.heappush(queue, (length + 1 + _estimate(house, after, far), -length - 1, after))
    return None


def _commands(came: Mapping[State, tuple[State, str] | None], state: State) -> list[str]:
    commands = []
    while (step := came[state]) is not None:
        state, command = step
        commands.append(command)
    return commands[::-1]


def _distances(house: House) -> list[list[int]]:
    table = []
    for first in range(len(house.rooms)):
        steps = {first: 0}
        queue = deque([first])
        while queue:
            room = queue.popleft()
            for near in house.exits[room]:
                if near not in steps:
                    steps[near] = steps[room] + 1
                    queue.append(near)
        table.append([steps.get(room, 1 << 20) for room in range(len(house.rooms))])
    return table


def _estimate(house: House, state: State, far: list[list[int]]) -> int:
    """At least so many commands are still needed."""
    here, places, opened = state
    handling = walking = closed = 0
    for errand, place in zip(house.errands, places, strict=True):
        if place == _THERE:
            continue
        closed |= errand.target.bit
        target = errand.target.room
        if place == _CARRIED:
            handling += 1
            walking = max(walking, far[here][target])
            continue
        handling += 2
        room = place
        if place == _START:
            room = errand.start.room
            closed |= errand.start.bit
        walking = max(walking, far[here][room] + far[room][target])
    return handling + walking + (closed & ~opened).bit_count()


def _steps(house: House, state: State) -> Iterator[tuple[str, State]]:
    here, places, opened = state
    for room in house.exits[here]:
        yield f"go to {house.rooms[room]}", (room, places, opened)
    for holder in _closed_here(house, here, opened):
        yield f"open {holder.name}", (here, places, opened | holder.bit)
    free = house.limit is None or places.count(_CARRIED) < house.limit
    for index, (errand, place) in enumerate(zip(house.errands, places, strict=True)):

        def moved(to: int, index: int = index) -> State:
            return (here, (*places[:index], to, *places[index + 1 :]), opened)

        start, target = errand.start, errand.target
        lies_open = place == _START and start.room == here and start.bit & ~opened == 0
        if free and (place == here or lies_open):
            yield f"take {errand.thing}", moved(_CARRIED)
        elif place == _CARRIED:
            if target.room == here and target.bit & ~opened == 0:
                yield f"put {errand.thing} {'in' if target.inside else 'on'} {target.name}", moved(_THERE)
            elif house.limit is not None:
                yield f"put {errand.thing} on floor", moved(here)


def _closed_here(house: House, here: int, opened: int) -> list[Holder]:
    holders = {holder.bit: holder for errand in house.errands for holder in (errand.start, errand.target)}
    return [holder for bit, holder in holders.items() if bit & ~opened and holder.room == here]
