"""LMRL-Gym's twenty questions and guess my city: rules and instances; README.md tells them in words."""

from __future__ import annotations

import functools
from collections.abc import Generator, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from playpen_eval.game import NO_REWARD, Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts
from playpen_eval.lmrl import normalised

from . import cities, guide, objects
from .policies import ROUNDS, Search, Shape
from .reading import read_answer, read_question, read_yes_no

PROMPTS = read_texts(__file__)
STEP = -1.0
WORST = STEP * ROUNDS
PATIENCE = 3
"""Malformed replies in a row with which an episode is broken off."""
COST = {"guesser": STEP}
NO = "No."


class TwentyQuestions(Game):
    """Find an object in twenty questions that are answered with yes or no, each of which costs a point."""

    name = "twenty_questions"
    suite = "lmrl"
    roles = ("guesser", "oracle")
    learner = "guesser"
    sizes: ClassVar[Mapping[str, int]] = {"train": 87, "validation": 23, "test": 48}
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {"guesser": (), "oracle": ("object",)}
    policies = ("mix", "random", "best")
    field: ClassVar[str] = "object"
    names: ClassVar[Sequence[str]] = objects.NAMES
    open_ended: ClassVar[bool] = False
    shape: ClassVar[Shape] = Shape(2, 0.24, 0.95)
    average: ClassVar[float] = -17.39
    """Mean return of `mix`; scripts/constants.py computes it."""
    best: ClassVar[float] = -7.01
    """Mean return of `best`."""

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A question is a turn; its point is paid with whatever is asked next, of either role."""
        target = instance[self.field]
        if target not in self.names:
            raise ValueError(f"unknown {self.field} {target!r}")
        text, owed, log = PROMPTS[f"{self.name}_guesser"].format(rounds=ROUNDS), NO_REWARD, _Log()
        for turn in range(ROUNDS):
            question = read_question((yield Ask("guesser", text, reward=owed)), open_ended=self.open_ended)
            log.questions.append(question)
            text, owed = NO, COST
            if question is None:
                if log.questions[-PATIENCE:] == [None] * PATIENCE:
                    # The questions that are left are paid as if they had been no better.
                    numbers = log.numbers(WORST, STEP * (ROUNDS - turn))
                    return Outcome.aborted("guesser", f"{PATIENCE} replies in a row are no questions", **numbers)
            elif self._named(question) == target:
                score = normalised(STEP * turn, WORST, self.average, self.best)
                return Outcome.success(score, f"the {self.field} was named", **log.numbers(STEP * turn, 0.0))
            elif turn < ROUNDS - 1:
                asked = PROMPTS[f"{self.name}_oracle"].format(target=target, question=question)
                said = self._read((yield Ask("oracle", asked, remember=False, reward=owed)), target, log)
                if said is None:
                    return Outcome.aborted("oracle", self._fault, **log.numbers(STEP * (turn + 1), None))
                text, owed = said, NO_REWARD
        return Outcome.lose(0.0, "out of questions", **log.numbers(WORST, STEP))

    _fault: ClassVar[str] = "the answer holds neither yes nor no"

    def _named(self, question: str) -> str | None:
        """What a question names."""
        return objects.named(question)

    def _read(self, reply: str, target: str, log: _Log) -> str | None:
        """The oracle's answer as the guesser is told it; None if it is none."""
        return read_yes_no(reply)

    def max_turns(self, instance: Instance) -> int:
        """Twenty questions and all answers but the last."""
        return 2 * ROUNDS - 1

    def generate(self, experiment: str, rng: Random) -> Instance:
        """One of the list."""
        return {self.field: rng.choice(self.names)}

    def key(self, instance: Instance) -> str:
        """Splits share nothing that is hidden."""
        return instance[self.field]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A guesser and an oracle who know the tables."""
        if style == "breaker":
            return lambda messages: "Let us talk about something else." if role == "guesser" else "..."
        if role == "oracle":
            return lambda messages: self._answer(view[self.field], messages[-1]["content"].rpartition("\n")[2])
        search = self._search()

        def best(messages: Sequence[Mapping[str, str]]) -> str:
            said = [message["content"] for message in messages]
            return search.best(search.left(tuple(zip(said[1::2], said[2::2], strict=True))))

        return best

    @staticmethod
    def _answer(name: str, question: str) -> str:
        return objects.answer(name, question)

    @staticmethod
    @functools.cache
    def _search() -> Search:
        return Search(objects.NAMES, objects.QUESTIONS, objects.ask_for, objects.answer)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The name at once, or after questions of no use."""
        asked = ["Is it made of cheese?", NO] * (last * (ROUNDS - 1))
        search = self._search()
        return [*asked, search.naming[search.places[instance[self.field]]]]

    def behave(self, policy: str, instance: Instance, rng: Random) -> list[str]:
        """The replies of one of `policies` and of the scripted oracle, in order."""
        search, target = self._search(), instance[self.field]
        if policy == "best":
            return search.greedy(target)
        return search.mix(target, self.shape, rng) if policy == "mix" else search.uniform(target, rng)


class GuessMyCity(TwentyQuestions):
    """Find a city in twenty questions of any kind, each of which costs a point."""

    name = "guess_my_city"
    sizes: ClassVar[Mapping[str, int]] = {"train": 58, "validation": 18, "test": 24}
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {"guesser": (), "oracle": ("city",)}
    field = "city"
    names = cities.NAMES
    open_ended = True
    shape = Shape(17, 0.45, 0.95)
    average = -18.76
    best = -1.74

    _fault = "the answer says nothing"

    def _named(self, question: str) -> str | None:
        return cities.named(question)

    def _read(self, reply: str, target: str, log: _Log) -> str | None:
        said = read_answer(reply)
        if said is not None and cities.gives_away(target, said):
            log.leaks += 1
            return guide.REFUSAL
        return said

    @staticmethod
    def _answer(name: str, question: str) -> str:
        return guide.answer(name, question)

    @staticmethod
    @functools.cache
    def _search() -> Search:
        return Search(cities.NAMES, guide.QUESTIONS, cities.ask_for, guide.answer)


class _Log:
    """What an episode is counted by."""

    def __init__(self):
        self.questions: list[str | None] = []
        self.leaks = 0

    def numbers(self, total: float, last: float | None) -> dict[str, Any]:
        """Metrics and the last turn's reward, as arguments of an outcome."""
        malformed = self.questions.count(None)
        metrics = {"return": total, "questions": len(self.questions), "malformed": malformed, "leaks": self.leaks}
        return {"metrics": metrics, "reward": {} if last is None else {"guesser": last}}
