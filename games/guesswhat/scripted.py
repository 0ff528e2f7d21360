"""Scripted players, connected by nothing but questions and answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from playpen_eval.game import ScriptedPlayer, View

from .content import PLACES

_LIST = "is the target word one of: "
_YES = re.compile(r"ANSWER:\s*yes\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")


def guesser(view: View) -> ScriptedPlayer:
    """Asks about the digits of the target's binary number in the list, each by naming the words that have a one."""
    candidates = view["candidates"]
    digits = min((len(candidates) - 1).bit_length(), view["turns"] - 1)

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        answers = [message["content"] for message in messages if message["role"] == "user"][1:]
        if len(answers) < digits:
            named = [word for number, word in enumerate(candidates) if number >> len(answers) & 1]
            return f"QUESTION: {_LIST.capitalize()}{', '.join(named)}?"
        number = sum(bool(_YES.search(answer)) << digit for digit, answer in enumerate(answers))
        return f"GUESS: {candidates[number % len(candidates)]}"

    return reply


def answerer(view: View) -> ScriptedPlayer:
    """Knows lists of words and, for our own words, the names of categories; says no to everything else."""
    target = view["target"].lower()

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        question = messages[-1]["content"].rpartition("QUESTION:")[2].strip().lower()
        return f"ANSWER: {'yes' if _is_true(question, target) else 'no'}"

    return reply


def _is_true(question: str, target: str) -> bool:
    if question.startswith(_LIST):
        return target in question.removeprefix(_LIST).rstrip(" ?").split(", ")
    if re.search(rf"(?<!\w){re.escape(target)}(?!\w)", question):
        return True
    said = _singulars(question)
    named = [label for label, words in _LABELS.items() if words <= said]
    # "farm animals" also names "animals"; only the narrowest labels are meant.
    meant = [label for label in named if not any(_LABELS[label] < _LABELS[other] for other in named)]
    return target in PLACES and not set(PLACES[target]).isdisjoint(meant)


def _singulars(text: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in _WORD.findall(text))


_LABELS = {label: _singulars(label) for place in PLACES.values() for label in place}


def breaker(_view: View) -> ScriptedPlayer:
    """Ignores the form that was asked for."""
    return lambda messages: "Hard to tell, it could be anything."
