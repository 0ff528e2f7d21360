"""Draws houses, and tasks in them that take a known number of turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from playpen_eval.game import Instance

from .domain import definitions
from .planner import Errand, Holder, House, shortest

SOURCE = "own_house"
EXPERIMENTS = tuple(
    f"home_deliver_three_{variant}_{difficulty}{limit}"
    for difficulty in ("easy", "hard")
    for limit in ("", "_invlimittwo")
    for variant in ("basic", "planning")
)
MAX_TURNS = 50
_TURNS = {"easy": range(10, 16), "hard": range(16, 20)}
_HOUSE = definitions(SOURCE)
_ROOMS: Mapping[str, str] = _HOUSE["rooms"]


def _kinds(trait: str) -> dict[str, Mapping[str, Any]]:
    return {kind: thing for kind, thing in _HOUSE["things"].items() if trait in thing["traits"] and "rooms" in thing}


_FURNITURE, _PORTABLE = _kinds("receptacle"), _kinds("takeable")


@dataclass
class _Plan:
    """A house while it is being drawn; rooms by their type, things by theirs."""

    exits: dict[str, list[str]]
    furniture: dict[str, str]
    """Furniture -> room."""
    things: dict[str, str]
    """Portable thing -> furniture, or the room on whose floor it lies."""
    open: set[str] = field(default_factory=set)

    def room_of(self, thing: str) -> str:
        holder = self.things[thing]
        return self.furniture.get(holder, holder)


def draw(experiment: str, rng: Random) -> Instance:
    """An instance: a house, three things to bring somewhere, and a shortest solution."""
    _, _, _, variant, difficulty, *limited = experiment.split("_")
    limit = 2 if limited else None
    turns = rng.choice(_TURNS[difficulty])
    while True:
        plan = _house(rng)
        goals = _goals(plan, difficulty, rng)
        here = rng.choice(list(plan.exits))
        commands = shortest(_model(plan, goals, here, limit), turns) if goals else None
        if commands and len(commands) == turns:
            return {
                "variant": "plan" if variant == "planning" else "basic",
                "limit": limit,
                "task": _task(goals),
                "max_turns": MAX_TURNS,
                "optimal_turns": len(commands),
                "optimal_commands": commands,
                "domain": SOURCE,
                "facts": _facts(plan, here),
                "goals": [f"{_relation(target)}({thing}1,{target}1)" for thing, target in goals.items()],
            }


def _house(rng: Random) -> _Plan:
    rooms = rng.sample(list(_ROOMS), 6)
    exits: dict[str, list[str]] = {rooms[0]: []}
    for room in rooms[1:]:
        _connect(exits, rng.choice([other for other in exits if len(exits[other]) < 4]), room)
    for _ in range(rng.randint(0, 2)):
        one, other = rng.sample(rooms, 2)
        if other not in exits[one]:
            _connect(exits, one, other)
    furniture: dict[str, str] = {}
    for room in rooms:
        fitting = [kind for kind, thing in _FURNITURE.items() if room in thing["rooms"] and kind not in furniture]
        furniture |= dict.fromkeys(rng.sample(fitting, min(len(fitting), rng.randint(1, 3))), room)
    plan = _Plan(exits, furniture, {})
    containers = [kind for kind in furniture if _relation(kind) == "in"]
    plan.open = {kind for kind in containers if rng.random() < 0.2}
    fitting = [kind for kind, thing in _PORTABLE.items() if set(thing["rooms"]) & set(rooms)]
    for kind in rng.sample(fitting, min(len(fitting), rng.randint(9, 12))):
        room = rng.choice([room for room in rooms if room in _PORTABLE[kind]["rooms"]])
        holders = [holder for holder, place in furniture.items() if place == room]
        plan.things[kind] = room if rng.random() < 0.15 else rng.choice(holders)
    return plan


def _connect(exits: dict[str, list[str]], one: str, other: str) -> None:
    exits.setdefault(one, []).append(other)
    exits.setdefault(other, []).append(one)


def _goals(plan: _Plan, difficulty: str, rng: Random) -> dict[str, str]:
    """Thing -> furniture in another room; one and the same if easy, three different ones if hard. None if unlucky."""
    targets = rng.sample(list(plan.furniture), 3)
    if difficulty == "easy":
        targets = targets[:1] * 3
    goals: dict[str, str] = {}
    for target in targets:
        away = [kind for kind in plan.things if plan.room_of(kind) != plan.furniture[target] and kind not in goals]
        if not away:
            return {}
        goals[rng.choice(away)] = target
    return goals


def _relation(furniture: str) -> str:
    return "in" if "container" in _FURNITURE[furniture]["traits"] else "on"


def _name(kind: str) -> str:
    return _HOUSE["things"][kind]["name"]


def _task(goals: Mapping[str, str]) -> str:
    parts = [f"the {_name(thing)} {_relation(target)} the {_name(target)}" for thing, target in goals.items()]
    return f"Put {', '.join(parts[:-1])} and {parts[-1]}."


def _model(plan: _Plan, goals: Mapping[str, str], here: str, limit: int | None) -> House:
    rooms = list(plan.exits)
    closed = [kind for kind in plan.furniture if _relation(kind) == "in" and kind not in plan.open]
    bits = {kind: 1 << index for index, kind in enumerate(closed)}

    def holder(kind: str) -> Holder:
        if kind in plan.exits:
            return Holder("floor", rooms.index(kind))
        return Holder(_name(kind), rooms.index(plan.furniture[kind]), _relation(kind) == "in", bits.get(kind, 0))

    return House(
        rooms=[_ROOMS[room] for room in rooms],
        exits={index: [rooms.index(near) for near in plan.exits[room]] for index, room in enumerate(rooms)},
        here=rooms.index(here),
        errands=[Errand(_name(thing), holder(plan.things[thing]), holder(target)) for thing, target in goals.items()],
        limit=limit,
    )


def _facts(plan: _Plan, here: str) -> list[str]:
    """The house as facts; traits follow from the types."""
    facts = ["type(player1,player)", f"at(player1,{here}1)"]
    for room, exits in plan.exits.items():
        facts += [f"room({room}1,{room})", f"type({room}1floor,floor)", f"at({room}1floor,{room}1)"]
        facts += [f"exit({room}1,{near}1)" for near in exits]
    for kind, room in plan.furniture.items():
        facts += [f"type({kind}1,{kind})", f"at({kind}1,{room}1)"]
        if _relation(kind) == "in":
            facts.append(f"{'open' if kind in plan.open else 'closed'}({kind}1)")
    for kind, holder in plan.things.items():
        facts += [f"type({kind}1,{kind})", f"at({kind}1,{plan.room_of(kind)}1)"]
        facts.append(
            f"on({kind}1,{holder}1floor)" if holder in plan.exits else f"{_relation(holder)}({kind}1,{holder}1)"
        )
    return facts
