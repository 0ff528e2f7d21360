"""Scripted players that share a code: a made-up clue tells by its letters which words of the board are meant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from playpen_eval.game import ScriptedPlayer, View

_HEX = "0123456789abcdef"
_LETTERS = "bcdfghjkmnpqrtvw"
_ENCODE, _DECODE = str.maketrans(_HEX, _LETTERS), str.maketrans(_LETTERS, _HEX)
_START = "zx"
_CODE = re.compile(rf"\b{_START}([{_LETTERS}]+)\b")
_TEAM = re.compile(r"^Your (?:remaining )?team(?:'s)? words(?: are)?: (.*?)\.?$", re.MULTILINE)

Messages = Sequence[Mapping[str, str]]


def encode(board: Sequence[str], words: Sequence[str]) -> str:
    """A clue for some words of the board, one letter for four places.

    It has no vowel and begins as no word does, so it contains no word and is in none.
    """
    bits = sum(1 << place for place, word in enumerate(board) if word in words)
    return _START + f"{bits:x}".translate(_ENCODE)


def decode(board: Sequence[str], clue: str) -> list[str]:
    """The words of the board that a clue means."""
    bits = int(clue.removeprefix(_START).translate(_DECODE), 16)
    return [word for place, word in enumerate(board) if bits >> place & 1]


def clue_for(board: Sequence[str], words: Sequence[str]) -> str:
    """The cluegiver's reply."""
    return f"CLUE: {encode(board, words)}\nTARGETS: {', '.join(words)}"


def guess_of(words: Sequence[str]) -> str:
    """The guesser's reply."""
    return f"GUESS: {', '.join(words)}"


def cluegiver(view: View) -> ScriptedPlayer:
    """Means all words that its last message lists as the team's."""

    def reply(messages: Messages) -> str:
        listed = _TEAM.search(messages[-1]["content"])
        words = listed[1].split(", ") if listed else view["assignments"]["team"]
        return clue_for(view["board"], words)

    return reply


def guesser(view: View) -> ScriptedPlayer:
    """Reads the code; of a clue that is none, or of words uncovered since, it takes the first hidden word."""

    def reply(messages: Messages) -> str:
        text = messages[-1]["content"]
        hidden = text.rpartition("\n")[2].rpartition(": ")[2].split(", ")
        code = _CODE.search(text)
        meant = decode(view["board"], code[1]) if code else []
        return guess_of([word for word in meant if word in hidden] or hidden[:1])

    return reply


def breaker(_view: View) -> ScriptedPlayer:
    """Ignores the form that was asked for."""
    return lambda messages: "I like all of these words."
