"""What our own rules do not let the guesser ask: how the word is written, and for one single candidate.

Words such as "letter", "long" or "start" are no fault by themselves: a letter can be posted and a match can start with
a whistle. Only what can hardly be about a meaning counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import NamedTuple

MAX_LENGTH = 500
"""Characters of a question; it also keeps the work on hostile text small."""

_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d`", "''\"\"'")
_NUMBER = r"(?:\d+|an? (?:even|odd) number of|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_WHICH = (
    r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|last|final|middle|initial|starting|double|repeated|silent"
    r"|capital|upper-?case|lower-?case|number of|same)"
)
_ENDS = r"\b(?:start|begin|end|finish)(?:s|es|ing|ning)? (?:with|in|on|by) "
_WORD = r"(?:word|name)"

_LETTER = r"['\"(]?[b-z](?=['\")]|,|$| (?:or|and|in|as)\b)"


class _Form(NamedTuple):
    """Questions about one side of how a word is written.

    Attributes:
        name: What they are about.
        hints: One of these is in every such question; looking for them is much quicker than the pattern.
        pattern: What such a question says.
    """

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


def _form(name: str, hints: str, *patterns: str) -> _Form:
    return _Form(name, tuple(hints.split()), re.compile("|".join(patterns)))


_FORMS = (
    _form(
        "letters",
        "letter character vowel consonant alphabet",
        r"\b(?:vowel|consonant|alphabet)",
        rf"\b{_WHICH} letters?\b",
        rf"\b{_NUMBER}(?: or (?:more|fewer|less))?[ -](?:different |distinct )?(?:letter|character)s?\b",
        r"\b(?:more|fewer|less) letters than\b",
        rf"\bletters? in (?:it\b|its {_WORD}|(?:the|this|that|your) (?:\w+ )?{_WORD})",
        rf"\b{_WORD} (?:contain|have|has|include)s? (?:the|an?|any) letters?\b",
        r"\bthe letters? ['\"(]?[a-z]\b",
    ),
    _form("letters", "' \"", r"(?<!\w)['\"][a-z]['\"](?!\w)"),
    _form("letters", "contain include has have there", rf"\b(?:contains?|includes?|has|have|there) (?:an? )?{_LETTER}"),
    _form(
        "letters",
        "start begin end finish",
        rf"{_ENDS}(?:an? )?{_LETTER}",
        rf"{_ENDS}a(?:$| or [a-z]\b)",
        rf"{_ENDS}(?:['\"]-?[a-z]{{1,4}}-?['\"]|-[a-z])",
        rf"{_ENDS}(?:ing|ed|ly|tion|ness|ment|ity|ism)\b",
    ),
    _form(
        "length",
        "long short length",
        rf"\b(?:long|longer|longest|short|shorter|shortest) {_WORD}\b",
        rf"\blength of (?:the|this|that|your|its) (?:\w+ )?{_WORD}\b",
        rf"\b{_WORD}(?:'s)? length\b",
        rf"\b{_WORD} (?:long|short)$",
    ),
    _form(
        "syllables or sound",
        "syllab rhym pron homo",
        r"syllab",
        r"\brhym(?:e|es|ing) with\b",
        r"\bpron(?:ounced|unciation)\b",
        r"\bhomo(?:phon|nym)",
    ),
    _form(
        "spelling",
        "spel case capital palindrome anagram prefix suffix hyphen compound",
        r"\bspel(?:t|led|ling of)\b",
        r"\b(?:upper|lower)[ -]?case\b",
        r"\bcapitali[sz]ed\b",
        r"\b(?:palindrome|anagram|prefix|suffix|hyphen|compound word)",
    ),
    _form(
        "part of speech",
        "noun verb adjective preposition conjunction interjection gerund participle speech grammatical plural singular",
        r"\b(?:noun|verb|adjective|adverb|pronoun|preposition|conjunction|interjection|gerund|participle)s?\b",
        r"\bparts? of speech\b",
        r"\bgrammatical",
        rf"\b(?:it|{_WORD}) (?:in the )?(?:plural|singular)\b",
        rf"\b(?:plural|singular) (?:form|{_WORD})\b",
    ),
)
_ONE_WORD = re.compile(
    r"(?:is|was|are) (?:it|this|that|they|(?:\w+ ){0,3}?(?:word|answer|target))"
    r"(?: (?:just|simply|perhaps|maybe|called|the word|one of:?|an?|the|some)){0,3} ['\"]?([\w-]+)['\"]?"
)


def normal(text: str) -> str:
    """Lower case, compatibility forms resolved, nothing invisible, straight quotes, single blanks."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isprintable()).translate(_STRAIGHT)
    return " ".join(text.lower().split())


def asked_form(question: str) -> str | None:
    """What a question wants to know about how the word is written, None if nothing.

    Args:
        question: As `normal` gives it, without the question mark.
    """
    for form in _FORMS:
        if any(hint in question for hint in form.hints) and form.pattern.search(question):
            return form.name
    return None


def asked_word(question: str, candidates: Collection[str]) -> str | None:
    """The candidate that a question names as the whole answer: a guess in disguise.

    Args:
        question: As `normal` gives it, without the question mark.
        candidates: In lower case.
    """
    found = _ONE_WORD.fullmatch(question)
    return found[1] if found and found[1] in candidates else None
