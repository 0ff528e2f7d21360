"""How replies are read, and what an answer of EQ-Bench is worth."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping

LETTERS = "ABCDEFGHIJ"
YES_NO = ("yes", "no")
LETTER = r"answer is \(?([ABCDEFGHIJ])\)?"
"""The pattern of an answer, as clembench's experiments name it."""

_LETTER = re.compile(LETTER)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NUMBER = re.compile(r":\s+(\d+)")
_LONGEST = 100  # digits; such a number is too large however it goes on


def read_yes_no(reply: str) -> str | None:
    """The first word if it is yes or no, in any case and without punctuation."""
    word = next(iter(reply.split(maxsplit=1)), "").translate(_NO_PUNCTUATION).lower()
    return word if word in YES_NO else None


def read_letter(reply: str) -> str | None:
    """The letter of the only `answer is (X)` of a reply."""
    letters = _LETTER.findall(reply)
    return letters[0] if len(letters) == 1 else None


def read_intensities(reply: str) -> dict[str, int]:
    """All pairs of a word and a number, `word: number`; of several with the same word the last one."""
    found: dict[str, int] = {}
    end = 0
    # What the pattern (\w+):\s+(\d+) finds, without trying every letter of a long word.
    for number in _NUMBER.finditer(reply):
        start = number.start()
        while start > end and _is_word(reply[start - 1]):
            start -= 1
        if start < number.start():
            digits = number[1].lstrip("0") or "0"
            found[reply[start : number.start()]] = int(digits[:_LONGEST])
            end = number.end()
    return found


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def closeness(given: Mapping[str, int], target: Mapping[str, int]) -> float:
    """EQ-Bench's score of four intensities: 1 if all are right, about 0 for guesses, below 0 if they are far off."""
    return 1 - 0.07477 * sum(_distance(abs(given[name] - target[name])) for name in target)


def _distance(difference: int) -> float:
    """Small differences count less than they are."""
    if difference == 0 or difference > 5:
        return difference
    return 6.5 / (1 + math.exp(-1.2 * (difference - 4)))
