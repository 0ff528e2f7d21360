"""The house, and what commands do in it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

EXITS: Mapping[str, Mapping[str, str]] = {
    "study": {"north": "washroom", "east": "hall"},
    "hall": {"north": "workshop", "east": "saloon", "west": "study"},
    "saloon": {"east": "larder", "west": "hall"},
    "larder": {"east": "yard", "south": "orchard", "west": "saloon"},
    "orchard": {"north": "larder"},
    "yard": {"west": "larder"},
    "workshop": {"south": "hall", "west": "washroom"},
    "washroom": {"east": "workshop", "south": "study"},
}
"""Room -> direction -> room: the ways of the paper's house, turned round. No two rooms have the same exits."""

ROOMS = tuple(EXITS)
DIRECTIONS = ("north", "east", "south", "west")
SHELVES = {"study": "shelf", "hall": "bench", "saloon": "sideboard"}
"""Room -> what things stand on there."""
CONTAINERS = {"workshop": "crate", "larder": "cooler"}
"""Room -> what is closed there at first."""
THINGS = {
    "vase": "shelf",
    "stale bun": "bench",
    "fresh bun": "bench",
    "jug": "sideboard",
    "tray": "sideboard",
    "chisel": "crate",
    "pear": "cooler",
}
"""Thing -> where it is at first."""
FOOD = ("stale bun", "fresh bun", "pear")
TARGET, PLACE = "stale bun", "cooler"
HELD = "you"
VERBS = frozenset(["go", "open", "close", "take", "drop", "put", "insert", "eat", "examine", "look", "inventory"])
"""How a command begins; the last three, which players of such games know, are never possible."""

_ROOM_OF = {name: room for places in (SHELVES, CONTAINERS) for room, name in places.items()}
_ANY = {
    "way": "|".join(DIRECTIONS),
    "thing": "|".join(THINGS),
    "shelf": "|".join(SHELVES.values()),
    "box": "|".join(CONTAINERS.values()),
}
_COMMANDS = re.compile(
    "|".join(
        [
            r"go (?P<go>{way})",
            r"open (?P<open>{box})",
            r"close (?P<close>{box})",
            r"take (?P<take>{thing})(?: from (?P<origin>{shelf}|{box}))?",
            r"drop (?P<drop>{thing})",
            r"put (?P<put>{thing}) on (?P<onto>{shelf})",
            r"insert (?P<insert>{thing}) into (?P<into>{box})",
            r"eat (?P<eat>{thing})",
        ]
    ).format(**_ANY)
)


class Command(NamedTuple):
    """What is to be done: a verb, its object, and a second one where the verb has two."""

    verb: str
    thing: str
    place: str = ""

    def __str__(self) -> str:
        between = {"take": " from ", "put": " on ", "insert": " into "}.get(self.verb, "")
        return f"{self.verb} {self.thing}{between}{self.place}" if self.place else f"{self.verb} {self.thing}"


def parse(text: str) -> Command | None:
    """The command that a text is, in the words of the house; None for any other text."""
    found = _COMMANDS.fullmatch(text)
    if found is None:
        return None
    verb = next(name for name in ("go", "open", "close", "take", "drop", "put", "insert", "eat") if found[name])
    return Command(verb, found[verb], found["origin"] or found["onto"] or found["into"] or "")


class House:
    """The state of the house.

    Attributes:
        room: Where the player is.
        places: Thing -> shelf, container, room (on its floor) or `HELD`; what is eaten is nowhere.
        opened: The containers that are open.
    """

    def __init__(self, room: str):
        self.room = room
        self.places = dict(THINGS)
        self.opened: set[str] = set()

    @property
    def done(self) -> bool:
        """Whether the goal is reached."""
        return self.places.get(TARGET) == PLACE and PLACE not in self.opened

    @property
    def lost(self) -> bool:
        """Whether it cannot be reached any more."""
        return TARGET not in self.places

    def things(self, place: str) -> list[str]:
        """What is at a place, in order."""
        return [thing for thing in THINGS if self.places.get(thing) == place]

    def commands(self) -> list[str]:
        """All that can be done now, in alphabetical order."""
        shelf, box = SHELVES.get(self.room), CONTAINERS.get(self.room)
        opened = box if box in self.opened else None
        found = [f"go {way}" for way in EXITS[self.room]]
        if box:
            found.append(f"{'close' if opened else 'open'} {box}")
        found += [f"take {thing}" for thing in self.things(self.room)]
        found += [f"take {thing} from {place}" for place in (shelf, opened) if place for thing in self.things(place)]
        for thing in self.things(HELD):
            found.append(f"drop {thing}")
            found += [f"put {thing} on {shelf}"] * bool(shelf) + [f"insert {thing} into {opened}"] * bool(opened)
            found += [f"eat {thing}"] * (thing in FOOD)
        return sorted(found)

    def act(self, command: Command) -> bool:
        """Does what is possible, which is what `commands` lists; returns whether it was."""
        verb, thing, place = command
        if str(command) not in self.commands():
            return False
        if verb == "go":
            self.room = EXITS[self.room][thing]
        elif verb == "open":
            self.opened.add(thing)
        elif verb == "close":
            self.opened.remove(thing)
        elif verb == "eat":
            del self.places[thing]
        else:
            self.places[thing] = {"take": HELD, "drop": self.room}.get(verb, place)
        return True


def _ways() -> dict[str, dict[str, str]]:
    """Room -> room -> the first direction of a shortest way."""
    ways: dict[str, dict[str, str]] = {}
    for end in ROOMS:
        todo, seen = deque([end]), {end}
        while todo:
            near = todo.popleft()
            for room, exits in EXITS.items():
                for way, after in exits.items():
                    if after == near and room not in seen:
                        ways.setdefault(room, {})[end] = way
                        seen.add(room)
                        todo.append(room)
    return ways


WAYS = _ways()


def greedy(room: str, commands: list[str]) -> str:
    """The next command of a shortest solution.

    Args:
        room: Where one is.
        commands: What can be done there, which tells the state as far as it matters. Where the bun is neither held nor
            seen nor where it was at first, nothing is known of it, and the first command has to do.
    """
    takes = [command for command in commands if command.startswith(f"take {TARGET}")]
    if f"take {TARGET} from {PLACE}" in takes:
        return f"close {PLACE}"
    if takes:
        return takes[0]
    if f"insert {TARGET} into {PLACE}" in commands:
        return f"insert {TARGET} into {PLACE}"
    end = _ROOM_OF[PLACE] if f"drop {TARGET}" in commands else _ROOM_OF[THINGS[TARGET]]
    if room != end:
        return f"go {WAYS[room][end]}"
    return f"open {PLACE}" if f"open {PLACE}" in commands else commands[0]
