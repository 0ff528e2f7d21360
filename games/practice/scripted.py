"""Scripted players: perfect ones that know no more than the chat tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playpen_eval.game import ScriptedPlayer

QUESTION, ANSWER, CHECK, CLUE, GUESS = "QUESTION:", "ANSWER:", "ASKED:", "CLUE:", "GUESS:"
Chat = Sequence[Mapping[str, str]]


def breaker(messages: Chat) -> str:
    """Ignores the form that was asked for."""
    return "I would rather talk about something else."


def _turn(messages: Chat) -> int:
    return len(messages) // 2


def _heard(messages: Chat, tag: str) -> list[str]:
    lines = [message["content"].splitlines()[-1] for message in messages[::2]]
    return [line[len(tag) :].strip() for line in lines if line.startswith(tag)]


def asker(ask: Sequence[str]) -> ScriptedPlayer:
    """Asks for one after the other."""
    return lambda messages: f"{QUESTION} {ask[_turn(messages)]}"


def answerer(items: Sequence[Sequence[str]]) -> ScriptedPlayer:
    """Looks answers up in the items, and remembers the questions."""
    answers = {kind: word for kind, word in items}

    def reply(messages: Chat) -> str:
        last = messages[-1]["content"]
        questions = _heard(messages, QUESTION)
        if last.startswith(CHECK):
            return f"{ANSWER} {'yes' if last[len(CHECK) :].strip() in questions else 'no'}"
        return f"{ANSWER} {answers[questions[-1]]}"

    return reply


def describer(target: Sequence[str]) -> ScriptedPlayer:
    """Names the thing, then its colour."""
    return lambda messages: f"{CLUE} {target[1 - _turn(messages)]}"


def guesser(items: Sequence[Sequence[str]]) -> ScriptedPlayer:
    """Names the first thing that fits all clues and was not tried."""

    def reply(messages: Chat) -> str:
        clues, tried = _heard(messages, CLUE), {message["content"] for message in messages[1::2]}
        fit = [f"{GUESS} {' '.join(item)}" for item in items if all(clue in item for clue in clues)]
        return next((guess for guess in fit if guess not in tried), f"{GUESS} {' '.join(items[0])}")

    return reply
