"""Reference game: rules, scoring and instances; README.md tells them in words."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from random import Random
from typing import Any

from playpen_eval.clembench import checked_pattern, compiled
from playpen_eval.errors import UserError
from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts

from . import scripted
from .grids import KINDS, draw, show
from .scripted import ORDINALS

PROMPTS = read_texts(__file__)
_ANSWER = re.compile(r"(?:the )?(?:(first|1)|(second|2)|(third|3))(?: grid)?\.?")


class ReferenceGame(Game):
    """The giver describes one of three grids so that the follower can tell which one is meant."""

    name = "referencegame"
    version = 1
    suite = "playpen"
    roles = ("giver", "follower")
    learner = "follower"
    experiments = tuple(KINDS)
    sizes = {"train": 40, "validation": 10, "test": 18}
    visible = {"giver": ("giver_grids", "giver_target"), "follower": ("follower_grids",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """One expression and one answer; the right answer scores 1, another one 0."""
        rules = _ClembenchRules(instance) if "rules" in instance else _Rules(instance)
        expression = None
        try:
            expression = rules.read_expression((yield Ask("giver", rules.tell_giver())))
            answer = rules.read_answer((yield Ask("follower", rules.tell_follower(expression))))
        except Abort as abort:
            return Outcome.aborted(abort.role, abort.reason, **rules.numbers(expression, aborted=True))
        if rules.is_target(answer):
            return Outcome.success(reason="the target was found", **rules.numbers(expression, success=True))
        return Outcome.lose(reason=f"the answer is {answer}, which is not the target", **rules.numbers(expression))

    def max_turns(self, instance: Instance) -> int:
        """An expression and an answer."""
        return 2

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Three similar grids, one of them the target, in an order for each player."""
        grids = draw(experiment, rng)
        target = rng.choice(grids)
        for_giver, for_follower = rng.sample(grids, 3), rng.sample(grids, 3)
        return {
            "giver_grids": [show(grid) for grid in for_giver],
            "giver_target": for_giver.index(target),
            "follower_grids": [show(grid) for grid in for_follower],
            "follower_target": for_follower.index(target),
        }

    def key(self, instance: Instance) -> str:
        """Splits share no target."""
        return instance["giver_grids"][instance["giver_target"]]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """Players that communicate in facts about rows and columns."""
        if style == "breaker":
            return scripted.breaker(view)
        return scripted.giver(view) if role == "giver" else scripted.follower(view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """An expression and the answer; there is only one round."""
        expression = self.scripted("giver", self.view(instance, "giver"), "best")([])
        return [expression, f"Answer: {ORDINALS[instance['follower_target']]}"]

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """Both versions have the same data and, since an endless game is none, the same rules.

        Raises:
            UserError: The instance has no usable response patterns; those before version 1.6 have none.
        """
        patterns = {"giver": "player_1_response_pattern", "follower": "player_2_response_pattern"}
        target = instance["player_1_target_grid"]
        for_follower = [instance[f"player_2_{ordinal}_grid"] for ordinal in ORDINALS]
        if target not in for_follower:
            raise UserError(f"game {instance['game_id']}: the follower's grids lack the target {target!r}")
        return {
            "giver_grids": [target, instance["player_1_second_grid"], instance["player_1_third_grid"]],
            "giver_target": 0,
            "follower_grids": for_follower,
            "follower_target": for_follower.index(target),
            "answers": instance["target_grid_name"],
            "patterns": {
                role: checked_pattern(instance.get(name), name, ("response", "remainder"))
                for role, name in patterns.items()
            },
            "strict": {"giver": instance["p1_mode"] == "strict", "follower": instance["p2_mode"] == "strict"},
            "prompts": {"giver": instance["player_1_prompt_header"], "follower": instance["player_2_prompt_header"]},
        }


class _Rules:
    """Our own rules: a tag in any case, one line each, generous with how an answer is put."""

    undefined_when_aborted: Mapping[str, None] = {}

    def __init__(self, instance: Instance):
        self.instance = instance

    def tell_giver(self) -> str:
        first, second, third = self.instance["giver_grids"]
        target = self.instance["giver_target"] + 1
        return PROMPTS["giver"].format(first=first, second=second, third=third, target=target)

    def tell_follower(self, expression: str) -> str:
        first, second, third = self.instance["follower_grids"]
        return PROMPTS["follower"].format(first=first, second=second, third=third, expression=expression)

    def read_expression(self, reply: str) -> str:
        """The expression as the follower is shown it."""
        return f"Expression: {_tagged_line('giver', reply, 'expression:')}"

    def read_answer(self, reply: str) -> str:
        """The answer as an ordinal."""
        line = _tagged_line("follower", reply, "answer:")
        said = _ANSWER.fullmatch(line.lower())
        if said is None:
            raise Abort("follower", "the answer is none of first, second and third")
        return ORDINALS[(said.lastindex or 1) - 1]

    def is_target(self, answer: str) -> bool:
        return answer == ORDINALS[self.instance["follower_target"]]

    def numbers(self, expression: str | None, *, aborted: bool = False, success: bool = False) -> dict[str, Any]:
        """clembench's counts; the giver is at fault if an aborted episode has no expression."""
        requests = 1 if expression is None else 2
        counts = {
            "generated_expression_length": None if expression is None else len(expression),
            "generated_expression_number_of_tokens": None if expression is None else expression.count(" ") + 1,
            "request_count": requests,
            "parsed_request_count": requests - aborted,
            "violated_request_count": int(aborted),
        }
        metrics = {
            **counts,
            "aborted_at_player_1": int(expression is None),
            "aborted_at_player_2": int(aborted and expression is not None),
            "request_success_ratio": (requests - aborted) / requests,
            **(self.undefined_when_aborted if aborted else {}),
        }
        return {"rounds": {"0": {**counts, "success": int(success)}}, "metrics": metrics}


class _ClembenchRules(_Rules):
    """clembench's rules, kept to the letter; the patterns come with its data and replies are relayed raw."""

    # Unlike clembench's other games, which score 0 here.
    undefined_when_aborted = {"success": None, "lose": None}

    def tell_giver(self) -> str:
        return self.instance["prompts"]["giver"]

    def tell_follower(self, expression: str) -> str:
        return self.instance["prompts"]["follower"].replace("TARGET_EXPRESSION", expression)

    def read_expression(self, reply: str) -> str:
        self._match("giver", reply)
        return reply

    def read_answer(self, reply: str) -> str:
        return self._match("follower", reply)["response"].lower()

    def is_target(self, answer: str) -> bool:
        return answer in self.instance["answers"]

    def _match(self, role: str, reply: str) -> re.Match[str]:
        found = compiled(self.instance["patterns"][role], re.IGNORECASE).match(reply)
        if found is None or found["response"] is None:
            raise Abort(role, "the reply does not match the pattern of the instance")
        if found["remainder"] and self.instance["strict"][role]:
            raise Abort(role, "the reply goes on after its first line")
        return found


def _tagged_line(role: str, reply: str, tag: str) -> str:
    """The one line after a tag, with single blanks."""
    text = reply.strip()
    if text[: len(tag)].lower() != tag:
        raise Abort(role, f"the reply does not begin with {tag.capitalize()}")
    lines = text[len(tag) :].strip().splitlines()
    if len(lines) != 1:
        what = "goes on after its first line" if lines else f"has nothing after {tag.capitalize()}"
        raise Abort(role, f"the reply {what}")
    return " ".join(lines[0].split())
