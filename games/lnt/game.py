"""Letter-number task switching: rules, scoring and instances; README.md tells them in words."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from itertools import pairwise
from random import Random

from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts

from .items import ANSWERS, EXAMPLE, TASKS, alternating, draw_items, draw_tasks, other_task, right_answer

PROMPTS = read_texts(__file__)
PASS = 0.75
"""The least score of a success."""

_WORDS = [word for words in ANSWERS.values() for word in words]
_AROUND = " \t\r\n\"'`*.!"
_LEAD = r"(?:answer:[\s*\"'`]*)?"
_ANSWER = re.compile(_LEAD + r"(?:(?:a )?(vowel|consonant)|(?:an )?(even|odd)(?: number)?)", re.I | re.A)
_CUE = re.compile(r"Task: (letter|number)\n")
_FIRST = re.compile(r"first two items (letter|number)")


class LetterNumber(Game):
    """Say whether a letter is a vowel or whether a digit is even, while the task changes from item to item."""

    name = "lnt"
    version = 1
    suite = "skills"
    held_out = True
    roles = ("participant",)
    experiments = ("cued", "sequence")
    sizes = {"validation": 10, "test": 40}
    visible = {"participant": ("cued",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """One item and one answer a turn, without feedback."""
        tasks, items, answers = instance["tasks"], instance["items"], []
        style = "cued" if instance["cued"] else "sequence"
        first, second = TASKS[tasks[0]], TASKS[other_task(tasks[0])]
        start = PROMPTS[f"start_{style}"].format(length=len(items), example=EXAMPLE, first=first, second=second)
        text = f"{start}\n\n"
        for task, item in zip(tasks, items, strict=True):
            reply = yield Ask("participant", text + PROMPTS[f"trial_{style}"].format(task=TASKS[task], item=item))
            answers.append(read_answer(reply))
            text = ""
        return judge(tasks, items, answers)

    def max_turns(self, instance: Instance) -> int:
        """One for each item."""
        return len(instance["items"])

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Tasks with as many switches as repetitions, and an item for each."""
        cued = experiment == "cued"
        tasks = draw_tasks(cued, rng)
        return {"cued": cued, "tasks": tasks, "items": draw_items(tasks, rng)}

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A participant who reads the cue or counts the items, or one who does both tasks at once."""
        if style == "breaker":
            return lambda messages: "vowel, even"

        def best(messages: Sequence[Mapping[str, str]]) -> str:
            asked = messages[-1]["content"]
            named = _CUE.search(asked) if view["cued"] else _FIRST.search(messages[0]["content"])
            assert named is not None
            task = named[1][0].upper()
            if not view["cued"]:
                task = alternating(len(messages[::2]), task)[-1]
            return right_answer(task, asked.rpartition("Item: ")[2])

        return best

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The right answers; every episode has the same length."""
        return [right_answer(*pair) for pair in zip(instance["tasks"], instance["items"], strict=True)]


def read_answer(reply: str) -> str:
    """The answer as one of the four words.

    Raises:
        Abort: The reply is none of them.
    """
    said = _ANSWER.fullmatch(reply.strip(_AROUND))
    if said is None:
        raise Abort("participant", "the reply is none of vowel, consonant, even and odd")
    return (said[1] or said[2]).lower()


def judge(tasks: str, items: Sequence[str], answers: Sequence[str]) -> Outcome:
    """The outcome of a whole episode."""
    wanted = [right_answer(*pair) for pair in zip(tasks, items, strict=True)]
    right = [answer == want for answer, want in zip(answers, wanted, strict=True)]
    changed = [before != after for before, after in pairwise(tasks)]
    on_switch = _share([r for r, change in zip(right[1:], changed, strict=True) if change])
    on_repeat = _share([r for r, change in zip(right[1:], changed, strict=True) if not change])
    recalls = [_share([r for r, want in zip(right, wanted, strict=True) if want == word]) for word in _WORDS]
    known = [recall for recall in recalls if recall is not None]
    balanced = sum(known) / len(known)
    score = max(0.0, 2 * balanced - 1)
    metrics = {
        "accuracy": sum(right) / len(right),
        "balanced_accuracy": balanced,
        "switch_accuracy": on_switch,
        "repeat_accuracy": on_repeat,
        "switch_cost": None if on_switch is None or on_repeat is None else on_repeat - on_switch,
        "wrong_task": sum(answer not in ANSWERS[task] for answer, task in zip(answers, tasks, strict=True)),
    }
    end = Outcome.success if score >= PASS else Outcome.lose
    return end(score, f"{sum(right)} of {len(right)} answers are right", metrics=metrics)


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None
