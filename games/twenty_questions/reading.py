"""How questions and answers are read, whoever wrote them."""

from __future__ import annotations

import functools
import re
import unicodedata

WORDS = 40
"""Longest question and longest answer, in words."""
_CHARACTERS = 1000

_YES_NO = (
    "is|are|was|were|am|does|do|did|can|could|would|will|has|have|had|may|might|should|shall|must|"
    "isn't|aren't|wasn't|weren't|doesn't|don't|didn't|can't|couldn't|wouldn't|won't|hasn't|haven't"
)
_OPEN = "what|which|where|who|whose|whom|when|why|how|what's|where's|who's"
_BEFORE = "in|on|at|to|from|near|of|for|by|with|about|along|around|under|into|through"
_FORMS = {
    False: re.compile(rf"(?:{_YES_NO})\s\S.*", re.IGNORECASE),
    True: re.compile(rf"(?:{_YES_NO}|(?:(?:{_BEFORE})\s)?(?:{_OPEN}))\s\S.*", re.IGNORECASE),
}
_AROUND = " \"'`*_“”‘’"
_CURLY = str.maketrans("’‘“”", "''\"\"")
_ANSWER = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ħ": "h"}
)


def read_question(reply: str, *, open_ended: bool) -> str | None:
    """A question on one line, with its question mark; None if the reply is something else.

    Args:
        reply: What the guesser said.
        open_ended: Whether a question may begin with what, which, where and the like.
    """
    return _read_question(reply, open_ended) if len(reply) <= _CHARACTERS else None


@functools.lru_cache(maxsize=16384)
def _read_question(reply: str, open_ended: bool) -> str | None:
    words = reply.translate(_CURLY).split()
    text = " ".join(words).strip(_AROUND).rstrip("? ")
    while text and text[-1] in _AROUND and not _closes(text):
        text = text[:-1].rstrip()
    if len(words) > WORDS or "?" in text or not _FORMS[open_ended].fullmatch(text):
        return None
    return f"{text[0].upper()}{text[1:]}?"


def _closes(text: str) -> bool:
    """Whether the last sign ends something quoted, as in `is it a "cat"`."""
    sign = re.escape(text[-1])
    return len(re.findall(rf"\B{sign}|{sign}\B", text)) % 2 == 0


def read_yes_no(reply: str) -> str | None:
    """The first yes or no of an answer, as the guesser is told it."""
    found = _ANSWER.search(reply[:_CHARACTERS])
    return f"{found[1].capitalize()}." if found else None


def read_answer(reply: str) -> str | None:
    """An answer of any kind on one line, cut where it is too long; None if it holds neither letter nor digit."""
    shown = "".join(c for c in reply[:_CHARACTERS] if c.isspace() or unicodedata.category(c)[0] != "C")
    text = " ".join(shown.split()[:WORDS])
    return text if any(map(str.isalnum, text)) else None


def plain(text: str) -> str:
    """Lower case, without accents and invisible characters; Latin letters that do not decompose are replaced."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).lower().translate(_LETTERS)
    return "".join(c for c in decomposed if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Mn"))


def key(text: str) -> str:
    """The letters and digits of a name, by which it is compared."""
    return "".join(filter(str.isalnum, plain(text)))


def plain_words(text: str) -> str:
    """The words of a text with single blanks between and around them, for `" word " in` and patterns."""
    return f" {' '.join(re.findall(r'[a-z0-9]+', plain(text).replace(chr(39), '')))} "


def plural(name: str) -> str:
    """The regular English plural."""
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in tuple("aeiou"):
        return f"{name[:-1]}ies"
    return f"{name}s"
