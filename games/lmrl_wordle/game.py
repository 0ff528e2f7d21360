"""LMRL-Gym's wordle: rules and instances; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from random import Random
from typing import ClassVar

from playpen_eval.game import NO_REWARD, Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts
from playpen_eval.lmrl import normalised

from .feedback import MARKS, read, show
from .policies import POLICIES, ROUNDS, greedy
from .words import LONG, SHORT, WordList

PROMPTS = read_texts(__file__)
STEP = -1.0
WORST = STEP * ROUNDS
PATIENCE = 3
"""Malformed replies in a row with which an episode is broken off."""

_AROUND = "\"'`*.!?"


def read_guess(reply: str) -> str | None:
    """The five letters of a reply; None if it is something else."""
    if len(reply) > 100:
        return None
    word = "".join(reply.split()).strip(_AROUND)
    return word.lower() if len(word) == 5 and word.isascii() and word.isalpha() else None


class LmrlWordle(Game):
    """Find a five-letter word in six guesses, each of which costs a point.

    Attributes:
        lexicon: Hidden words, and guesses that count.
        average: Rule for marks -> mean return of the data; scripts/constants.py computes it.
        best: Rule for marks -> mean return of greedy guesses.
    """

    name = "lmrl_wordle"
    suite = "lmrl"
    roles = ("guesser",)
    experiments = tuple(MARKS)
    sizes = {"train": 100, "validation": 25, "test": 50}
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {"guesser": ("feedback",)}
    policies = tuple(POLICIES)
    lexicon: ClassVar[WordList] = LONG
    average: ClassVar[Mapping[str, float]] = {"loose": -4.06, "standard": -4.04}
    best: ClassVar[Mapping[str, float]] = {"loose": -1.92, "standard": -1.91}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A guess is a turn; its point is paid with the next one."""
        target, rule = instance["target"], instance["feedback"]
        text = PROMPTS["guesser"].format(rounds=ROUNDS, marks=PROMPTS[rule])
        guesses: list[str | None] = []
        for turn in range(ROUNDS):
            reward = {"guesser": STEP} if turn else NO_REWARD
            guess = read_guess((yield Ask("guesser", text, reward=reward)))
            guesses.append(guess)
            if guess == target:
                score = normalised(STEP * turn, WORST, self.average[rule], self.best[rule])
                return Outcome.success(score, "the word was found", **self._numbers(guesses, STEP * turn, 0.0))
            if guess is None:
                text = PROMPTS["malformed"]
                if guesses[-PATIENCE:] == [None] * PATIENCE:
                    # The guesses that are left are paid as if they had been no better.
                    numbers = self._numbers(guesses, WORST, STEP * (ROUNDS - turn))
                    return Outcome.aborted("guesser", f"{PATIENCE} replies in a row are no guesses", **numbers)
            else:
                text = show(guess, MARKS[rule](target, guess)) if guess in self.lexicon.known else PROMPTS["unknown"]
        return Outcome.lose(0.0, "out of guesses", **self._numbers(guesses, WORST, STEP))

    def max_turns(self, instance: Instance) -> int:
        """Six guesses."""
        return ROUNDS

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A word of the list, and the experiment's rule for marks."""
        return {"target": rng.choice(self.lexicon.words), "feedback": experiment}

    def key(self, instance: Instance) -> str:
        """Splits share no word, not even with the other wordles."""
        return instance["target"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A guesser who knows the list and asks for the most information."""
        if style == "breaker":
            return lambda messages: "I have no idea, tell me the word."

        def best(messages: Sequence[Mapping[str, str]]) -> str:
            rows = tuple(filter(None, (read(message["content"]) for message in messages[2::2])))
            return " ".join(greedy(self.lexicon, view["feedback"], rows))

        return best

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The target, after wrong guesses."""
        wrong = next(word for word in self.lexicon.words if word != instance["target"])
        return [wrong] * (last * (ROUNDS - 1)) + [instance["target"]]

    def behave(self, policy: str, instance: Instance, rng: Random) -> list[str]:
        """The replies of one of `policies`, which knows all of the instance."""
        return [" ".join(guess) for guess in POLICIES[policy](self.lexicon, instance, rng)]

    def _numbers(self, guesses: Sequence[str | None], total: float, last: float) -> dict[str, Mapping[str, float]]:
        """Metrics and the last turn's reward, as arguments of an outcome."""
        metrics = {
            "return": total,
            "guesses": len(guesses),
            "unknown": sum(guess is not None and guess not in self.lexicon.known for guess in guesses),
            "malformed": guesses.count(None),
        }
        return {"metrics": metrics, "reward": {"guesser": last}}


class ShortLmrlWordle(LmrlWordle):
    """Find one of few five-letter words in six guesses: a wordle that small models learn in minutes."""

    name = "lmrl_wordle_short"
    suite = "practice_lmrl"
    experiments = ("loose",)
    sizes = {"train": 24, "validation": 4, "test": 4}
    lexicon = SHORT
    average = {"loose": -3.03}
    best = {"loose": -1.25}
