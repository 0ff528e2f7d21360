"""Two rules of marking a guess, and how marks are shown."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping

from ..wordle.feedback import mark as mark_counted
from .words import LONG

_COUNTED = str.maketrans("r", "b")
_SHOWN = re.compile(r"((?:[a-z] ){4}[a-z])\n((?:[gyb] ){4}[gyb])")


def mark_loose(target: str, guess: str) -> str:
    """LMRL-Gym's marks: g right place, y anywhere in the target, b not in it; letters are not counted."""
    pairs = zip(guess, target, strict=True)
    return "".join("g" if letter == other else "y" if letter in target else "b" for letter, other in pairs)


def mark_standard(target: str, guess: str) -> str:
    """The marks of the published game, which count letters."""
    return mark_counted(target, guess).translate(_COUNTED)


MARKS: Mapping[str, Callable[[str, str], str]] = {"loose": mark_loose, "standard": mark_standard}
"""Rule -> (target, guess) -> marks."""


@functools.cache
def marks_of(rule: str, guess: str) -> Mapping[str, str]:
    """Word of the long list -> the marks of a guess if it is the target."""
    return {target: MARKS[rule](target, guess) for target in LONG.words}


def show(guess: str, marks: str) -> str:
    """A guess over its marks, spaced so that every letter is a token of its own."""
    return f"{' '.join(guess)}\n{' '.join(marks)}"


def read(text: str) -> tuple[str, str] | None:
    """The inverse of `show`; None for any other text."""
    found = _SHOWN.fullmatch(text)
    return (found[1].replace(" ", ""), found[2].replace(" ", "")) if found else None
