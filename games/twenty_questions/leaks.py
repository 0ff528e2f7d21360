"""Whether an answer gives a name away, however it is spelled."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from .reading import plain

_CONTINENTS = re.compile(r"\b(?:north|south|central|latin)(?:ern)?[ -]american?\b")
_INNOCENT = frozenset((Path(__file__).parent / "data" / "innocent.txt").read_text(encoding="ascii").split())
"""Common words that hold one of the names by chance."""

_DIGITS = str.maketrans("034578@$!", "oeastbasi")
_TABLES = ({}, _DIGITS | str.maketrans("1", "i"), _DIGITS | str.maketrans("1", "l"))
_ALIKE = str.maketrans("l1", "ii")
"""What looks like a capital i."""
_RUN = re.compile(r"[a-z]+")
_US = re.compile(r"(?<!\w)U\W*S(?!\w)")
_SHORT = 3
"""Names of so few letters count as whole words only: they are in too many others."""


def leaks(text: str, names: Iterable[str]) -> bool:
    """Whether a text holds one of the names.

    They are found as words and inside of words, whatever the case, accents, punctuation, blanks or digits for letters;
    also letter by letter among other words, and as words that run backwards. A text with letters that are not Latin, or
    with symbols such as flags, counts as a leak, since names can hide in them. America is not found in the name of a
    continent, and "US" in capitals only.

    Args:
        text: One line.
        names: Names as `reading.key` makes them.
    """
    names = tuple(names)
    if "us" in names and _US.search(text):
        return True
    lower = plain(html.unescape(text))
    if any(map(_foreign, lower)):
        return True
    lower = _CONTINENTS.sub("|", lower)
    if any(_is_one(word, names) for word in lower.split()):
        return True
    tables = _TABLES if any(map(str.isdigit, lower)) or any(c in lower for c in "@$!") else _TABLES[:1]
    return any(
        _holds(list(_tokens(lower.translate(table))), name) for table in tables for name in names if name != "us"
    )


def _foreign(character: str) -> bool:
    """Neither ASCII nor punctuation, a currency, a blank or a degree."""
    if character.isascii() or character == "\N{DEGREE SIGN}":
        return False
    category = unicodedata.category(character)
    return category != "Sc" and category[0] not in "PZ"


def _tokens(text: str) -> Iterator[list[str]]:
    """The pieces of letters in each part between blanks, without innocent words."""
    for token in text.split():
        yield [run for run in _RUN.findall(token) if run not in _INNOCENT]


def _is_one(word: str, names: Iterable[str]) -> bool:
    """Whether a word is a name with letters that look alike, or a name from its end to its beginning."""
    alike = "".join(filter(str.isalnum, word)).translate(_ALIKE)
    forms = (alike, alike[::-1])
    return len(alike) > _SHORT and any(name.translate(_ALIKE) in forms for name in names)


def _holds(tokens: list[list[str]], name: str) -> bool:
    for token in tokens:
        glued = "".join(token)
        if glued == name or (len(name) > _SHORT and name in glued):
            return True
    pieces = [piece for token in tokens for piece in token]
    if len(name) > _SHORT and name in "".join(piece for piece in pieces if len(piece) == 1):
        return True
    joined, begins, at = "".join(pieces), set[int](), 0
    for piece in pieces:
        begins.add(at)
        at += len(piece)
    begins.add(at)
    start = joined.find(name)
    while start >= 0:
        end = start + len(name)
        inner = sum(place in begins for place in range(start + 1, end))
        aligned = start in begins and end in begins
        # Spelled letter by letter, or cut into pieces that begin and end where the name does.
        if (aligned and (len(name) > _SHORT or inner == len(name) - 1)) or (
            len(name) > _SHORT and inner >= len(name) - 2
        ):
            return True
        start = joined.find(name, start + 1)
    return False
