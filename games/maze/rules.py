"""What a walker is told and how its replies are read."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from playpen_eval.game import read_texts

from .mazes import MOVES, Cell

LIMIT = 100
"""Moves in an episode."""
PATIENCE = 3
"""Replies in a row that are no moves, with which an episode is broken off."""
MEMORY = 20
"""Exchanges that a partially observing walker is shown: forty items in the paper's training scripts."""

PROMPTS = {name: text.replace("{limit}", str(LIMIT)) for name, text in read_texts(__file__).items()}
NO_MOVE = "(no move)"

Seen = tuple[str, str | None]
"""The walls around, and the direction of the move then; None for a reply that was no move."""

_MOVE = re.compile(rf"[\s\"'`*]*move ({'|'.join(MOVES)})[\s\"'`*.!]*", re.IGNORECASE)
_FULL = re.compile(r"The goal is at (\d+), (\d+)\. You are at (\d+), (\d+)\.")


@functools.lru_cache(maxsize=1024)
def read_move(reply: str) -> str | None:
    """The direction of a reply; None if it is no move."""
    found = _MOVE.fullmatch(reply[:100])
    return found[1].lower() if found and len(reply) <= 100 else None


def full(goal: Cell, cell: Cell, walls: str) -> str:
    """A message with everything that can be observed."""
    return f"{PROMPTS['full']}\n\nThe goal is at {goal[0]}, {goal[1]}. You are at {cell[0]}, {cell[1]}. {walls}"


def read_full(text: str) -> tuple[Cell, Cell]:
    """Goal and own place of such a message."""
    numbers = [int(group) for group in _FULL.findall(text)[-1]]
    return (numbers[0], numbers[1]), (numbers[2], numbers[3])


def partial(memory: Sequence[Seen], walls: str) -> str:
    """A message with the walls around alone, after what was seen and done before.

    Args:
        memory: The latest moves.
        walls: The walls now.
    """
    lines = [f"{seen}\n{f'move {name}' if name else NO_MOVE}" for seen, name in memory]
    return "\n".join([PROMPTS["partial"] + "\n", *lines, walls])


def read_partial(text: str) -> tuple[list[Seen], str]:
    """Memory and walls of such a message."""
    lines = text.rpartition("\n\n")[2].split("\n")
    pairs = zip(lines[:-1:2], lines[1::2], strict=True)
    return [(seen, read_move(said)) for seen, said in pairs], lines[-1]
