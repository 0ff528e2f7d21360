"""Verbal n-back: rules, scoring and instances; README.md tells them in words."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from random import Random
from statistics import NormalDist

from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts

from .letters import draw, matches

PROMPTS = read_texts(__file__)
PASS = 0.85
"""The least score of a success: out of reach for one who knows only whether a letter was among the last n."""

DISTANCES = {
    1: ("directly before it", "letter has"),
    2: ("two places before it", "two letters have"),
    3: ("three places before it", "three letters have"),
}
"""How the prompt says n: where to look, and which letters have nothing there."""

_AROUND = " \t\r\n\"'`*.!"
_LEAD = r"(?:answer:[\s*\"'`]*)?"
_ANSWER = re.compile(_LEAD + r"(?:(m|match)|(?:[-\u2010-\u2015\u2212]|no[ -]match|non-?match))", re.I | re.A)


class NBack(Game):
    """Say of each letter of a sequence whether it is the same as the one n places before it."""

    name = "nback"
    version = 1
    suite = "skills"
    held_out = True
    roles = ("participant",)
    experiments = ("1back", "2back", "3back")
    sizes = {"validation": 15, "test": 50}
    visible = {"participant": ("n",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """One letter and one answer a turn, without feedback."""
        letters, answers = instance["letters"], []
        distance, without = DISTANCES[instance["n"]]
        text = PROMPTS["start"].format(length=len(letters), distance=distance, without=without) + "\n\n"
        for letter in letters:
            reply = yield Ask("participant", text + PROMPTS["trial"].format(letter=letter))
            answers.append(read_answer(reply))
            text = ""
        return judge(matches(letters, instance["n"]), answers)

    def max_turns(self, instance: Instance) -> int:
        """One for each letter."""
        return len(instance["letters"])

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A sequence of letters with a fixed number of matches and of near misses."""
        n = self.experiments.index(experiment) + 1
        return {"n": n, "letters": draw(n, rng)}

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A perfect memory of the chat, or a participant who talks."""
        if style == "breaker":
            return lambda messages: "I have lost count, sorry."

        def best(messages: Sequence[Mapping[str, str]]) -> str:
            letters = "".join(message["content"][-1] for message in messages[::2])
            return "m" if matches(letters, view["n"])[-1] else "-"

        return best

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The right answers; every episode has the same length."""
        return ["m" if match else "-" for match in matches(instance["letters"], instance["n"])]


def read_answer(reply: str) -> bool:
    """Whether the participant says that the letter is a match.

    Raises:
        Abort: The reply says neither.
    """
    said = _ANSWER.fullmatch(reply.strip(_AROUND))
    if said is None:
        raise Abort("participant", "the reply is neither m (match) nor - (no match)")
    return said[1] is not None


def judge(truth: Sequence[bool], answers: Sequence[bool]) -> Outcome:
    """The outcome of a whole block, which holds matches as well as other letters."""
    hits = sum(match and answer for match, answer in zip(truth, answers, strict=True))
    false_alarms = sum(answers) - hits
    targets, others = sum(truth), len(truth) - sum(truth)
    hit_rate, false_alarm_rate = hits / targets, false_alarms / others
    score = max(0.0, hit_rate - false_alarm_rate)
    metrics = {
        "accuracy": (hits + others - false_alarms) / len(truth),
        "hits": hits,
        "false_alarms": false_alarms,
        "hit_rate": hit_rate,
        "false_alarm_rate": false_alarm_rate,
        "d_prime": d_prime(hits, targets, false_alarms, others),
    }
    end = Outcome.success if score >= PASS else Outcome.lose
    return end(score, f"{hits} of {targets} matches found, {false_alarms} false alarms", metrics=metrics)


def d_prime(hits: int, targets: int, false_alarms: int, others: int) -> float:
    """Sensitivity by signal detection theory, with the log-linear correction so that rates of 0 and 1 are finite."""
    z = NormalDist().inv_cdf
    return z((hits + 0.5) / (targets + 1)) - z((false_alarms + 0.5) / (others + 1))
