"""Image game: the course of a game, and its instances; README.md tells the rules in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from random import Random
from typing import Any

from playpen_eval.clembench import checked_pattern
from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View

from . import scripted
from .grids import BLANK, show
from .rules import ClembenchRules, Round, Rules
from .shapes import DRAW

ROUNDS = 25
_PATTERNS = {
    "done": "player_1_terminate_pattern",
    "command": "player_1_response_pattern",
    "grid": "player_2_response_pattern",
}


class ImageGame(Game):
    """The giver directs the follower, command by command, to draw a grid of letters."""

    name = "imagegame"
    version = 1
    suite = "playpen"
    roles = ("giver", "follower")
    learner = "follower"
    experiments = tuple(DRAW)
    sizes = {"train": 40, "validation": 10, "test": 30}
    visible = {"giver": ("target", "rounds"), "follower": ()}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A round is a command and the grid redrawn; the score is the F1 of the last grid."""
        rules = ClembenchRules(instance) if "rules" in instance else Rules(instance)
        rounds: list[Round] = []
        try:
            for played in range(instance["rounds"]):
                command = rules.read_command((yield Ask("giver", rules.tell_giver(played))))
                if command is None:
                    return rules.judge(rounds, "done")
                drawn = rules.read_grid((yield Ask("follower", rules.tell_follower(played, command))))
                rounds.append(Round(command, drawn))
        except Abort as abort:
            return Outcome.aborted(abort.role, abort.reason, **rules.numbers(rounds, abort.role))
        return rules.judge(rounds, "limit")

    def max_turns(self, instance: Instance) -> int:
        """A command and a grid in every round."""
        return 2 * instance["rounds"]

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A grid of the experiment's kind."""
        return {"target": show(DRAW[experiment](rng)), "rounds": ROUNDS}

    def key(self, instance: Instance) -> str:
        """Splits share no target."""
        return instance["target"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """Players that communicate in rows and columns."""
        if style == "breaker":
            return scripted.breaker(view)
        return scripted.giver(view) if role == "giver" else scripted.follower(view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """All in one command; `last` draws the grid in the last round, after which nobody needs to be done."""
        command, target = "Command: draw the whole grid", instance["target"]
        if not last:
            return [command, target, "Command: DONE"]
        blank = ClembenchRules.blank if "rules" in instance else show(BLANK)
        return ["Command: wait", blank] * (instance["rounds"] - 1) + [command, target]

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """Both versions have the same data and, but for what they count, the same rules.

        Raises:
            UserError: The instance has no usable patterns; those of the first versions have none.
        """
        return {
            "target": instance["target_grid"],
            "rounds": 2 * instance["grid_dimension"] ** 2,
            "patterns": {what: checked_pattern(instance.get(name), name) for what, name in _PATTERNS.items()},
            "prompts": {
                "giver": instance["player_1_prompt_header"],
                "question": instance["player_1_question"],
                "follower": instance["player_2_prompt_header"],
            },
        }
