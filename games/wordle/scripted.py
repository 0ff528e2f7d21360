"""Scripted players: a guesser that maximises information, and a critic that knows the clues."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from playpen_eval.game import ScriptedPlayer, View

from .feedback import mark, read
from .words import ALLOWED_LIST, TARGETS, WORD_BY_CLUE

OPENER = "raise"
"""First guess of the guesser; among the words that leave the fewest targets on average."""

_ALL_TARGETS = sorted(word for words in TARGETS.values() for word in words)
_GUESS = re.compile(r"^guess:[ \t]*([a-z]+)[ \t]*$", re.MULTILINE)
_AGREEMENT = re.compile(r"^guess_agreement:[ \t]*(yes|no)", re.MULTILINE)

Rows = tuple[tuple[str, str], ...]


@functools.lru_cache(maxsize=4096)
def _candidates(rows: Rows) -> tuple[str, ...]:
    """Words that agree with all feedback: targets, or any allowed word if no target does."""
    if not rows:
        return tuple(_ALL_TARGETS)
    fitting = [word for word in _candidates(rows[:-1]) if mark(word, rows[-1][0]) == rows[-1][1]]
    if fitting:
        return tuple(fitting)
    return tuple(word for word in ALLOWED_LIST if all(mark(word, guess) == marks for guess, marks in rows))


@functools.lru_cache(maxsize=4096)
def best_guess(rows: Rows, excluded: frozenset[str], last: bool) -> str:
    """The guess that leaves the fewest candidates on average; a candidate among equals.

    Args:
        rows: (guess, marks) so far.
        excluded: Words not to say again.
        last: True in the last round, when only a candidate can help.
    """
    if not rows and OPENER not in excluded:
        return OPENER
    candidates = [word for word in _candidates(rows) if word not in excluded]
    if not candidates:
        return next((word for word in ALLOWED_LIST if word not in excluded), OPENER)
    if last or len(candidates) <= 2 or not rows:
        return candidates[0]
    pool = candidates if len(candidates) > 30 else candidates + [w for w in _ALL_TARGETS if w not in excluded]

    def remaining(guess: str) -> int:
        return sum(count * count for count in Counter(mark(word, guess) for word in candidates).values())

    return min(pool[:400], key=remaining)


def guesser(view: View) -> ScriptedPlayer:
    """Looks the clue up if there is one, otherwise plays for information; follows the critic."""

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        own = [g for m in messages if m["role"] == "assistant" for g in _GUESS.findall(m["content"])[-1:]]
        # The first message is the prompt; feedback in it could only be an example.
        rows = tuple(row for m in messages[1:] if m["role"] == "user" for row in read(m["content"]))
        agreement = _AGREEMENT.search(messages[-1]["content"]) if len(messages) > 1 else None
        if own and agreement and agreement[1] == "yes":
            return f"explanation: the critic agrees\nguess: {own[-1]}"
        known = WORD_BY_CLUE.get(view.get("clue", ""))
        if known and known not in own:
            return f"explanation: this is what the clue describes\nguess: {known}"
        guess = best_guess(rows, frozenset(own), len(rows) + 1 >= view["rounds"])
        return f"explanation: this word tells most about the letters\nguess: {guess}"

    return reply


def critic(view: View) -> ScriptedPlayer:
    """Agrees if the clue is the one it knows for the word, or if it does not know the clue."""
    expected = WORD_BY_CLUE.get(view["clue"])

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        proposed = _GUESS.findall(messages[-1]["content"])[-1:]
        if expected is None or proposed == [expected]:
            return "explanation: the word fits the clue\nagreement: yes"
        return "explanation: the clue describes something else\nagreement: no"

    return reply


def breaker(_view: View) -> ScriptedPlayer:
    """Ignores the form that was asked for."""
    return lambda messages: "I have no idea, tell me the word."
