"""Where our rules, clembench's of version 2.0 and those of version 3.0 go different ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rules:
    """One way to play.

    Attributes:
        own: Ours.
        longest: How many characters a command may have; a longer one is not understood. None for any number.
        words: How many words a name in a command may have.
        join: Known names of several words are read as one.
        owners: Words in a command may end with 's.
        types_first: A thing of the wrong type is found before the conditions of the action are looked at.
        capitalize: Failures begin with a capital letter and have no other, as Python's capitalize leaves them.
        type_ids: A thing of the wrong type is called by its type, not by its name.
        line_break: Every answer ends with a line break and what happened by itself.
        sticky: The goal counts as reached if it was ever reached.
        leaky: Trying out a plan leaves traces in what is counted as known and reached.
    """

    own: bool = False
    longest: int | None = None
    words: int = 2
    join: bool = True
    owners: bool = False
    types_first: bool = True
    capitalize: bool = False
    type_ids: bool = False
    line_break: bool = False
    sticky: bool = False
    leaky: bool = False


OWN = Rules(own=True, longest=500)
CLEMBENCH = {
    "clembench-2.0": Rules(join=False, capitalize=True, type_ids=True, sticky=True, leaky=True),
    "clembench-3.0": Rules(words=4, owners=True, types_first=False, capitalize=True, type_ids=True, line_break=True),
}


def rules_of(instance: Mapping[str, Any]) -> Rules:
    """The rules of an instance."""
    return CLEMBENCH[instance["rules"]] if "rules" in instance else OWN
