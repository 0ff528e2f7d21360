"""Scripted players: a walker that knows the mazes, as one that was trained in them does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .mazes import KNOWN, Cell, Maze
from .rules import Seen, read_full, read_partial

Chat = Sequence[Mapping[str, str]]


def breaker(messages: Chat) -> str:
    """Does not move."""
    return "I would rather stay where I am."


def _go(maze: Maze, cell: Cell) -> str:
    return f"move {maze.way(cell)}"


def observer(messages: Chat) -> str:
    """Takes a shortest way; no two mazes have the same goal."""
    goal, cell = read_full(messages[-1]["content"])
    return next((_go(maze, cell) for maze in KNOWN.values() if maze.goal == goal and cell in maze.steps), "move right")


def _places(memory: Sequence[Seen], walls: str) -> Iterator[tuple[Maze, Cell]]:
    """Where one may be, after all that one remembers."""
    for maze in KNOWN.values():
        for begin in maze.starts():
            cell = begin
            for seen, name in memory:
                if maze.walls[cell] != seen or cell == maze.goal:
                    break
                cell = maze.steps[cell][name] if name else cell
            else:
                if maze.walls[cell] == walls and cell != maze.goal:
                    yield maze, cell


def explorer(messages: Chat) -> str:
    """Takes a shortest way from the first of the places where it may be, and so finds out whether it is there."""
    place = next(_places(*read_partial(messages[-1]["content"])), None)
    return _go(*place) if place else "move right"
