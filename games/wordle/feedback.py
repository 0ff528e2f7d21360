"""Wordle's feedback, and clembench's two measures of how a guess used it."""

from __future__ import annotations

import re
from collections.abc import Sequence

COLOURS = {"g": "green", "y": "yellow", "r": "red"}
_SHOWN = re.compile(r"([a-z])<(green|yellow|red)>")


def mark(target: str, guess: str) -> str:
    """Marks each letter of a guess: g right place, y elsewhere in the word, r not (or not once more) in it.

    Greens are taken out of the target first; each other letter of the target then pays for one yellow, from the left.
    """
    if target == guess:
        return "g" * len(target)
    left = [letter for letter, other in zip(target, guess, strict=True) if letter != other]
    marks = []
    for letter, other in zip(guess, target, strict=True):
        if letter == other:
            marks.append("g")
        elif letter in left:
            left.remove(letter)
            marks.append("y")
        else:
            marks.append("r")
    return "".join(marks)


def show(guess: str, marks: str) -> str:
    """The feedback as players see it: `c<green> r<red> ...`."""
    return " ".join(f"{letter}<{COLOURS[colour]}>" for letter, colour in zip(guess, marks, strict=True))


def read(text: str) -> list[tuple[str, str]]:
    """All (guess, marks) that a text shows, the inverse of `show`; words have five letters."""
    found = _SHOWN.findall(text)
    rows = [found[start : start + 5] for start in range(0, len(found) - 4, 5)]
    return [("".join(letter for letter, _ in row), "".join(colour[0] for _, colour in row)) for row in rows]


def closeness(marks: str) -> int:
    """5 for a green and 3 for a yellow, at most 25."""
    return 5 * marks.count("g") + 3 * marks.count("y")


def strategy(rows: Sequence[tuple[str, str]], aborted: bool) -> list[int]:
    """How each guess used the letters of the one before (rules/clembench-training-games.md 3.2).

    Args:
        rows: (guess, marks) in order.
        aborted: Whether the episode was aborted.
    """
    if len(rows) == 1:
        return [0 if aborted else 100]
    scores = [0] if rows else []
    for (guess, marks), (following, _) in zip(rows, rows[1:], strict=False):
        letters = set(following)
        by_colour = {colour: {c for c, m in zip(guess, marks, strict=True) if m == colour} for colour in "gyr"}
        scores.append(
            20 * len(by_colour["g"] & letters) + 10 * len(by_colour["y"] & letters) - 20 * len(by_colour["r"] & letters)
        )
    return scores
