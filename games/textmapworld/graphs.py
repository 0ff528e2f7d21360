"""The maps that an explorer writes down: reading them, and how near they come to the truth."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from .distance import Graph, edit_distance
from .world import DIRECTIONS, OPPOSITE, Step, World, as_set

LONGEST = 10_000
DEEPEST = 12
"""Characters and nested brackets of a reply with a map; more is refused, as parsers slow down or fail on it."""


class Passage(NamedTuple):
    """Going in a direction leads from one room to another; north and east only, the others are turned round."""

    origin: str
    direction: str
    room: str


class Sketch(NamedTuple):
    """A map as the explorer wrote it down, names in lower case."""

    rooms: frozenset[str]
    passages: frozenset[Passage]


def read_literal(text: str) -> Any:
    """The value of a Python literal.

    Raises:
        ValueError: It is none, or beyond the bounds.
    """
    _check_bounds(text)
    try:
        with warnings.catch_warnings():  # such as those about unknown escapes
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"no literal ({type(error).__name__})") from None


def read_object(text: str) -> Any:
    """The value of JSON, or of a Python literal, where a tuple may stand for a list.

    Raises:
        ValueError: It is neither, or beyond the bounds.
    """
    _check_bounds(text)
    try:
        return json.loads(text)
    except ValueError:
        return read_literal(text)


def _check_bounds(text: str) -> None:
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    depth = 0
    for bracket in re.findall(r"[\[\](){}]", text):
        depth += 1 if bracket in "[({" else -1
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} nested brackets")


def read_sketch(graph: Any) -> Sketch:
    """The map in {"nodes": [room, ...], "edges": {direction: [[from, to], ...], ...}}.

    Raises:
        ValueError: It has another shape.
    """
    if not isinstance(graph, dict) or not isinstance(graph.get("edges"), dict):
        raise ValueError("the graph is no object with nodes and edges")
    rooms = frozenset(_name(node) for node in _items(graph.get("nodes")))
    passages = set()
    for direction, pairs in graph["edges"].items():
        towards = direction.lower() if isinstance(direction, str) else direction
        if towards not in DIRECTIONS:
            raise ValueError("the edges have a key that is no direction")
        for pair in _items(pairs):
            origin, room = _pair(pair)
            passages.add(_passage(origin, towards, room))
    return Sketch(rooms, frozenset(passages))


def _items(value: Any) -> Iterator[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError("the graph has something else where a list belongs")
    return iter(value)


def _pair(value: Any) -> tuple[str, str]:
    ends = [_name(end) for end in _items(value)]
    if len(ends) != 2:
        raise ValueError("an edge is no pair of rooms")
    return ends[0], ends[1]


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a room is no string")
    return " ".join(value.lower().split())


def _passage(origin: str, direction: str, room: str) -> Passage:
    if direction in ("north", "east"):
        return Passage(origin, direction, room)
    return Passage(room, OPPOSITE[direction], origin)


def mistakes(sketch: Sketch, world: World, steps: list[Step]) -> int:
    """Rooms and passages that a map lacks or wrongly has after some steps.

    It must have the rooms visited and the passages walked. It may have other passages between these rooms.
    """
    names = [_name(name) for name in world.names]
    moves = [(step.origin, step.direction, step.room) for step in steps if step.room is not None]
    visited = as_set([world.start, *(room for _, _, room in moves)])
    rooms = {name for room, name in enumerate(names) if visited >> room & 1}
    walked = {_passage(names[origin], direction, names[room]) for origin, direction, room in moves}
    between = {
        _passage(names[origin], direction, names[room])
        for origin, exits in enumerate(world.exits)
        for direction, room in exits.items()
        if visited >> origin & visited >> room & 1
    }
    return len(sketch.rooms ^ rooms) + len(walked - sketch.passages) + len(sketch.passages - between)


def structure(graph: Any) -> Graph:
    """A map as clembench compares it: which room is next to which, whatever the direction.

    Raises:
        AttributeError, KeyError, IndexError, TypeError: It has another shape.
    """
    pairs = [(pair[0].lower(), pair[1].lower()) for pairs in graph["edges"].values() for pair in pairs]
    nodes = [node.lower() for node in graph["nodes"]]
    numbers = {name: number for number, name in enumerate(dict.fromkeys([*nodes, *(end for p in pairs for end in p)]))}
    return Graph(len(numbers), [(numbers[a], numbers[b]) for a, b in pairs])


def clembench_similarity(graph: Any, world: World) -> float:
    """Likeness to the whole map, 0 for a map of another shape."""
    try:
        given = structure(graph)
    except (AttributeError, KeyError, IndexError, TypeError):
        return 0.0
    edges = [(origin, room) for origin, exits in enumerate(world.exits) for room in exits.values()]
    return similarity(edit_distance(Graph(len(world.names), edges), given))


def similarity(distance: int) -> float:
    """100 for a distance of 0, and half of it or so for every further unit and a half."""
    return 100 * (1 - (2 / (1 + math.exp(-distance / 2)) - 1))
