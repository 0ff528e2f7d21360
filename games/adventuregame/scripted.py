"""Scripted adventurers. They know what the chat has told, and nothing of what they have not seen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from playpen_eval.game import ScriptedPlayer, View

from .chat import Knowledge, learn, task
from .replies import PLAN

_GOAL = re.compile(r"[Gg]oal for this game is:? *([^\n]*)")
_NEW_VERBS = re.compile(r"In addition to common actions, you can ([a-z, ]+)\.")
_PLANNED = 3
_TWO = re.compile(r"\btwo (?:objects|things)\b")


def replies(commands: Sequence[str], variant: str) -> list[str]:
    """Commands as replies; in the planning variant the next ones are the plan."""
    return [_reply(commands[place:], variant) for place in range(len(commands))]


def _reply(commands: Sequence[str], variant: str) -> str:
    first, *rest = commands
    if variant != "plan" or first == "done":
        return f"> {first}"
    return f"> {first}\n{PLAN} {', '.join(rest[:_PLANNED] or ['done'])}"


def breaker(_view: View) -> ScriptedPlayer:
    """Talks instead of giving a command."""
    return lambda messages: "Let me think about where all of this could be."


def adventurer(view: View) -> ScriptedPlayer:
    """Takes and delivers what it knows of, whatever is nearest first, and else looks where it has not looked."""

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        first = messages[0]["content"]
        goal = _GOAL.search(first)
        wanted, states = task(view.get("task") or (goal[1] if goal else ""))
        new = _NEW_VERBS.search(first)
        verbs = re.split(r", | and ", new[1]) if new else []
        limit = view.get("limit") or (2 if _TWO.search(first) else None)
        known = learn(messages)
        if states:
            return _reply(_change(known, states, verbs), view["variant"])
        return _reply(_Courier(known, wanted, verbs, limit).commands(), view["variant"])

    return reply


class _Courier:
    """One decision on what to do next to deliver things."""

    def __init__(
        self, known: Knowledge, wanted: Mapping[str, tuple[str, str]], verbs: Sequence[str], limit: int | None
    ):
        self._known = known
        self._verbs = verbs
        self._missing = {thing: target for thing, target in wanted.items() if (thing, target[1]) not in known.there}
        self._loads = [thing for thing in self._missing if thing in known.carried]
        self._full = limit is not None and len(known.carried) >= limit
        hidden = [thing for thing in self._missing if thing not in known.carried and thing not in known.place]
        lost = [thing for thing in self._loads if self._missing[thing][1] not in known.place]
        self._search = bool(hidden)
        self._explore = bool(hidden or lost)

    def commands(self) -> list[str]:
        """The next command and what is to follow."""
        if not self._missing:
            return ["done"]
        return self._here() or self._travel() or ["done"]

    def _here(self) -> list[str]:
        known = self._known
        for thing in self._loads:
            relation, target = self._missing[thing]
            if known.place.get(target) == known.here:
                opening = [f"open {target}"] if "closed" in known.states.get(target, ()) else []
                return self._worded([*opening, f"put {thing} {relation} {target}"])
        for thing in self._missing:
            if not self._full and self._can_take(thing) and known.place[thing] == known.here:
                return self._worded([f"take {thing}"])
        if self._search:
            for thing in self._closed(known.here):
                return self._worded([f"open {thing}"])
        return []

    def _can_take(self, thing: str) -> bool:
        known = self._known
        failed = all(f"{verb} {thing}" in known.tried for verb in ("take", *self._verbs))
        return thing in known.place and thing not in known.carried and not failed

    def _closed(self, room: str) -> list[str]:
        known = self._known
        return [
            thing for thing, place in known.place.items() if place == room and "closed" in known.states.get(thing, ())
        ]

    def _travel(self) -> list[str]:
        known = self._known
        goals = {known.place.get(self._missing[thing][1], "") for thing in self._loads}
        if not self._full:
            goals |= {known.place[thing] for thing in self._missing if self._can_take(thing)}
        if self._search:
            goals |= {room for room in known.rooms if self._closed(room)}
        if self._explore:
            goals |= known.unseen
        return [f"go {room}" for room in known.way(goals - {"", known.here})]

    def _worded(self, commands: list[str]) -> list[str]:
        """The commands with the verbs that work; where they are not known yet, one that was not tried."""
        known = self._known
        worded = []
        for command in commands:
            action, _, rest = command.partition(" ")
            verb = known.verbs.get(action)
            if verb is None:
                taken = set(known.verbs.values())
                tries = [verb for verb in (action, *self._verbs) if verb not in taken]
                verb = next((verb for verb in tries if f"{verb} {rest}" not in known.tried), action)
            worded.append(f"{verb} {rest}")
        return worded


def _change(known: Knowledge, wanted: Mapping[str, str], verbs: Sequence[str]) -> list[str]:
    """Brings things into states by trying the verbs that nobody knows."""
    missing = [thing for thing, state in wanted.items() if state not in known.states.get(thing, ())]
    if not missing:
        return ["done"]
    stuck = set()
    for thing in missing:
        if known.place.get(thing) == known.here:
            done = known.tried | known.worked
            open_ = [verb for verb in verbs if f"{verb} {thing}" not in done]
            # What leads to the state that is wanted comes first, then what nobody knows yet.
            open_.sort(
                key=lambda verb: (known.results.get(verb, wanted[thing]) != wanted[thing], verb in known.results)
            )
            if open_:
                return [f"{verb} {thing}" for verb in open_]
            stuck.add(known.here)
    rooms = {known.place[thing] for thing in missing if thing in known.place}
    return [f"go {room}" for room in known.way((rooms or known.unseen) - stuck)] or ["done"]
