"""Three walks through maps of rooms that share one implementation; README.md tells the rules in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from random import Random
from typing import Any

from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View

from . import clembench, scripted
from .maps import distances, draw_map
from .paths import good_steps
from .rules import ROLE, Rules
from .world import OPPOSITE, World

TURNS = 20


class TextMapWorld(Game):
    """Visit every room of an unknown map in as few steps as possible, and notice when that is done."""

    name = "textmapworld"
    version = 1
    suite = "playpen"
    held_out = True
    roles = (ROLE,)
    experiments = ("small", "medium", "large", "medium_cycle", "large_cycle")
    sizes = {"validation": 4, "test": 12}
    # Only clembench's instances have texts, and only those of the third game a target.
    visible = {ROLE: ("start", "turns", "texts", "target")}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A step for each reply, until DONE or until the replies are used up."""
        rules = (clembench.ClembenchRules if "rules" in instance else Rules)(instance, self.name)
        text = rules.tell("opening")
        for _ in range(instance["turns"]):
            reply = yield Ask(ROLE, text)
            try:
                direction = rules.read(reply)
            except Abort as abort:
                return Outcome.aborted(ROLE, abort.reason, **rules.numbers(stopped=False))
            if direction is None:
                if rules.is_won():
                    return Outcome.success(rules.score(), "the goal is reached", **rules.numbers(stopped=True))
                return Outcome.lose(rules.score(), "stopped before the goal", **rules.numbers(stopped=True))
            text = rules.tell("moved" if rules.walk.go(direction) else "blocked")
        return rules.out_of_turns()

    def max_turns(self, instance: Instance) -> int:
        """The last of them has to be DONE."""
        return instance["turns"]

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A map of the size, with a cycle or two where the experiment says so, and where the walk begins."""
        size, _, cycle = experiment.partition("_")
        rooms = {"small": 4, "medium": 6, "large": 8}[size]
        extra = 0 if not cycle else rng.choice((1, 2)) if size == "large" else 1
        drawn = draw_map(rooms, rooms - 1 + extra, rng)
        return {**drawn, "start": rng.choice(list(drawn["rooms"])), "turns": TURNS}

    def key(self, instance: Instance) -> list[list[str]]:
        """Splits share no map."""
        names = sorted(instance["rooms"], key=instance["rooms"].__getitem__)
        passages = [
            [name, direction, names[room]]
            for name, exits in zip(names, instance["exits"])
            for direction, room in exits.items()
        ]
        return sorted(passages)

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """An explorer that draws a map of its own."""
        return scripted.breaker if style == "breaker" else scripted.best(view, self.name)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """A walk without a superfluous step, after as much pacing up and down as there is time for if `last`."""
        world = World(instance)
        walk = self._walk(instance, world)
        if last:
            walk = _pacing(world, instance["turns"] - 1 - len(walk)) + walk
        return [self._reply(direction) for direction in [*walk, None]]

    def _walk(self, instance: Instance, world: World) -> list[str]:
        """The directions of the walk."""
        room, visited = world.start, 1 << world.start
        walk = []
        while visited != world.everything:
            following = min(good_steps(world.neighbours, room, visited))
            walk.append(_way(world, room, following))
            room, visited = following, visited | 1 << following
        return walk

    def _reply(self, direction: str | None) -> str:
        return scripted.command(direction)

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """The data hold all texts; versions 2.0 and 3.0 have one format."""
        return clembench.translate(instance)


class GraphReasoning(TextMapWorld):
    """Visit every room of an unknown map, and write down with each step the map as it is known so far."""

    name = "textmapworld_graphreasoning"
    experiments = ("small", "medium", "large")
    upstream_defects = {
        "similarity missing": "clembench scored its recorded runs with the scorer of textmapworld, which knows no maps"
    }

    def _reply(self, direction: str | None) -> str:
        return scripted.with_map(scripted.command(direction), {"nodes": [], "edges": {}})


class SpecificRoom(TextMapWorld):
    """Find one room of an unknown map and stop there."""

    name = "textmapworld_specificroom"
    experiments = ("on", "close", "far")

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A map of eight rooms, where the walk begins, and a target as far away as the experiment says."""
        wanted = {"on": (0,), "close": (1, 2), "far": (3, 4)}[experiment]
        while True:
            drawn = super().generate("large", rng)
            world = World(drawn)
            steps = distances(world.neighbours, world.start)
            targets = [room for room, distance in sorted(steps.items()) if distance in wanted]
            if targets:
                return {**drawn, "target": world.names[rng.choice(targets)]}

    def _walk(self, instance: Instance, world: World) -> list[str]:
        target = instance["rooms"][instance["target"]]
        steps = distances(world.neighbours, target)
        room, walk = world.start, []
        while room != target:
            direction, room = min(world.exits[room].items(), key=lambda way: steps[way[1]])
            walk.append(direction)
        return walk


def _way(world: World, room: int, other: int) -> str:
    return next(direction for direction, next_door in world.exits[room].items() if next_door == other)


def _pacing(world: World, count: int) -> list[str]:
    """Any number of steps but one that lead back to the start; an odd one has a rejected step next door."""
    direction, room = min(world.exits[world.start].items(), key=lambda way: len(world.exits[way[1]]))
    blocked = [way for way in OPPOSITE if way not in world.exits[room]][: count % 2]
    return [direction, *blocked, OPPOSITE[direction]] + [direction, OPPOSITE[direction]] * (count // 2 - 1)
