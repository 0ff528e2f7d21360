"""LMRL-Gym's text-based navigation, fully and partially observed: rules; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from playpen_eval.game import Ask, Game, Instance, Outcome, ScriptedPlayer, View

from .policies import POLICIES
from .prose import LIMIT, TASK, draw, read, show, tidy
from .world import ROOMS, VERBS, House, greedy, parse

PATIENCE = 3
"""Replies in a row that are no commands, with which an episode is broken off."""
IMPOSSIBLE, NO_COMMAND = "That is not possible.", "That is not a command."
REFUSED = "eat pear"
"""A command that is impossible at first, since the cooler is closed."""


class FullNavigation(Game):
    """Put a thing in its place in a house, knowing where one is and what one has."""

    name = "textnav_fo"
    suite = "lmrl"
    roles = ("player",)
    sizes = {"train": 80, "validation": 20, "test": 50}
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {"player": ("start",)}
    policies = tuple(POLICIES)
    full: ClassVar[bool] = True

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A command is a turn; nothing is paid before the goal is reached."""
        house, note = House(instance["start"]), ""
        steps = refused = malformed = in_row = 0
        while steps < LIMIT and in_row < PATIENCE and not (house.done or house.lost):
            task = f"{TASK}\n\n" if self.full or not steps else ""
            text = f"{task}{note}{show(house, instance['wording'], self.full)}"
            said = tidy((yield Ask("player", text, remember=not self.full)))
            command = parse(said)
            steps += 1
            if command and house.act(command):
                note, in_row = "", 0
            elif said.partition(" ")[0] in VERBS:
                note, in_row, refused = f"{IMPOSSIBLE}\n", 0, refused + 1
            else:
                note, in_row, malformed = f"{NO_COMMAND}\n", in_row + 1, malformed + 1
        paid = float(house.done)
        metrics = {"return": paid, "steps": steps, "refused": refused, "malformed": malformed}
        more: dict[str, Any] = {"metrics": metrics, "reward": {"player": paid}}
        if house.done:
            return Outcome.success(1.0, "the bun is in the closed cooler", **more)
        if in_row == PATIENCE:
            return Outcome.aborted("player", f"{PATIENCE} replies in a row are no commands", **more)
        return Outcome.lose(0.0, "the bun was eaten" if house.lost else "out of turns", **more)

    def max_turns(self, instance: Instance) -> int:
        """Fifteen commands."""
        return LIMIT

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Where one starts, and in what words the house is told."""
        return {"start": rng.choice(ROOMS), "wording": draw(rng)}

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A player who knows the house."""
        if style == "breaker":
            return lambda messages: "I would rather have a rest."

        def best(messages: Sequence[Mapping[str, str]]) -> str:
            return greedy(*read(messages[-1]["content"]))

        return best

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """A shortest one, after commands that are impossible."""
        said = self.behave("best", instance, Random(0))
        return [REFUSED] * (last * (LIMIT - len(said))) + said

    def behave(self, policy: str, instance: Instance, rng: Random) -> list[str]:
        """The replies of one of `policies`, which knows all of the instance."""
        return POLICIES[policy](instance, rng)


class PartialNavigation(FullNavigation):
    """Put a thing in its place in a house, seeing only what is around one."""

    name = "textnav_po"
    visible = {"player": ()}
    full = False
