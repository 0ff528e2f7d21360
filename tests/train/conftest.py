"""Fixtures of the tests of training."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from playpen_eval.game import Ask, Game, Instance, Outcome


class Relay(Game):
    """The sender says a word, the receiver repeats it; in between each is asked something that it forgets."""

    name = "relay"
    roles = ("sender", "receiver")

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        preface = (("rules", "fine"),)
        said = yield Ask("sender", "send", preface=preface)
        guess = yield Ask("receiver", "aside", remember=False, max_tokens=3, preface=preface)
        heard = yield Ask("receiver", said, reward={"sender": 0.25, "receiver": 0.5})
        last = yield Ask("sender", "again", reward={"receiver": 1.0})
        if heard != said or not guess:
            return Outcome.lose(score=0.5, reward={"sender": -1.0})
        if last == "stop":
            return Outcome.aborted("sender")
        return Outcome.success(reward={"sender": 2.0})

    def max_turns(self, instance: Instance) -> int:
        return 4


@pytest.fixture
def relay() -> Relay:
    """A game with a preface, a forgotten exchange and per-turn rewards."""
    return Relay()
