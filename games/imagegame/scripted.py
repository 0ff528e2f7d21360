"""Scripted players, connected by nothing but commands such as `Put X in rows 1 and 3, column 2; all of row 5`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from playpen_eval.game import ScriptedPlayer, View

from .grids import BLANK, CLEMBENCH_EMPTY, EMPTY, SIZE, Grid, show

_NUMBERS = "[1-5](?:(?:, | and )[1-5])*"
_PUT = re.compile(r"\bput ([a-z]) in ([a-z0-9,; ]+)", re.IGNORECASE)
_PLACE = re.compile(rf"\b(?:all of rows? ({_NUMBERS})|rows? ({_NUMBERS}), columns? ({_NUMBERS}))", re.IGNORECASE)


def _cells(text: str) -> Grid:
    """The grid that a text shows, whatever its empty cells look like; blank if it shows none."""
    cells = "".join(cell for cell in text.split() if len(cell) == 1).replace(CLEMBENCH_EMPTY, EMPTY).upper()
    return cells if len(cells) == len(BLANK) else BLANK


def _named(what: str, numbers: Sequence[int]) -> str:
    """Such as `row 1` or `rows 1, 2 and 5`."""
    *others, last = map(str, numbers)
    return f"{what}s {', '.join(others)} and {last}" if others else f"{what} {last}"


def commands(target: Grid) -> list[str]:
    """One command for each letter, in alphabetical order; together they determine the grid."""
    rows = [target[start : start + SIZE] for start in range(0, len(target), SIZE)]
    said = []
    for letter in sorted(set(target) - {EMPTY}):
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, row in enumerate(rows, 1):
            alike[tuple(column for column, cell in enumerate(row, 1) if cell == letter)].append(number)
        places = [
            f"all of {_named('row', numbers)}"
            if len(columns) == SIZE
            else f"{_named('row', numbers)}, {_named('column', columns)}"
            for columns, numbers in alike.items()
            if columns
        ]
        said.append(f"Put {letter} in {'; '.join(places)}")
    return said


def obey(command: str, grid: Grid) -> Grid:
    """The grid after everything in a command that is understood."""
    cells = list(grid)
    for letter, where in _PUT.findall(command):
        for whole, rows, columns in _PLACE.findall(where):
            for row in re.findall("[1-5]", whole or rows):
                for column in re.findall("[1-5]", columns or "12345"):
                    cells[(int(row) - 1) * SIZE + int(column) - 1] = letter.upper()
    return "".join(cells)


def giver(view: View) -> ScriptedPlayer:
    """Gives the commands one after the other, then ends the game."""
    said = [*commands(_cells(view["target"])), "DONE"]

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        given = sum(message["role"] == "assistant" for message in messages)
        return f"Command: {said[min(given, len(said) - 1)]}"

    return reply


def follower(_view: View) -> ScriptedPlayer:
    """Carries out the last command on the grid that it drew last."""

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        before = _cells(messages[-2]["content"]) if len(messages) > 1 else BLANK
        # The first message also explains the game; the command is its last line.
        after = show(obey(messages[-1]["content"].rpartition("\n")[2], before))
        return after.replace(EMPTY, CLEMBENCH_EMPTY) if CLEMBENCH_EMPTY in messages[0]["content"] else after

    return reply


def breaker(_view: View) -> ScriptedPlayer:
    """Ignores the form that was asked for."""
    return lambda messages: "It is a lovely picture of a cat."
