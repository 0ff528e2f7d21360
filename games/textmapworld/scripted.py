"""Scripted players: they draw a map of what they are told and go where something is left to see."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from playpen_eval.game import ScriptedPlayer, View

from .maps import Cell, next_cell
from .paths import good_steps
from .rules import texts_of
from .world import DIRECTIONS, as_set

_EXITS = re.compile(rf"(?:{'|'.join(DIRECTIONS)})(?:, (?:{'|'.join(DIRECTIONS)}))*")
_STEP = re.compile(rf"GO:\s*({'|'.join(DIRECTIONS)})", re.IGNORECASE)


class Room(NamedTuple):
    """A room that was entered: its name and exits."""

    name: str
    exits: list[str]


class Chart:
    """What a chat tells: the rooms entered, by their place on a grid, and where the explorer is.

    Attributes:
        rooms: Place -> room, in the order in which they were entered.
        here: Place of the explorer, who begins at (0, 0).
        walked: The steps that led to another room: place and direction.
    """

    def __init__(self, view: View, game: str, messages: Sequence[Mapping[str, str]]):
        moved = re.escape(texts_of(view, game)["moved"])
        pattern = moved.replace(re.escape("{room}"), "(.+)").replace(re.escape("{exits}"), ".+")
        self.here: Cell = (0, 0)
        self.rooms: dict[Cell, Room] = {self.here: Room(view["start"], _exits(messages[0]["content"]))}
        self.walked: list[tuple[Cell, str]] = []
        for said, heard in zip(messages[1::2], messages[2::2]):
            step, told = _STEP.search(said["content"]), re.fullmatch(pattern, heard["content"])
            if step and told:
                self.walked.append((self.here, step[1].lower()))
                self.here = next_cell(*self.walked[-1])
                self.rooms[self.here] = Room(told[1], _exits(heard["content"]))

    def next_step(self) -> str | None:
        """The direction of a step on the shortest walk to all rooms that are left; None if there are none."""
        beside = [next_cell(place, way) for place, room in self.rooms.items() for way in room.exits]
        numbers: dict[Cell, int] = {place: number for number, place in enumerate(dict.fromkeys([*self.rooms, *beside]))}
        if len(numbers) == len(self.rooms):
            return None
        near = [0] * len(numbers)
        for place, room in self.rooms.items():
            for way in room.exits:
                other = numbers[next_cell(place, way)]
                near[numbers[place]] |= 1 << other
                near[other] |= 1 << numbers[place]
        good = good_steps(tuple(near), numbers[self.here], as_set(range(len(self.rooms))))
        return next(way for way in self.rooms[self.here].exits if numbers[next_cell(self.here, way)] in good)

    def drawn(self) -> dict[str, object]:
        """The map in the form that the game asks for."""
        edges: dict[str, list[list[str]]] = {way: [] for way in DIRECTIONS}
        for place, way in self.walked:
            pair = [self.rooms[place].name, self.rooms[next_cell(place, way)].name]
            if pair not in edges[way]:
                edges[way].append(pair)
        return {"nodes": [room.name for room in self.rooms.values()], "edges": edges}


def _exits(text: str) -> list[str]:
    """The exits that a message tells, which it does last."""
    return _EXITS.findall(text)[-1].split(", ")


def command(direction: str | None) -> str:
    """The words for a step, or for stopping."""
    return f"GO: {direction}" if direction else "DONE"


def with_map(action: str, drawn: Mapping[str, object]) -> str:
    """A reply of the game in which the explorer keeps a map."""
    return json.dumps({"action": action, "graph": drawn})


def best(view: View, game: str) -> ScriptedPlayer:
    """Goes the shortest way to all that is left to see, and stops at the target or where nothing is left."""

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        chart = Chart(view, game, messages)
        found = "target" in view and chart.rooms[chart.here].name == view["target"]
        action = command(None if found else chart.next_step())
        return with_map(action, chart.drawn()) if game == "textmapworld_graphreasoning" else action

    return reply


def breaker(messages: Sequence[Mapping[str, str]]) -> str:
    """Ignores the form that was asked for."""
    return "Let us have a look around first."
