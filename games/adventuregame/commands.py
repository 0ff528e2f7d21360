"""Reading a command: its words, its verb, and the form of that verb which fits best."""

from __future__ import annotations

import re
from typing import NamedTuple

from .domain import Action, Domain

_WORDS = re.compile(r"[a-z]+(?:[ \t\r\f]+[a-z]+)*[ \t\r\f]*")
_OWNED_WORDS = re.compile(r"[a-z]+(?:'s(?=[ \t\r\f]))?(?:[ \t\r\f]+[a-z]+(?:'s(?=[ \t\r\f]))?)*[ \t\r\f]*")


class Command(NamedTuple):
    """A command that is understood as far as its form goes."""

    action: Action
    things: tuple[str, ...]
    preposition: str | None


class Misread(NamedTuple):
    """Why a command is not understood: the kind of failure, and the word or name it is about."""

    kind: str
    about: str = ""


def read_command(domain: Domain, text: str, *, owners: bool = False, join: bool = False) -> Command | Misread:
    """Reads one command.

    Args:
        domain: Its verbs and names.
        text: The command.
        owners: Whether words may end with 's.
        join: Whether known names of several words are one word.
    """
    text = text[: -1 if text.endswith((".", "!")) else None].lower()
    if not (_OWNED_WORDS if owners else _WORDS).fullmatch(text):
        return Misread("lark_exception")
    if join:
        text = domain.long_names.sub(lambda match: "_".join(match[0].split()), text)
    verb, *words = text.split()
    readings = [(action, reading) for action in domain.by_verb.get(verb, ()) if (reading := action.form.read(words))]
    if readings:
        action, reading = max(readings, key=lambda found: found[1].score)
        return Command(action, reading.things, reading.preposition)
    if "'" in text:
        return Misread("lark_exception")
    if any(action.name == verb for action in domain.actions):
        return Misread("malformed_command")
    return Misread("undefined_action_verb", verb)
