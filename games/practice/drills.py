"""The drills: what is to be done with a list of words, and lists to do it with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from .words import KINDS

LENGTH = 4
_ANIMALS = KINDS["animal"]

TASKS: Mapping[str, Callable[[Sequence[str]], list[str]]] = {
    "copy": list,
    "first": lambda words: [words[0]],
    "last": lambda words: [words[-1]],
    "animal": lambda words: [word for word in words if word in _ANIMALS],
}
"""Experiment -> the answer to a list."""


def draw(rng: Random) -> list[str]:
    """Words of different kinds, one of them an animal."""
    others = rng.sample([kind for kind in KINDS if kind != "animal"], LENGTH - 1)
    words = [rng.choice(KINDS[kind]) for kind in ["animal", *others]]
    rng.shuffle(words)
    return words
