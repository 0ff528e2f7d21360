"""Counts sentences and words in capitals nearly as Google's IFEval does with nltk, but without nltk.

nltk's model of sentences (Punkt; Kiss and Strunk 2006) was trained on newspaper text that is not free, so the lists of
words in words/ are our own; the decisions follow the published method, and the tokens are cut as nltk cuts them. A
question or exclamation mark ends a sentence; a period does unless it belongs to an abbreviation, an initial or an
ellipsis.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from playpen_eval.game import read_texts

_WORDS = {name: frozenset(text.split()) for name, text in read_texts(__file__, "words").items()}
_ABBREVIATIONS = _WORDS["abbreviations"]  # neither ordinary words such as "no", nor, as with nltk, "e.g." and "etc."
_STARTERS = _WORDS["starters"]  # what begins a sentence if it has a capital letter after an abbreviation
_WORD_MARKS = ";:,.!?"
_CUT = r"[)\";}\]*:@'({\[?!]"  # ends a word although no blank does
_TOKEN = re.compile(
    rf"-{{2,}}|\.{{2,}}|[^(\"`{{\[:;&#*@)}}\]\-,\s]\S*?(?=\s|\Z|{_CUT}|--|\.\.|,(?=\Z|\s|{_CUT}|--|\.\.))|\S"
)
_MARK = re.compile(rf"[.?!](?={_CUT}|\Z)")
_CLOSING = re.compile(r"[\"')\]}]+?(?:\s+|(?=--)|$)", re.MULTILINE)
_NUMBER = re.compile(r"-?[.,]?\d[\d,.-]*")

_SPLIT = re.compile(r"[\[\](){}<>;@#$%&?!*`\"«»“”„‘’‒–—―]|--|''|\.{2,}|[:,](?!\d)")
_CLITIC = re.compile(r"(?<=[^'\s])('[sSmMdD]|'ll|'LL|'re|'RE|'ve|'VE|n't|N'T|')(?=\.?\s)")
_JOINED = re.compile(r"\b(CAN(?=NOT\b)|GIM(?=ME\b)|GON(?=NA\b)|GOT(?=TA\b)|LEM(?=ME\b)|WAN(?=NA\b))(\w+)")


def count_sentences(text: str) -> int:
    """The number of sentences of an English text."""
    bounds = [0, *(place for pair in _breaks(text) for place in pair), len(text.rstrip())]
    sentences = list(zip(bounds[::2], bounds[1::2], strict=True))
    count, moved = len(sentences), 0
    for (start, end), following in zip(sentences, [*sentences[1:], None], strict=True):
        # Closing quotes and brackets go to the sentence before them; then nothing may be left.
        closing = _CLOSING.match(text[slice(*following)]) if following else None
        count -= closing is None and start + moved >= end
        moved = closing.end() if closing else 0
    return count


def _breaks(text: str) -> Iterator[tuple[int, int]]:
    """Where a sentence ends, and where the next one starts."""
    for piece, following in pairwise([*re.finditer(r"\S+", text), None]):
        assert piece is not None  # only the last one is
        ends = [mark.end() for mark in _MARK.finditer(piece[0])]
        if following is None and ends and ends[-1] == len(piece[0]):
            ends.pop()  # the end of the text needs no decision
        if not ends:
            continue
        # Of several marks without a blank between them the last one counts.
        if ends[-1] == len(piece[0]) and following:
            start, context = following.start(), f"{piece[0]} {following[0]}"
        else:
            start, context = piece.start() + ends[-1], piece[0][: ends[-1] + 1]
        if any(_ends_sentence(token, after) for token, after in pairwise(_TOKEN.findall(context))):
            yield piece.start() + ends[-1], start


def _ends_sentence(token: str, after: str) -> bool:
    """Whether a sentence ends with a token that another one comes after."""
    if token in (".", "?", "!"):
        return True
    if token[-1] != ".":
        return False
    word, upper = token[:-1].lower(), after[0].isupper()
    inside = after[0].islower() or after in _WORD_MARKS
    if word.endswith("."):
        return upper
    if len(word) == 1 and word.isalpha():
        # Initials of names, and letters before options, end none; "so am I." and "from X to Y." may.
        return word in "abijoquxyz" and (after.lower() in _STARTERS if upper else not inside)
    if word in _ABBREVIATIONS or word.rpartition("-")[2] in _ABBREVIATIONS:
        return upper and after.lower() in _STARTERS
    return not (inside and _NUMBER.fullmatch(word))


def count_capital_words(text: str) -> int:
    """The number of words in capital letters; I'M and CANNOT are two words each, MOTHER-IN-LAW is one."""
    spaced = _SPLIT.sub(r" \g<0> ", text)
    spaced = _CLITIC.sub(r" \g<0>", f"{spaced} ")
    return sum(word.isupper() for word in _JOINED.sub(r"\1 \2", spaced).split())
