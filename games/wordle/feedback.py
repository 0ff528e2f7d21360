"""Wordle's feedback, and clembench's two measures of how a guess used it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from operator import add

_STRATEGY = {"g": 20, "y": 10, "r": -20}
_SHOWN = re.compile(r"([a-z])<(green|yellow|red)>")


def mark(target: str, guess: str) -> str:
    """Marks each letter of a guess: g right place, y elsewhere in the word, r not (or not once more) in it.

    Greens are taken out of the target first; each other letter of the target then pays for one yellow, from the left.
    """
    if target == guess:
        return "g" * len(target)
    left = target
    for letter, other in zip(guess, target):
        if letter == other:
            left = left.replace(letter, "", 1)
    marks = []
    for letter, other in zip(guess, target):
        if letter == other:
            marks.append("g")
        elif letter in left:
            left = left.replace(letter, "", 1)
            marks.append("y")
        else:
            marks.append("r")
    return "".join(marks)


class _Cells(dict[str, str]):
    """Letter and mark -> what players see, filled as it is needed."""

    def __missing__(self, key: str) -> str:
        cell = self[key] = key[:-1] + {"g": "<green>", "y": "<yellow>", "r": "<red>"}[key[-1]]
        return cell


_CELLS = _Cells()


def show(guess: str, marks: str) -> str:
    """The feedback as players see it: `c<green> r<red> ...`."""
    return " ".join(map(_CELLS.__getitem__, map(add, guess, marks)))


def read(text: str) -> list[tuple[str, str]]:
    """All (guess, marks) that a text shows, the inverse of `show`; words have five letters."""
    found = _SHOWN.findall(text)
    rows = [found[start : start + 5] for start in range(0, len(found) - 4, 5)]
    return [("".join(letter for letter, _ in row), "".join(colour[0] for _, colour in row)) for row in rows]


def closeness(marks: str) -> int:
    """5 for a green and 3 for a yellow, at most 25."""
    return 5 * marks.count("g") + 3 * marks.count("y")


def strategy(rows: Sequence[tuple[str, str]], aborted: bool) -> list[int]:
    """How each guess used the letters of the one before (clembench of July 2025).

    Args:
        rows: (guess, marks) in order.
        aborted: Whether the episode was aborted.
    """
    if len(rows) == 1:
        return [0 if aborted else 100]
    scores = [0] if rows else []
    for (guess, marks), (following, _) in itertools.pairwise(rows):
        # A letter counts once for each colour that it has.
        used = set(zip(guess, marks, strict=True))
        scores.append(sum([_STRATEGY[colour] for letter, colour in used if letter in following]))
    return scores
