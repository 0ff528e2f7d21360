"""Match it: rules, scoring and instances; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from random import Random
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.game import Ask, Game, Instance, Outcome, ScriptedPlayer, View
from playpen_eval.instances import split_of

from . import scripted
from .grids import EXPERIMENTS, draw_pair, show
from .rules import (
    ANSWER,
    DECISION,
    DESCRIPTION,
    DIFFERENT,
    KINDS,
    PLAYER_A,
    PLAYER_B,
    QUESTION,
    ROLES,
    SAME,
    TAGS,
    FormError,
    rules_of,
    schedule,
)

QUESTIONS = 3


class MatchItAscii(Game):
    """Two players with a grid each describe, ask and answer to find out whether the grids are the same."""

    name = "matchit_ascii"
    version = 1
    suite = "playpen"
    held_out = True
    roles = ROLES
    learner = PLAYER_A
    experiments = tuple(EXPERIMENTS)
    sizes = {"validation": 5, "test": 15}
    # Only clembench's instances have tags; ours are always the same.
    visible = {PLAYER_A: ("grid_a", "questions", "tags"), PLAYER_B: ("grid_b", "questions", "tags")}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """Both describe, ask and answer in turn, and decide; both decisions must be right."""
        rules = rules_of(instance)
        unheard: dict[str, list[str]] = {role: [] for role in ROLES}
        counts: dict[str, dict[str, int]] = {}
        right = 0
        for round_, role, kind in schedule(instance["questions"]):
            if kind == DESCRIPTION:
                text = rules.start(role)
            else:
                text = rules.request(kind, unheard[role])
                unheard[role] = []
            reply = yield Ask(role, text)
            try:
                message = rules.read(kind, reply)
                right += kind == DECISION and rules.decide(message)
            except FormError as error:
                _count(counts, round_, parsed=error.parsed, violated=1)
                return Outcome.aborted(role, str(error), **_numbers(counts, None))
            _count(counts, round_, parsed=1)
            if kind != DECISION:
                unheard[PLAYER_B if role == PLAYER_A else PLAYER_A].append(rules.relay(kind, message))
        numbers = _numbers(counts, 100 * right / len(ROLES))
        if right == len(ROLES):
            return Outcome.success(reason="both decisions are right", **numbers)
        return Outcome.lose(reason=f"{right} of {len(ROLES)} decisions are right", **numbers)

    def max_turns(self, instance: Instance) -> int:
        """Two descriptions and decisions, and the questions of both with their answers."""
        return len(schedule(instance["questions"]))

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Two grids as the experiment wants them, both of the same split."""
        while True:
            grid_a, grid_b = map(show, draw_pair(experiment, rng))
            if split_of(grid_a) == split_of(grid_b):
                return {"grid_a": grid_a, "grid_b": grid_b, "questions": QUESTIONS}

    def key(self, instance: Instance) -> str:
        """Splits share no grid; the other one belongs to the same split."""
        return instance["grid_a"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """Players that write out their grids row by row."""
        return scripted.breaker if style == "breaker" else scripted.best(role, view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """Right decisions after some talk; the game has one length."""
        decision = SAME if instance["grid_a"] == instance["grid_b"] else DIFFERENT
        steps = schedule(instance["questions"])
        return [f"{TAGS[step.kind]} {decision if step.kind == DECISION else 'X'}" for step in steps]

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """All texts stand in the experiment; both versions are played by the same rules.

        Raises:
            UserError: The players are to ask no questions.
        """
        questions = instance["decision_turn"]
        if not isinstance(questions, int) or questions < 1:
            raise UserError(
                f"game {instance['game_id']}: decision_turn is {questions!r}, which is not played; use 1 or more"
            )
        return {
            "grid_a": instance["grid_a"],
            "grid_b": instance["grid_b"],
            "questions": questions,
            "tags": {kind: experiment["flags"][kind] for kind in KINDS},
            "decisions": {"right": experiment["solution"], "wrong": experiment["wrong_solution"]},
            "texts": {
                "start": experiment["initial_prompt"],
                "intro": experiment["desc_intro"],
                QUESTION: experiment["q_reprompt"],
                ANSWER: experiment["a_request"],
                DECISION: experiment["d_reprompt"],
            },
        }


def _count(counts: dict[str, dict[str, int]], round_: int, *, parsed: int, violated: int = 0) -> None:
    numbers = counts.setdefault(
        str(round_), {"request_count": 0, "parsed_request_count": 0, "violated_request_count": 0}
    )
    numbers["request_count"] += parsed + violated
    numbers["parsed_request_count"] += parsed
    numbers["violated_request_count"] += violated


def _numbers(counts: dict[str, dict[str, int]], player_score: float | None) -> dict[str, Any]:
    """Counts of the rounds, their sums, and the share of right decisions in percent."""
    names = ("request_count", "parsed_request_count", "violated_request_count")
    sums = {name: sum(numbers[name] for numbers in counts.values()) for name in names}
    return {"rounds": counts, "metrics": {**sums, "player_score": player_score}}
