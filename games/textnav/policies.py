"""Behaviour policies: what offline methods learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from .prose import LIMIT
from .world import House, greedy, parse

GREEDY = (frozenset({"workshop", "washroom", "orchard", "yard"}), frozenset({"study", "hall", "saloon", "larder"}))
"""The rooms in which each of the two policies of the data is greedy; elsewhere it is random."""
FIRST = 0.75
"""Share of the first of the two."""


def _play(instance: Mapping[str, Any], choose: Callable[[House, list[str]], str]) -> list[str]:
    house, said = House(instance["start"]), []
    while len(said) < LIMIT and not (house.done or house.lost):
        said.append(choose(house, house.commands()))
        command = parse(said[-1])
        assert command is not None
        house.act(command)
    return said


def mix(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """The data: greedy in one half of the rooms and random in the other; neither half alone leads to the goal."""
    rooms = GREEDY[rng.random() >= FIRST]
    return _play(instance, lambda house, cs: greedy(house.room, cs) if house.room in rooms else rng.choice(cs))


def uniform(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """Any of the possible commands."""
    return _play(instance, lambda house, commands: rng.choice(commands))


def best(instance: Mapping[str, Any], rng: Random) -> list[str]:
    """A shortest solution."""
    return _play(instance, lambda house, commands: greedy(house.room, commands))


POLICIES = {"mix": mix, "random": uniform, "best": best}
