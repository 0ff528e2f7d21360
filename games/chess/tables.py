"""Exact distances to mate of king and queen, or king and rook, against a king, by retrograde analysis.

A table holds the positions with Black to move: how many moves White needs to mate from there, 0 for mated and `NEVER`
for a draw. The eight symmetries of a board without pawns bring the black king into one of ten squares. Squares count
from a1 = 0 to h8 = 63. A table takes some 0.2 s and is made once per process.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Literal

NEVER = 255
_CORNER = [rank * 8 + file for rank in range(4) for file in range(rank, 4)]
_STRAIGHT = [(1, 0), (-1, 0), (0, 1), (0, -1)]
_OBLIQUE = [(1, 1), (1, -1), (-1, 1), (-1, -1)]


def _mirror(square: int, symmetry: int) -> int:
    rank, file = divmod(square, 8)
    if symmetry & 1:
        file = 7 - file
    if symmetry & 2:
        rank = 7 - rank
    return file * 8 + rank if symmetry & 4 else rank * 8 + file


MIRROR = [[_mirror(square, symmetry) for square in range(64)] for symmetry in range(8)]
"""Symmetry -> square -> where it comes to lie."""
_HOME = [next(m for m in range(8) if MIRROR[m][square] in _CORNER) for square in range(64)]
_ROW = [_CORNER.index(MIRROR[_HOME[square]][square]) for square in range(64)]


def index(black_king: int, white_king: int, piece: int) -> int:
    """The place of a position in a table."""
    mirror = MIRROR[_HOME[black_king]]
    return (_ROW[black_king] * 64 + mirror[white_king]) * 64 + mirror[piece]


@functools.cache
def table(piece: Literal["queen", "rook"]) -> bytes:
    """Moves to mate with Black to move, by `index`."""
    import numpy as np

    black, king, other = (axis.ravel() for axis in np.meshgrid(_CORNER, range(64), range(64), indexing="ij"))
    lines = _STRAIGHT + (_OBLIQUE if piece == "queen" else [])
    hits = np.zeros((64, 64, 64), bool)  # by target, white king and piece
    every = np.indices((64, 64)).reshape(2, -1)
    for line in lines:
        for target, alive in _slide(every[1], line, every[0]):
            hits[target[alive], every[0][alive], every[1][alive]] = True
    legal = (black != king) & (black != other) & (king != other) & ~_close(black, king)
    check = hits[black, king, other]

    # What a move leads to; the entries after the last position stand for moves that there are not, and for a capture.
    size = len(black)
    of_black = []
    home, row, mirror = np.array(_HOME), np.array(_ROW), np.array(MIRROR)
    for line in _STRAIGHT + _OBLIQUE:
        target, alive = _step(black, line)
        alive = alive & ~_close(target, king) & (target != king) & ((target == other) | ~hits[target, king, other])
        to = mirror[home[target]]
        entry = (row[target] * 64 + np.take_along_axis(to, king[:, None], 1)[:, 0]) * 64
        entry = entry + np.take_along_axis(to, other[:, None], 1)[:, 0]
        of_black.append(np.where(alive, np.where(target == other, size + 1, entry), size))
    of_white = []
    base = np.arange(size)
    for line in _STRAIGHT + _OBLIQUE:
        target, alive = _step(king, line)
        alive = alive & (target != other) & (target != black) & ~_close(target, black)
        of_white.append(np.where(alive, base + (target - king) * 64, size))
    for line in lines:
        for target, alive in _slide(other, line, king):
            of_white.append(np.where(alive & (target != king), base + target - other, size))

    stuck = np.all([entry == size for entry in of_black], axis=0)
    mated = legal & stuck & check
    lost = np.where(mated, 0, NEVER).astype(np.int16)
    while True:
        reached = np.append(lost, NEVER)
        won = functools.reduce(np.minimum, (reached[entry] for entry in of_white)) + 1
        won = np.where(legal & ~check, np.minimum(won, NEVER), NEVER)
        reached = np.append(won, [0, NEVER])
        worst = functools.reduce(np.maximum, (reached[entry] for entry in of_black))
        now = np.where(legal & ~stuck, worst, lost).astype(np.int16)
        if np.array_equal(now, lost):
            return now.astype(np.uint8).tobytes()
        lost = now


def _step(square: Any, line: tuple[int, int], steps: int = 1) -> tuple[Any, Any]:
    """Where a step leads, and where that is on the board; off the board the square is meaningless but in range."""
    rank, file = square // 8 + line[0] * steps, square % 8 + line[1] * steps
    inside = (rank >= 0) & (rank < 8) & (file >= 0) & (file < 8)
    return (rank * 8 + file) * inside, inside


def _slide(square: Any, line: tuple[int, int], king: Any) -> Iterator[tuple[Any, Any]]:
    """The squares along a line, up to and including that of the own king."""
    alive = square >= 0
    for steps in range(1, 8):
        target, inside = _step(square, line, steps)
        alive = alive & inside
        yield target, alive
        alive = alive & (target != king)


def _close(one: Any, other: Any) -> Any:
    return (abs(one // 8 - other // 8) <= 1) & (abs(one % 8 - other % 8) <= 1)
