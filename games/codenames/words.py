"""The words of the boards, and what WordNet tells of a clue; files are read when they are first needed."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

_DATA = Path(__file__).parent / "data"

# In this order; a form may match several.
_ENDINGS = (
    ("s", ""),
    ("ses", "s"),
    ("ves", "f"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
)
_LONGEST = 40
"""No noun of WordNet is longer, nor one that a single ending makes."""


def _lines(name: str) -> tuple[str, ...]:
    return tuple((_DATA / f"{name}.txt").read_text(encoding="ascii").splitlines())


@functools.lru_cache
def word_list(name: str) -> tuple[str, ...]:
    """The words of one kind, such as `concrete`."""
    return _lines(name)


@functools.lru_cache
def categories() -> Mapping[str, tuple[str, ...]]:
    """Category -> its words; no word is in two of them."""
    parts = (line.partition(": ") for line in _lines("categories"))
    return MappingProxyType({name: tuple(words.split()) for name, _, words in parts})


@functools.lru_cache
def _nouns() -> frozenset[str]:
    return frozenset(_lines("nouns"))


@functools.lru_cache
def _exceptions() -> Mapping[str, tuple[str, ...]]:
    lines = map(str.split, _lines("noun_exceptions"))
    return MappingProxyType({form: tuple(bases) for form, *bases in lines})


def _without_endings(forms: Iterable[str]) -> list[str]:
    return [form[: -len(old)] + new for form in forms for old, new in _ENDINGS if form.endswith(old)]


def _within_reach(word: str) -> str:
    """What repeated endings leave of a very long word where it may be a noun again, in linear time.

    Only a final s makes way for another ending: of the forms of "...ses" the one in "s" goes on, of "...ss" the one
    without its last letter, and every other one ends in a letter with which no ending ends.
    """
    length = len(word)
    while length > _LONGEST:
        if word.endswith("ses", 0, length):
            length -= 2
        elif word.endswith("ss", 0, length):
            length -= 1
        else:
            break
    return word[:length]


def noun_forms(word: str) -> list[str]:
    """The nouns of WordNet that a word can be a form of, itself included, as NLTK 3.8 finds them.

    Endings are tried again and again, until there is a noun.

    Args:
        word: One word in lower case.
    """
    nouns, bases = _nouns(), _exceptions().get(word)
    if bases is not None:
        return [form for form in (word, *bases) if form in nouns]
    reached = _within_reach(word)
    if len(reached) > _LONGEST:
        return []
    forms = _without_endings([reached])
    found = [form for form in (reached, *forms) if form in nouns]
    while forms and not found:
        forms = _without_endings(forms)
        found = [form for form in forms if form in nouns]
    return found


def noun_lemma(word: str) -> str:
    """NLTK's lemma: the shortest of the forms, or the word itself if there are none; "men" for men, "bos" for boss."""
    return min(noun_forms(word), key=len, default=word)


# Words of boards come again and again; clues can be of any length and number.
_board_lemma = functools.lru_cache(maxsize=8192)(noun_lemma)


@functools.lru_cache(maxsize=8192)
def _board_forms(word: str) -> frozenset[str]:
    return frozenset((word, *noun_forms(word)))


def same_lemma(clue: str, words: Iterable[str]) -> str | None:
    """The first of some board words that has the same noun lemma as the clue."""
    lemma = noun_lemma(clue)
    return next((word for word in words if _board_lemma(word) == lemma), None)


def related(clue: str, words: Iterable[str]) -> str | None:
    """The first of some board words that is in the clue, that the clue is in, or that shares a form with it."""
    forms = noun_forms(clue)
    for word in words:
        if word in clue or clue in word or not _board_forms(word).isdisjoint(forms):
            return word
    return None
