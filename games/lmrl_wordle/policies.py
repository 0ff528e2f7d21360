"""Behaviour policies, and the greedy one that scripted players follow."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from .feedback import marks_of
from .words import WordList

RANDOM = 0.66
"""Share of the data's guesses that are drawn from the whole list (appendix C.3)."""

ROUNDS = 6

Rows = tuple[tuple[str, str], ...]
"""(guess, marks) so far."""


def consistent(rule: str, words: Sequence[str], guess: str, marks: str) -> list[str]:
    """The words that a guess with its marks leaves."""
    row = marks_of(rule, guess)
    return [word for word in words if row[word] == marks]


@functools.lru_cache(maxsize=4096)
def _left(lexicon: WordList, rule: str, rows: Rows) -> tuple[str, ...]:
    return tuple(consistent(rule, _left(lexicon, rule, rows[:-1]), *rows[-1])) if rows else lexicon.words


def _entropy(rule: str, guess: str, words: Sequence[str]) -> float:
    row = marks_of(rule, guess)
    counts = Counter(map(row.__getitem__, words)).values()
    return -math.fsum(count * math.log(count) for count in counts)


@functools.lru_cache(maxsize=4096)
def greedy(lexicon: WordList, rule: str, rows: Rows) -> str:
    """Of the words that can still be hidden the one whose marks tell most."""
    words = _left(lexicon, rule, rows) or lexicon.words
    return max(words, key=lambda guess: _entropy(rule, guess, words))


def _play(lexicon: WordList, instance: Mapping[str, Any], choose: Callable[[Sequence[str]], str]) -> list[str]:
    rule, target = instance["feedback"], instance["target"]
    words, said = lexicon.words, []
    while len(said) < ROUNDS and (not said or said[-1] != target):
        said.append(choose(words))
        words = consistent(rule, words, said[-1], marks_of(rule, said[-1])[target])
    return said


def mix(lexicon: WordList, instance: Mapping[str, Any], rng: Random) -> list[str]:
    """The data: 66% of the guesses from the whole list, the others from those that can still be hidden."""
    return _play(lexicon, instance, lambda words: rng.choice(lexicon.words if rng.random() < RANDOM else words))


def uniform(lexicon: WordList, instance: Mapping[str, Any], rng: Random) -> list[str]:
    """Guesses from the whole list."""
    return _play(lexicon, instance, lambda words: rng.choice(lexicon.words))


def fitting(lexicon: WordList, instance: Mapping[str, Any], rng: Random) -> list[str]:
    """Guesses from the words that can still be hidden."""
    return _play(lexicon, instance, rng.choice)


def best(lexicon: WordList, instance: Mapping[str, Any], rng: Random) -> list[str]:
    """Greedy guesses, the paper's upper bound."""
    rule, target, rows = instance["feedback"], instance["target"], ()
    while len(rows) < ROUNDS and (not rows or rows[-1][0] != target):
        guess = greedy(lexicon, rule, rows)
        rows = (*rows, (guess, marks_of(rule, guess)[target]))
    return [guess for guess, _ in rows]


POLICIES = {"mix": mix, "random": uniform, "fitting": fitting, "best": best}
