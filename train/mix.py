"""Which games and instances the next episodes are of: weights, and a gate on games that teach nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from playpen_eval.errors import UserError, unknown
from playpen_eval.game import Game, Instance
from playpen_eval.instances import load_instances
from playpen_eval.registry import load_games

from .config import Gate, Play
from .data.policy import Policy
from .rollout import seating


def load_pools(config: Play) -> list[tuple[Game, list[Instance]]]:
    """The games of a recipe with the instances that may be trained on.

    Raises:
        UserError: A game is unknown, held out, or has no such instance.
    """
    policy = Policy(config.allow_heldout, config.allow_validation)
    pools = []
    for game in load_games(*config.games).values():
        policy.check_game(game)
        left_out: Counter[str] = Counter()
        kept: list[Instance] = []
        for instance in load_instances(game, config.instances).instances:
            if refused := policy.refusal(game, instance):
                left_out[refused] += 1
            elif config.limit is None or len(kept) < config.limit:
                kept.append(instance)
        if not kept:
            why = ", ".join(f"{count}: {reason}" for reason, count in left_out.items())
            raise UserError(f"{game.name}: no instance of {config.instances!r} may be trained on ({why})")
        pools.append((game, kept))
    for name, role in config.roles.items():
        if name not in config.games:
            raise unknown("game in roles", name, config.games)
        seating(load_games(name)[name], "fixed", 0, role)
    return pools


@dataclass(frozen=True)
class Unit:
    """One instance that is played by a group of episodes.

    Attributes:
        game: The game.
        instance: The instance.
        seats: The learner's roles that are learned from; each is a group of rows with a baseline of its own.
    """

    game: Game
    instance: Instance
    seats: tuple[str, ...]


@dataclass
class Standing:
    """What is known of one game.

    Attributes:
        drawn: Instances drawn so far.
        asked: How often it was drawn while held back.
        episodes: Played so far.
        success: Rate of success, as an exponential mean.
        usable: Share of groups whose rewards differ, as an exponential mean.
    """

    drawn: int = 0
    asked: int = 0
    episodes: int = 0
    success: float = 0.0
    usable: float = 0.0

    def add(self, episodes: int, successes: int, groups: int, usable: int, memory: int) -> None:
        """Takes what a batch brought."""
        weight = 1.0 if not self.episodes else min(1.0, episodes / memory)
        self.success += weight * (successes / episodes - self.success)
        self.usable += weight * (usable / groups - self.usable)
        self.episodes += episodes

    def held_back(self, gate: Gate) -> bool:
        """Whether it teaches nothing at the moment."""
        barren = self.usable < gate.low
        return self.episodes >= gate.memory and barren and not gate.low <= self.success <= gate.high


@dataclass
class Report:
    """What one batch brought of one game: episodes, successes, groups, and groups whose rewards differ."""

    episodes: int = 0
    successes: int = 0
    groups: int = 0
    usable: int = 0


class Mix:
    """Draws units, the same in every process.

    Attributes:
        barren: Batches in a row without a group to learn from.
    """

    def __init__(self, pools: Sequence[tuple[Game, list[Instance]]], config: Play, gate: Gate, seed: str):
        """Args: games with instances; weights and seats; the gate; names the whole sequence of draws."""
        self._pools = {game.name: (game, instances) for game, instances in pools}
        self._config, self._gate, self._seed = config, gate, seed
        self._standings = {name: Standing() for name in self._pools}
        self._draws = 0
        self.barren = 0

    def draw(self, groups: int) -> list[Unit]:
        """Units for exactly so many groups; a unit of several seats is as many groups."""
        units: list[Unit] = []
        while groups > 0:
            rng = Random(f"{self._seed}/{self._draws}")
            self._draws += 1
            unit = self._unit(self._choose(rng), groups)
            groups -= len(unit.seats)
            units.append(unit)
        return units

    def _choose(self, rng: Random) -> str:
        names = list(self._pools)
        weights = [self._config.games[name] for name in names]
        name = rng.choices(names, weights)[0]
        if not self.held_back(name):
            return name
        standing = self._standings[name]
        standing.asked += 1
        free = [other for other in names if not self.held_back(other)]
        if standing.asked % self._gate.probe == 0 or not free:
            return name
        return rng.choices(free, [self._config.games[other] for other in free])[0]

    def _unit(self, name: str, room: int) -> Unit:
        game, instances = self._pools[name]
        standing = self._standings[name]
        turn, place = divmod(standing.drawn, len(instances))
        # Every instance once before any of them again.
        order = Random(f"{self._seed}/{name}/{turn}").sample(range(len(instances)), len(instances))
        seats = seating(game, self._config.learner, standing.drawn, self._config.roles.get(name))
        if len(seats) > room:
            start = standing.drawn % len(seats)
            seats = (*seats[start:], *seats[:start])[:room]
        standing.drawn += 1
        return Unit(game, instances[order[place]], seats)

    def held_back(self, name: str) -> bool:
        """Whether a game teaches nothing at the moment."""
        return self._standings[name].held_back(self._gate)

    def tell(self, reports: Mapping[str, Report]) -> None:
        """Takes what a batch brought, of all processes."""
        for name, report in reports.items():
            if report.episodes and report.groups:
                self._standings[name].add(
                    report.episodes, report.successes, report.groups, report.usable, self._gate.memory
                )
        self.barren = 0 if any(report.usable for report in reports.values()) else self.barren + 1

    @property
    def solved(self) -> bool:
        """Whether all games are won nearly always."""
        return all(one.episodes and one.success >= self._gate.high for one in self._standings.values())

    def describe(self) -> str:
        """Success rates and shares of usable groups, for people."""
        return "; ".join(
            f"{name}: {100 * one.success:.0f}% success, {100 * one.usable:.0f}% of groups with different rewards"
            for name, one in self._standings.items()
        )

    def state(self) -> dict[str, Any]:
        """JSON data; `restore` continues from it."""
        standings = {name: asdict(standing) for name, standing in self._standings.items()}
        return {"draws": self._draws, "barren": self.barren, "standings": standings}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues from `state`."""
        self._draws, self.barren = state["draws"], state["barren"]
        self._standings = {name: Standing(**state["standings"][name]) for name in self._pools}


def merged(reports: Sequence[Mapping[str, Report]]) -> dict[str, Report]:
    """The reports of all processes as one."""
    total: dict[str, Report] = {}
    for one in reports:
        for name, report in one.items():
            before = total.setdefault(name, Report())
            for key, value in vars(report).items():
                setattr(before, key, getattr(before, key) + value)
    return total
