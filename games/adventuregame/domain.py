"""A domain: what kinds of rooms and things there are and what can be done with them, compiled from definitions."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .forms import Form
from .logic import Expression, leaves, parse

HIDDEN = frozenset({"player", "inventory", "floor"})


@dataclass(frozen=True)
class Failure:
    """What is said, and counted, when something cannot be done."""

    text: str
    kind: str


@dataclass(frozen=True)
class Need:
    """A condition of an action; `failures` belong to its leaves in order, the last one to all further leaves."""

    condition: Expression
    failures: tuple[tuple[Expression, Failure], ...]


@dataclass(frozen=True)
class Parameter:
    """A variable of an action: its type, where its value comes from, and what is said if the type is wrong."""

    kind: str
    sources: tuple[str, ...]
    failure: Failure


@dataclass(frozen=True)
class Action:
    """Something that the player can do."""

    name: str
    verbs: tuple[str, ...]
    form: Form
    parameters: Mapping[str, Parameter]
    needs: tuple[Need, ...]
    effect: Expression
    success: str
    epistemic: bool
    pragmatic: bool


@dataclass(frozen=True)
class Event:
    """Something that happens by itself as soon as its condition holds."""

    name: str
    parameters: Mapping[str, str]
    condition: Expression
    effect: Expression
    text: str
    random_room: tuple[str, tuple[str, ...]] | None = None
    """The constant that stands for a random room, and rooms that it is not."""


@dataclass(frozen=True)
class Domain:
    """Everything that does not change while one plays.

    Attributes:
        rooms: Type -> name.
        things: Type -> name.
        kinds: Type -> all more general types and traits of it, itself included.
        types: Name -> type.
        long_names: Finds the names of several words.
        adjectives: Words that may stand before the name of a thing, and mean nothing.
        hidden: Types of things that are never listed.
        counts: Whether it matters how many things are carried.
        states: Predicates that tell the state of a thing.
        actions: In the order of their definition.
        by_verb: Verb -> actions.
        events: In the order of their definition.
    """

    rooms: Mapping[str, str]
    things: Mapping[str, str]
    kinds: Mapping[str, frozenset[str]]
    types: Mapping[str, str]
    long_names: re.Pattern[str]
    adjectives: frozenset[str]
    hidden: frozenset[str]
    counts: bool
    states: tuple[str, ...]
    actions: tuple[Action, ...]
    by_verb: Mapping[str, tuple[Action, ...]] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def name(self, kind: str) -> str:
        """What a type of room or thing is called."""
        return self.rooms.get(kind) or self.things.get(kind, kind)


def definitions(name: str) -> dict[str, Any]:
    """Definitions of ours, from the files of this folder."""
    return json.loads(_FILES[name])


_FILES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent / "definitions").glob("*.json"))
}


def domain_of(source: str | Mapping[str, Any], limit: int | None = None, words: int = 2) -> Domain:
    """The domain of an instance.

    Args:
        source: The name of definitions of ours, or definitions.
        limit: How many things can be carried; None for any number. Only our definitions know it.
        words: How many words the name of a thing may have.
    """
    return _compiled(source if isinstance(source, str) else json.dumps(source), limit, words)


@functools.lru_cache(maxsize=64)
def _compiled(source: str, limit: int | None, words: int) -> Domain:
    data = json.loads(source) if source.startswith("{") else definitions(source)
    things, rooms = data["things"], data["rooms"]
    kinds = {kind: {kind, "room"} for kind in rooms}
    kinds |= {kind: {kind, "entity", *thing["traits"]} for kind, thing in things.items()}
    for general, members in data.get("kinds", {}).items():
        for kind in members:
            kinds.setdefault(kind, {kind}).add(general)
    names = {thing["name"]: kind for kind, thing in things.items() if thing["name"]} | {
        name: kind for kind, name in rooms.items()
    }
    adjectives = frozenset(word for thing in things.values() for word in thing.get("adjectives", ()))
    skipped = ("limited",) if limit is None else ("unlimited",)
    actions = tuple(
        _action(action, limit, adjectives, words) for action in data["actions"] if action.get("if") not in skipped
    )
    by_verb: dict[str, tuple[Action, ...]] = {}
    for action in actions:
        for verb in action.verbs:
            by_verb[verb] = (*by_verb.get(verb, ()), action)
    return Domain(
        rooms=rooms,
        things={kind: thing["name"] for kind, thing in things.items()},
        kinds={kind: frozenset(general) for kind, general in kinds.items()},
        types=names,
        long_names=_any_of(name for name in names if " " in name),
        adjectives=adjectives,
        hidden=HIDDEN | {kind for kind, thing in things.items() if thing.get("hidden")},
        counts=any("itemcount" in str(need.condition) for action in actions for need in action.needs),
        states=tuple(data.get("states", ("open", "closed"))),
        actions=actions,
        by_verb=by_verb,
        events=tuple(_event(event) for event in data.get("events", ())),
    )


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first)) or '(?!)'})\b")


def _action(data: Mapping[str, Any], limit: int | None, adjectives: frozenset[str], words: int) -> Action:
    needs = []
    for condition, *failures in data["needs"]:
        if limit is None and "LIMIT" in condition:
            continue
        parts = list(leaves(compiled := parse(condition.replace("LIMIT", str(limit)))))
        said = [Failure(*failure) for failure in failures]
        said += said[-1:] * (len(parts) - len(said))
        needs.append(Need(compiled, tuple(zip(parts, said, strict=False))))
    return Action(
        name=data["name"],
        verbs=tuple(data["verbs"]),
        form=Form(data["form"], adjectives, words),
        parameters={
            variable: Parameter(kind, tuple(sources), Failure(*failure))
            for variable, (kind, sources, *failure) in data["parameters"].items()
        },
        needs=tuple(needs),
        effect=parse(data["effect"]),
        success=data["success"],
        epistemic=data["epistemic"],
        pragmatic=data["pragmatic"],
    )


def _event(data: Mapping[str, Any]) -> Event:
    random_room = data.get("random_room")
    return Event(
        name=data["name"],
        parameters=data["parameters"],
        condition=parse(data["condition"]),
        effect=parse(data["effect"]),
        text=data["text"],
        random_room=(random_room[0], tuple(random_room[1])) if random_room else None,
    )
