"""What happens by itself after a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random

from .domain import Event
from .logic import Expression, Fact, apply, holds
from .world import World

_ROUNDS = 20
"""Events that set each other off for ever are cut off here."""

Fill = Callable[[str, Mapping[str, str]], str]
"""A text of an event and its binding -> what the player is told."""


def happen(world: World, random: Random, fill: Fill) -> tuple[list[str], tuple[Fact, ...]]:
    """Lets events happen, one after the other and again, until none can.

    Returns:
        What the player is told, and the facts that became untrue.
    """
    told: list[str] = []
    removed: list[Fact] = []
    for _ in range(_ROUNDS):
        before = len(told)
        for event in world.domain.events:
            for binding in list(_bindings(event, world)):
                if not holds(event.condition, binding, world.facts):
                    continue  # what an earlier one changed
                if event.random_room:
                    constant, never = event.random_room
                    binding[constant] = random.choice([room for room in world.rooms if room not in never])
                removed += apply(event.effect, binding, world.facts, world.instances)
                told.append(fill(event.text, binding))
        if len(told) == before:
            break
    return told, tuple(removed)


def _bindings(event: Event, world: World) -> Iterator[dict[str, str]]:
    """All ways to fill in the variables of an event so that its condition holds."""
    conjuncts = event.condition[1:] if event.condition[0] == "and" else (event.condition,)
    patterns = [part for part in conjuncts if part[0] not in ("and", "or", "not")]
    start = {variable: world.player for variable, kind in event.parameters.items() if kind == "player"}
    for binding in _match(patterns, start, world):
        for full in _enumerate(
            [variable for variable in event.parameters if variable not in binding], binding, event, world
        ):
            fits = all(world.is_a(full[variable], kind) for variable, kind in event.parameters.items())
            if fits and holds(event.condition, full, world.facts):
                yield full


def _match(patterns: list[Expression], binding: dict[str, str], world: World) -> Iterator[dict[str, str]]:
    """Bindings under which all patterns are facts; what is bound most is looked up first."""
    if not patterns:
        yield binding
        return
    free = [sum(term[0] == "?" and term not in binding for term in pattern[1:]) for pattern in patterns]
    chosen = free.index(min(free))
    rest = patterns[:chosen] + patterns[chosen + 1 :]
    for fact in world.facts.matching(patterns[chosen], binding):
        extended = dict(binding)
        pairs = zip(patterns[chosen][1:], fact[1:], strict=True)
        if all(extended.setdefault(term, value) == value if term[0] == "?" else term == value for term, value in pairs):
            yield from _match(rest, extended, world)


def _enumerate(variables: list[str], binding: dict[str, str], event: Event, world: World) -> Iterator[dict[str, str]]:
    if not variables:
        yield dict(binding)
        return
    for thing in world.instances(event.parameters[variables[0]]):
        yield from _enumerate(variables[1:], {**binding, variables[0]: thing}, event, world)
