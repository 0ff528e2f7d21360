"""What a reply says: a command, and in the planning variant a plan."""

from __future__ import annotations

import re
from typing import NamedTuple

PLAN = "Next actions:"
_CLAIMS = ("complete", "finish", "done", "successfully")


class Move(NamedTuple):
    """A command and the plan of a reply; None if it has none."""

    command: str
    plan: list[str] | None = None


class FormatError(Exception):
    """A reply in a wrong form; `claims` tells whether it speaks of an end of the game."""

    def __init__(self, kind: str, reason: str, claims: bool = False):
        super().__init__(kind)
        self.kind, self.reason, self.claims = kind, reason, claims


def read_own(reply: str, planning: bool) -> Move:
    """Reads a reply by our rules: one line with a command, and when planning a second with a plan.

    Raises:
        FormatError: It has another form.
    """
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    if not lines or not lines[0].startswith(">"):
        raise FormatError("command_tag_missing", "the reply does not begin with > and a command", _claims(reply))
    command, *more = [" ".join(line.lower().split()) for line in (lines[0][1:], *lines[1:])]
    if not planning or (not more and re.fullmatch(r"done[.!]?", command)):
        if more:
            raise FormatError("command_tag_missing", "the reply has more than one line")
        return Move(command)
    if len(more) != 1 or not more[0].startswith(PLAN.lower()):
        raise FormatError("next_actions_missing", f"the reply is not a command and one line that begins with {PLAN}")
    return Move(command, _split(more[0].removeprefix(PLAN.lower())))


def read_clembench(reply: str, planning: bool) -> Move:
    """Reads a reply as clembench does.

    Raises:
        FormatError: It has another form.
    """
    if not reply.startswith(">"):
        raise FormatError("command_tag_missing", "the reply does not begin with >", _claims(reply))
    parts = reply.split(f"\n{PLAN}") if planning else [reply]
    if planning and len(parts) == 1 and "done" not in reply:
        raise FormatError("next_actions_missing", f"there is no line that begins with {PLAN}")
    command = reply[1:].partition("\n")[0].strip()
    return Move(command, _split(parts[1]) if len(parts) > 1 else None)


def _split(plan: str) -> list[str]:
    return [part.strip() for part in plan.split(",")]


def _claims(reply: str) -> bool:
    return any(word in reply for word in _CLAIMS)
