"""LMRL-Gym's maze, fully and partially observed: rules and instances; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from playpen_eval.game import NO_REWARD, Ask, Game, Instance, Outcome, ScriptedPlayer, View
from playpen_eval.lmrl import normalised

from . import scripted
from .mazes import LAYOUTS, Cell, Maze, maze_of, start_of
from .policies import POLICIES
from .rules import LIMIT, MEMORY, PATIENCE, Seen, full, partial, read_move

STEP, NO_MOVE = -1.0, -4.0
WORST = STEP * (LIMIT + 1)
AVERAGE = -83.6
"""Mean return of walks with the data's shares of moves; scripts/constants.py computes it."""


class FullMaze(Game):
    """Walk to the goal of a maze, knowing where it is and where one is."""

    name = "maze_fo"
    suite = "lmrl"
    roles = ("walker",)
    experiments = tuple(LAYOUTS)
    sizes = {"train": 13, "validation": 6, "test": 6}
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {"walker": ("goal", "start")}
    policies = tuple(POLICIES)

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A move is a turn; what it is worth is paid with the next one."""
        maze = maze_of(instance)
        cell = start = start_of(instance)
        walk = _Walk([], [])
        while cell != maze.goal and len(walk.credit) < LIMIT and not walk.broken_off:
            reward = {"walker": walk.credit[-1]} if walk.credit else NO_REWARD
            name = read_move((yield Ask("walker", self.message(maze, cell, walk.memory), False, reward=reward)))
            walk.memory.append((maze.walls[cell], name))
            if name is None:
                walk.credit.append(NO_MOVE)
            else:
                bumped, cell = cell == maze.steps[cell][name], maze.steps[cell][name]
                walk.bumps += bumped
                walk.credit.append(0.0 if cell == maze.goal else STEP)
        if cell == maze.goal:
            best = STEP * (maze.distance[start] - 1)
            score = normalised(sum(walk.credit), WORST, AVERAGE, best)
            return Outcome.success(score, "the goal was reached", **walk.numbers())
        # What an episode that is broken off leaves unpaid is paid as if it went on like that.
        walk.credit[-1] += NO_MOVE * (LIMIT - len(walk.credit)) + STEP
        if walk.broken_off:
            return Outcome.aborted("walker", f"{PATIENCE} replies in a row are no moves", **walk.numbers())
        return Outcome.lose(0.0, "out of moves", **walk.numbers())

    def message(self, maze: Maze, cell: Cell, memory: Sequence[Seen]) -> str:
        """What the walker is told before a move."""
        return full(maze.goal, cell, maze.walls[cell])

    def max_turns(self, instance: Instance) -> int:
        """A hundred moves."""
        return LIMIT

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A start in the maze that the experiment names."""
        layout = LAYOUTS[experiment]
        instance = {"map": [*layout.rows], "goal": [*layout.goal]}
        return instance | {"start": [*rng.choice(maze_of(instance).starts())]}

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A walker who knows the mazes."""
        return scripted.breaker if style == "breaker" else scripted.observer

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """A shortest way, after moves against a wall."""
        way = self.behave("best", instance, Random(0))
        start = start_of(instance)
        wall = next(name for name, after in maze_of(instance).steps[start].items() if after == start)
        return [f"move {wall}"] * (last * (LIMIT - len(way))) + way

    def behave(self, policy: str, instance: Instance, rng: Random) -> list[str]:
        """The replies of one of `policies`, which knows all of the instance."""
        return POLICIES[policy](instance, rng)


class PartialMaze(FullMaze):
    """Walk to the goal of a maze, seeing the walls around one only."""

    name = "maze_po"
    visible = {"walker": ()}

    def message(self, maze: Maze, cell: Cell, memory: Sequence[Seen]) -> str:
        """What the walker is told before a move."""
        return partial(memory[-MEMORY:], maze.walls[cell])

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A walker who knows the mazes, but not in which of them it is, nor where."""
        return scripted.breaker if style == "breaker" else scripted.explorer


@dataclass
class _Walk:
    """What happened: what was seen and done, and what each turn is worth."""

    memory: list[Seen]
    credit: list[float]
    bumps: int = 0

    @property
    def broken_off(self) -> bool:
        """Whether the latest replies are no moves."""
        latest = self.memory[-PATIENCE:]
        return len(latest) == PATIENCE and all(name is None for _, name in latest)

    def numbers(self) -> dict[str, Mapping[str, float]]:
        """Metrics and the last turn's reward, as arguments of an outcome."""
        no_moves = sum(name is None for _, name in self.memory)
        metrics = {"return": sum(self.credit), "moves": len(self.memory), "no_moves": no_moves, "bumps": self.bumps}
        return {"metrics": metrics, "reward": {"walker": self.credit[-1]}}
