"""What is told of a place, in wordings that the instance chooses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from playpen_eval.game import read_texts

from .world import CONTAINERS, DIRECTIONS, EXITS, HELD, ROOMS, SHELVES, House

LIMIT = 15
"""Turns of an episode."""

PROMPTS = read_texts(__file__)
TASK = PROMPTS["task"].format(limit=LIMIT)
LISTED = "Admissible commands: "

_LINES = [line.partition(": ") for line in PROMPTS["rooms"].splitlines()]
_SENTENCES = {room: [sentence for name, _, sentence in _LINES if name == room] for room in ROOMS}
_THINGS, _EXITS = PROMPTS["things"].splitlines(), PROMPTS["exits"].splitlines()
_ROOM_OF_EXITS = {frozenset(f"go {way}" for way in exits): room for room, exits in EXITS.items()}


def draw(rng: Random) -> list[int]:
    """A wording: the sentence of every room, how things are told, how exits are."""
    return [rng.randrange(len(texts)) for texts in (*_SENTENCES.values(), _THINGS, _EXITS)]


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "nothing"


def show(house: House, wording: Sequence[int], full: bool) -> str:
    """What is seen in a room.

    Args:
        house: The state.
        wording: Of the instance.
        full: Whether the room is named and what one has is told.
    """
    *sentences, things, exits = wording
    room = house.room
    parts = [_SENTENCES[room][sentences[ROOMS.index(room)]]] if full else []
    if shelf := SHELVES.get(room):
        parts.append(_THINGS[things].format(place=shelf, things=_list(house.things(shelf))))
    if box := CONTAINERS.get(room):
        inside = _THINGS[things].format(place=f"open {box}", things=_list(house.things(box)))
        parts.append(inside if box in house.opened else f"The {box} is closed.")
    if floor := house.things(room):
        parts.append(f"On the floor: {_list(floor)}.")
    parts.append(_EXITS[exits].format(ways=_list([way for way in DIRECTIONS if way in EXITS[room]])))
    have = f"You have: {_list(house.things(HELD))}.\n" if full else ""
    return f"{' '.join(parts)}\n{have}{LISTED}{', '.join(house.commands())}"


def read(text: str) -> tuple[str, list[str]]:
    """The room of a message, which its exits tell, and the commands that are listed."""
    commands = text.rpartition(LISTED)[2].split(", ")
    return _ROOM_OF_EXITS[frozenset(command for command in commands if command.startswith("go "))], commands


_AROUND = re.compile(r"^[\s\"'`*>]+|[\s\"'`*.!]+$")


def tidy(reply: str) -> str:
    """A reply in lower case and without what does not matter; nothing of one that is too long for a command."""
    return " ".join(_AROUND.sub("", reply).lower().split()) if len(reply) <= 100 else ""
