"""What a clue or a guess says, and whether a clue says what it must not."""

from __future__ import annotations

import functools
import re
import string
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from snowballstemmer.english_stemmer import EnglishStemmer

_stemmer = EnglishStemmer()
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_SPELLED = re.compile(r"(?<![a-z])[a-z](?:[\W_]+[a-z](?![a-z])){2,}")
_INNER = re.compile(r"[^\w\s]+|[\d_]+")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201b": "'"})

STOP_WORDS = frozenset((Path(__file__).parent / "stop_words.txt").read_text(encoding="ascii").split())
"""Function words that a clue cannot do without: the entries without apostrophe of the usual English list (clembench's).

An entry with an apostrophe could never match, since clues lose theirs first.
"""


@functools.lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """English stem as NLTK's Snowball stemmer gives it, which clembench's rules are defined by."""
    word = word.lower()
    if len(word) <= 2:
        return word
    return _stemmer.stemWord(word.translate(_APOSTROPHES).removeprefix("'"))


def plain(text: str) -> str:
    """Lower case, compatibility forms resolved, invisible characters and accents removed, curly quotes straight."""
    if text.isascii() and text.isprintable():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    shown = [c for c in decomposed if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Mn")]
    return "".join(shown).lower()


def forbidden_word(clue: str, words: Iterable[str]) -> str | None:
    """The first of `words` that a clue says: as it is, inflected, inside another word, or spelled out.

    Args:
        clue: The clue without its tag.
        words: The target and the related words.
    """
    text = plain(clue)
    said = _WORD.findall(text)
    stems = {stem(word) for word in said}
    joined = _INNER.sub("", text)  # win-ter
    spelled = "\n".join([re.sub(r"[^a-z]", "", run) for run in _SPELLED.findall(text)])
    for word in words:
        bare = plain(word)
        if stem(bare) in stems or bare in spelled:
            return word
        if (len(bare) > 3 and bare in joined) or (" " in bare and bare in text):
            return word
    return None


def clembench_forbidden_word(clue: str, words: Iterable[str]) -> str | None:
    """As clembench decides it (clembench of July 2025): equal stems of blank-separated pieces."""
    tokens = clue.strip().lower().translate(_NO_PUNCTUATION).split(" ")
    stems = {stem(token) for token in tokens if token not in STOP_WORDS}
    return next((word for word in words if stem(word) in stems), None)


def guessed_word(text: str) -> str:
    """The word of a guess: without quotes, punctuation, case and a leading article."""
    guess = _EDGES.sub("", " ".join(plain(text).split()))
    return guess.removeprefix("the ").removeprefix("an ").removeprefix("a ").removeprefix("to ")


def clembench_guessed_word(text: str) -> str:
    """As clembench reads it: punctuation goes after the strip, so a blank before it stays."""
    return text.strip().lower().translate(_NO_PUNCTUATION)
