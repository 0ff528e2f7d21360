"""The drills: what is to be done with a list of words, and lists to do it with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from .words import COLOURS, THINGS

LENGTH = 4

TASKS: Mapping[str, Callable[[Sequence[str]], list[str]]] = {
    "copy": list,
    "reverse": lambda words: list(reversed(words)),
    "last": lambda words: [words[-1]],
    "next": lambda words: [words[words.index(words[-1]) + 1]],
}
"""Experiment -> the answer to a list."""


def draw(task: str, rng: Random) -> list[str]:
    """A list of different words for a task; for `next` followed by one of them, which is not the last."""
    words = rng.sample(COLOURS + THINGS, LENGTH)
    return [*words, rng.choice(words[:-1])] if task == "next" else words
