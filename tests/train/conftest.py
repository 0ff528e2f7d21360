"""Fixtures of the tests of training."""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playpen_eval.train.callbacks import Progress
from playpen_eval.train.session import Session
from tiny import make_game, make_model

from playpen_eval.game import Ask, Game, Instance, Outcome
from playpen_eval.registry import ENV


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


@pytest.fixture(scope="session")
def one_thread() -> None:
    """One thread of torch, which is best for tiny models."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model(tmp_path_factory, one_thread) -> Path:
    """The folder of a tiny model."""
    return make_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def caught(monkeypatch) -> list[Any]:
    """The trainers that were made, instead of a training."""
    trainers: list[Any] = []
    monkeypatch.setattr(Session, "train", lambda self, trainer, *_, **__: trainers.append(trainer) or [])
    return trainers


@pytest.fixture
def stopped(monkeypatch) -> Callable[[int], AbstractContextManager[None]]:
    """Contexts in which Ctrl-C comes at the end of a step."""
    moved = Progress.on_step_end

    @contextmanager
    def at(step: int) -> Generator[None, None, None]:
        def stop(self, args, state, control, **more):
            moved(self, args, state, control, **more)
            if state.global_step == step:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Progress, "on_step_end", stop)
            yield

    return at


@pytest.fixture
def games(tmp_path, monkeypatch) -> Callable[..., None]:
    """Puts outside games into reach: names, and whether they are held out."""

    def make(*names: str, held_out: bool = False) -> None:
        for name in names:
            make_game(tmp_path / "games", name, held_out=held_out)
        monkeypatch.setenv(ENV, str(tmp_path / "games"))

    return make
