"""Reference tests as games of one turn, as clembench has them for its statscore; README.md tells the rules in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from playpen_eval.errors import UserError
from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View
from playpen_eval.skills.ifeval import follows, make_checks

from . import data
from .answers import LETTER, LETTERS, YES_NO, closeness, read_intensities, read_letter, read_yes_no


class Mark(NamedTuple):
    """What a reply is worth."""

    right: bool
    score: float
    reason: str


class StaticGame(Game):
    """One question, one answer."""

    suite = "static"
    held_out = True
    roles = ("answerer",)
    learner = "answerer"
    sizes: ClassVar[Mapping[str, int]] = {}
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {"answerer": ("template", "input")}
    max_tokens: ClassVar[int | None] = None
    best: ClassVar[str] = "Yes"
    broken: ClassVar[str] = "I cannot say."

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """Asks and marks; blanks around a reply do not count, as clembench's backends take them away."""
        mark = self.marker(instance["target"])
        question = instance["template"].replace(data.INPUT, instance["input"])
        reply = (yield Ask("answerer", question, max_tokens=self.max_tokens)).strip()
        try:
            marked = mark(reply)
        except Abort as abort:
            return Outcome.aborted(abort.role, abort.reason, metrics=_requests(parsed=0))
        ended = Outcome.success if marked.right else Outcome.lose
        return ended(marked.score, marked.reason, metrics=_requests(parsed=1))

    def items(self) -> Iterable[tuple[str, data.Item]]:
        """All items, each with the name of its experiment."""
        raise NotImplementedError(f"{type(self).__name__} has no items()")

    def marker(self, target: Any) -> Callable[[str], Mark]:
        """What marks the replies to an item; it raises `Abort` for a reply that cannot be read."""
        raise NotImplementedError(f"{type(self).__name__} has no marker()")

    def max_turns(self, instance: Instance) -> int:
        """One."""
        return 1

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """The best that can be said without knowing anything, or a reply that cannot be read."""
        return lambda messages: self.best if style == "best" else self.broken

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The right answer."""
        return [self.answer(instance["target"])]

    def answer(self, target: Any) -> str:
        """The reply that is right."""
        raise NotImplementedError(f"{type(self).__name__} has no answer()")

    def load_split(self, split: str) -> list[Instance]:
        """All rows of the published test set.

        Raises:
            UserError: Another split; or the data are missing or not as published.
        """
        if split != "test":
            raise UserError(f"{self.name} has the split test only, not {split!r}")
        return data.numbered(self.name, self.version, self.items())

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """clembench's prompt; the rules are the same.

        Raises:
            UserError: The target or the pattern is not what these rules are for.
        """
        template = experiment.get("initial_prompt", data.INPUT).replace("{{prompt}}", data.INPUT)
        if experiment.get("regex_pattern", LETTER) != LETTER:
            raise UserError(f"{experiment['name']}: the pattern {experiment['regex_pattern']!r} is not known")
        if not self.is_target(instance["target"]):
            raise UserError(f"{experiment['name']} {instance['game_id']}: {instance['target']!r} is no target")
        return {"template": template, "input": instance["input"], "target": instance["target"]}

    def is_target(self, target: Any) -> bool:
        """Whether there can be such a target."""
        return isinstance(target, str)


def _requests(parsed: int) -> dict[str, float]:
    return {
        "request_count": 1,
        "parsed_request_count": parsed,
        "violated_request_count": 1 - parsed,
        "request_success_ratio": parsed,
    }


def _compared(answer: str, target: str) -> Mark:
    right = answer == target
    return Mark(right, float(right), f"the answer {answer[:80]!r} is {'right' if right else 'wrong'}")


class Cladder(StaticGame):
    """CLadder: a question on causes and effects, to be answered with yes or no."""

    name = "static_cladder"
    upstream_name = "cladder"
    experiments = data.CLADDER.configs

    def items(self) -> Iterable[tuple[str, data.Item]]:
        """From the data set."""
        return data.cladder()

    def marker(self, target: str) -> Callable[[str], Mark]:
        """Reads the first word."""

        def mark(reply: str) -> Mark:
            answer = read_yes_no(reply)
            if answer is None:
                raise Abort("answerer", "the first word is neither yes nor no")
            return _compared(answer, target)

        return mark

    def answer(self, target: str) -> str:
        """The word alone."""
        return target.capitalize()

    def is_target(self, target: Any) -> bool:
        """Yes or no."""
        return target in YES_NO


class MmluPro(StaticGame):
    """MMLU-Pro: a question of one of 14 subjects, with ten options."""

    name = "static_mmlu_pro"
    upstream_name = "mmlu_pro"
    experiments = tuple(f"mmlu_pro_{subject}" for subject in data.SUBJECTS)
    best = "The answer is (A)"

    def items(self) -> Iterable[tuple[str, data.Item]]:
        """From the data set."""
        return data.mmlu_pro()

    def marker(self, target: str) -> Callable[[str], Mark]:
        """Reads the only sentence of the form that the prompt shows."""

        def mark(reply: str) -> Mark:
            answer = read_letter(reply)
            if answer is None:
                raise Abort("answerer", 'the reply does not say "answer is (X)" exactly once')
            return _compared(answer, target)

        return mark

    def answer(self, target: str) -> str:
        """In the form of the examples."""
        return f"The answer is ({target})"

    def is_target(self, target: Any) -> bool:
        """A letter."""
        return target in [*LETTERS]


class EqBench(StaticGame):
    """EQ-Bench: how strongly somebody in a dialogue feels each of four emotions."""

    name = "static_eqbench"
    upstream_name = "eqbench"
    lowest_score = closeness(dict.fromkeys("abcd", 0), dict.fromkeys("abcd", 10))
    experiments = ("eq_bench",)

    def items(self) -> Iterable[tuple[str, data.Item]]:
        """From the data set."""
        return data.eqbench()

    def marker(self, target: dict[str, int]) -> Callable[[str], Mark]:
        """Reads a number from 0 to 10 for each emotion; the score is below 0 if they are far off."""

        def mark(reply: str) -> Mark:
            given = read_intensities(reply)
            if given.keys() != target.keys():
                raise Abort("answerer", "the reply does not give a number for exactly the four emotions")
            if not any(given.values()) or max(given.values()) > 10:
                raise Abort("answerer", "the numbers are all 0 or one is above 10")
            return Mark(given == target, closeness(given, target), f"the intensities are {given}")

        return mark

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """The same number for each emotion that the question names."""
        emotions = dict.fromkeys(re.findall(r"(\w+): <score>", view["input"]), 5)
        return lambda messages: self.answer(emotions) if style == "best" else self.broken

    def answer(self, target: dict[str, int]) -> str:
        """One line for each emotion."""
        return "\n".join(f"{emotion}: {intensity}" for emotion, intensity in target.items())

    def is_target(self, target: Any) -> bool:
        """Four emotions."""
        return isinstance(target, dict) and len(target) == 4 and all(isinstance(n, int) for n in target.values())


class IfEval(StaticGame):
    """IFEval: a request with instructions whose keeping can be checked."""

    name = "static_ifeval"
    upstream_name = "ifeval"
    experiments = ("ifeval",)
    max_tokens = 1280
    broken = ""

    def items(self) -> Iterable[tuple[str, data.Item]]:
        """From the data set."""
        return data.ifeval()

    def marker(self, target: dict[str, dict[str, Any]]) -> Callable[[str], Mark]:
        """Checks every instruction; any reply can be read."""
        checks = make_checks(target)

        def mark(reply: str) -> Mark:
            missed = [name for name, followed in follows(reply, checks).items() if not followed]
            return Mark(not missed, float(not missed), f"not followed: {', '.join(missed)}" if missed else "")

        return mark

    def is_target(self, target: Any) -> bool:
        """Instructions with their arguments."""
        return isinstance(target, dict) and all(isinstance(arguments, dict) for arguments in target.values())


class Bbh(StaticGame):
    """BIG-Bench Hard: questions of 27 kinds, to be answered like three examples."""

    name = "static_bbh"
    suite = ""  # no part of the recorded statscores
    upstream_name = "bbh"
    experiments = data.BBH_TASKS
    best = "(A)"
    broken = ""

    def items(self) -> Iterable[tuple[str, data.Item]]:
        """From the data set."""
        return data.bbh()

    def marker(self, target: str) -> Callable[[str], Mark]:
        """Compares the whole reply; any reply can be read."""
        return lambda reply: _compared(reply, target)

    def answer(self, target: str) -> str:
        """The target itself."""
        return target
