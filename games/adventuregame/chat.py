"""What can be learnt from the chat: the house as far as it was seen, read from the texts of texts.py."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_ROOM = re.compile(r"This is the ([^.]+)\.")
_SEEN = re.compile(r"You see ([^.]+)\.")
_EXITS = re.compile(r"From here you can go to ([^.]+)\.")
_STATE = re.compile(r"The ([^.]+?) is (?:(in|on) the )?([a-z ]+)\.")
_OPENED = re.compile(
    r"(?:You open the|The) ([a-z' ]+?)(?: is now open)?\. (?:Inside you find ([^.]+)|There is nothing inside)\."
)
_PUT = re.compile(r"You (?:put|set) the ([a-z' ]+?)(?: down)? (?:on|in|into) the ([a-z' ]+)\.")
_CARRIED = re.compile(r"You are carrying ([^.]+)\.")
_CHANGED = re.compile(r"The ([a-z' ]+) is now ([a-z_]+)\.")
_GOAL = re.compile(r"the ([a-z ]+?) (in|on) the ([a-z ]+?)(?=,| and the |\.)")
_STATE_GOAL = re.compile(r"the ([a-z]+) ([a-z]+)(?=,| and the |\.)")
_ARTICLE = re.compile(r"^(?:an?|the) ")


def names(phrase: str) -> list[str]:
    """The names in a list such as `a cup, a jar and a spoon`."""
    return [_ARTICLE.sub("", part) for part in re.split(r", | and (?=an? |the )", phrase)]


@dataclass
class Knowledge:
    """What an adventurer knows.

    Attributes:
        here: The room it is in.
        rooms: Room it has been in -> the ways out.
        place: Thing -> its room.
        states: Thing -> its states; `open` and `closed` are among them.
        there: Pairs of a thing and what it is in or on.
        carried: What it has.
        tried: Commands without any effect; those on a thing are forgotten when it changes.
        worked: Commands that changed a state.
        results: Verb -> the state that it leads to.
        verbs: What is to be done -> the verb that did it last.
    """

    here: str = ""
    rooms: dict[str, list[str]] = field(default_factory=dict)
    place: dict[str, str] = field(default_factory=dict)
    states: dict[str, set[str]] = field(default_factory=dict)
    there: set[tuple[str, str]] = field(default_factory=set)
    carried: list[str] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    worked: set[str] = field(default_factory=set)
    results: dict[str, str] = field(default_factory=dict)
    verbs: dict[str, str] = field(default_factory=dict)

    def hear(self, command: str, text: str) -> None:
        """Learns from what a command led to; the first text belongs to none."""
        verb = command.partition(" ")[0]
        if room := _ROOM.search(text):
            self._enter(room[1], text[room.start() :])
        elif opened := _OPENED.match(text):
            self.verbs["open"] = verb
            self._found(opened[1], opened[2])
        elif have := _CARRIED.search(text):
            self.verbs["take"] = verb
            self.carried = names(have[1])
            self.there = {pair for pair in self.there if pair[0] not in self.carried}
        elif put := _PUT.match(text):
            self.verbs["put"] = verb
            self.carried = [thing for thing in self.carried if thing != put[1]]
            self.place[put[1]] = self.here
            self.there.add((put[1], put[2]))
        elif changed := _CHANGED.match(text):
            self.states.setdefault(changed[1], set()).add(changed[2])
            self.results[verb] = changed[2]
            self.tried = {other for other in self.tried if not other.endswith(f" {changed[1]}")}
            self.worked.add(command)
        else:
            self.tried.add(command)

    def _enter(self, name: str, text: str) -> None:
        self.here = name
        exits = _EXITS.search(text)
        self.rooms[name] = names(exits[1]) if exits else []
        if seen := _SEEN.search(text):
            for thing in names(seen[1]):
                self.place[thing] = name
                self.states.setdefault(thing, set()).discard("closed")
        for thing, relation, rest in _STATE.findall(text):
            if relation:
                self.there.add((thing, rest))
            else:
                self.states.setdefault(thing, set()).add(rest)

    def _found(self, holder: str, inside: str | None) -> None:
        self.states.setdefault(holder, set()).discard("closed")
        for thing in names(inside) if inside else []:
            self.place[thing] = self.here
            self.there.add((thing, holder))

    def way(self, targets: set[str]) -> list[str]:
        """The rooms to go through to the nearest of some rooms; empty if there is no way."""
        came = {self.here: ""}
        queue = deque([self.here])
        while queue:
            room = queue.popleft()
            if room in targets:
                path = []
                while came[room]:
                    path.append(room)
                    room = came[room]
                return path[::-1]
            for near in self.rooms.get(room, ()):
                if near not in came:
                    came[near] = room
                    queue.append(near)
        return []

    @property
    def unseen(self) -> set[str]:
        """Rooms that exits lead to and that were not entered yet."""
        return {near for exits in self.rooms.values() for near in exits} - self.rooms.keys()


def task(text: str) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """What is wanted: thing -> preposition and receptacle, or thing -> state."""
    wanted = {thing: (relation, target) for thing, relation, target in _GOAL.findall(text)}
    return (wanted, {}) if wanted else ({}, dict(_STATE_GOAL.findall(text)))


def learn(messages: Sequence[Mapping[str, str]]) -> Knowledge:
    """All that a chat tells."""
    known = Knowledge()
    known.hear("", messages[0]["content"])
    for said, heard in zip(messages[1::2], messages[2::2], strict=False):
        known.hear(said["content"].partition("\n")[0].removeprefix("> "), heard["content"])
    return known
