"""Scripted players, connected by nothing but their messages, in which they write out the rows of their grids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from playpen_eval.game import ScriptedPlayer, View

from .grids import SIZE, read
from .rules import ANSWER, DECISION, DESCRIPTION, DIFFERENT, GRIDS, QUESTION, SAME, TAGS, schedule

_QUESTIONS = ("rows 1 and 2", "rows 3 and 4", "row 5")
_CELLS = r"[X.▢□](?: ?[X.▢□]){4}"
_ROW = re.compile(rf"\brow ([1-5])(?: is|:)? ({_CELLS})", re.IGNORECASE)
_LINE = re.compile(rf"\s{{0,9}}({_CELLS})\s{{0,9}}", re.IGNORECASE)


def rows_in(text: str) -> Iterator[tuple[int, str]]:
    """The rows (number from 1, cells) that a text states: `row 2 X...X`, or a grid as players see theirs."""
    for number, cells in _ROW.findall(text):
        yield int(number), _plain(cells)
    grid: list[str] = []
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        grid = [*grid, _plain(found[1])] if found else []
        if len(grid) == SIZE:
            yield from enumerate(grid, 1)
            grid = []


def _plain(cells: str) -> str:
    return re.sub("[^X]", ".", cells.upper().replace(" ", ""))


def best(role: str, view: View) -> ScriptedPlayer:
    """Tells its whole grid, and decides for the same grid if it was told five rows that are its own."""
    grid = dict(enumerate(read(view[GRIDS[role]]), 1))
    tags = view.get("tags", TAGS)
    kinds = [step.kind for step in schedule(view["questions"]) if step.role == role]
    told = ", ".join(f"row {number} {cells}" for number, cells in grid.items())

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        turn = len(messages) // 2
        if kinds[turn] == QUESTION:
            asked = _QUESTIONS[kinds[:turn].count(QUESTION) % len(_QUESTIONS)]
            text = f"What is in {asked} of your grid, cell by cell, with X for a filled and . for an empty cell?"
        elif kinds[turn] == DECISION:
            heard = {number: cells for message in messages[2::2] for number, cells in rows_in(message["content"])}
            text = SAME if heard == grid else DIFFERENT
        else:
            text = {DESCRIPTION: f"My grid has {told}", ANSWER: f"It is all here: {told}"}[kinds[turn]]
        return f"{tags[kinds[turn]]} {text}"

    return reply


def breaker(_messages: Sequence[Mapping[str, str]]) -> str:
    """Chats without any tag."""
    return "Hello! Shall we simply say that they are the same?"
