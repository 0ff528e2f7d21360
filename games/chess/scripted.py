"""Scripted players; both know the position alone, as it stands in the last message."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from random import Random

import chess

from . import endings, opponents
from .text import read_fen, spaced

VARIANTS = 50


def best(messages: Sequence[Mapping[str, str]]) -> str:
    """Mates a lone king as the tables and searches say; otherwise wins material, one move at a time."""
    return spaced(move(read_fen(messages[-1]["content"])))


@functools.lru_cache(maxsize=1 << 14)
def move(fen: str, variant: int = 0) -> str:
    """The best player's move in SAN; variants choose otherwise among what is as good, and so play other games."""
    board, rng = chess.Board(fen), Random(f"{variant}/{fen}")
    position = endings.Position.of(board)
    if position is not None:
        return board.san(endings.attack(position))
    lone = board.occupied_co[chess.BLACK].bit_count() == 1
    return board.san(max(board.legal_moves, key=lambda m: _drive(board, m, lone) + rng.random()))


def win(fen: str, limit: int, answer: Callable[[chess.Board], chess.Move]) -> list[str]:
    """Moves in SAN that win: those of the best player, or else of its first variant that does.

    Args:
        fen: Where it begins.
        limit: Moves of White.
        answer: Black's move.

    Raises:
        ValueError: No variant wins.
    """
    for variant in range(VARIANTS):
        board, said = chess.Board(fen), []
        while len(said) < limit and board.outcome() is None:
            said.append(move(board.fen(), variant))
            board.push_san(said[-1])
            if board.outcome() is None:
                board.push(answer(board))
        if board.is_checkmate() and board.turn == chess.BLACK:
            return said
    raise ValueError(f"no win is known from {fen} against this opponent")


def _drive(board: chess.Board, move: chess.Move, lone: bool) -> float:
    """What a move wins; and how little room it leaves to a king that has nobody left."""
    value = opponents.worth(board, move)
    if not lone or abs(value) >= opponents.MATE:
        return value
    board.push(move)
    room, black, white = board.legal_moves.count(), board.king(chess.BLACK), board.king(chess.WHITE)
    board.pop()
    if black is None or white is None:
        return value
    return value - 3 * room - chess.square_distance(black, white) - 2 * opponents.centrality(black)
