"""The lists: hidden words and guesses that count (CONTENT.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, eq=False)
class WordList:
    """A list of words; equal to itself only, which makes it a cheap key of caches.

    Attributes:
        words: In alphabetical order.
        known: The same, to look words up.
    """

    words: tuple[str, ...]
    known: frozenset[str]


def _read(name: str) -> WordList:
    words = tuple((Path(__file__).parent / "data" / name).read_text(encoding="ascii").split())
    return WordList(words, frozenset(words))


LONG = _read("words.txt")
SHORT = _read("short.txt")
"""A part of `LONG`."""
