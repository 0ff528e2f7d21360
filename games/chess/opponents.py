"""Who plays Black in whole games: a program that looks one move ahead, or Stockfish, each with blunders of ours.

A reply follows from the position and the opponent's description alone, so that episodes repeat.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from random import Random
from typing import Any

import chess

from playpen_eval.errors import UserError

from . import stockfish

VALUES = (0, 1, 3, 3, 5, 9, 0)
"""Piece type -> pawns."""
MATE = 10_000


def reply(board: chess.Board, opponent: Mapping[str, Any]) -> chess.Move:
    """The opponent's move.

    Args:
        board: The position; there is a legal move.
        opponent: `name` (greedy or stockfish), `blunder`, the probability of a random move, and `seed`; for Stockfish
            also its `engine` name and `nodes`.

    Raises:
        UserError: Stockfish is not there, or is another one than the instance names.
    """
    if opponent["name"] == "stockfish":
        stockfish.require(opponent["engine"])
    elif opponent["name"] != "greedy":
        raise UserError(f"unknown chess opponent {opponent['name']!r}; use greedy or stockfish")
    said = _reply(board.fen(), opponent["blunder"], opponent["seed"], opponent.get("nodes", 0))
    return chess.Move.from_uci(said)


@functools.lru_cache(maxsize=1 << 14)
def _reply(fen: str, blunder: float, seed: int, nodes: int) -> str:
    """The move in UCI; without nodes it is that of the greedy program."""
    board, rng = chess.Board(fen), Random(f"{seed}/{fen}")
    if rng.random() < blunder:
        return rng.choice(list(board.legal_moves)).uci()
    return stockfish.best_move(fen, nodes) if nodes else greedy(board, rng).uci()


def greedy(board: chess.Board, rng: Random) -> chess.Move:
    """The move that wins most material at once: mate, else what it takes less what it leaves to be taken."""
    return max(board.legal_moves, key=lambda move: worth(board, move) + rng.random())


def worth(board: chess.Board, move: chess.Move) -> float:
    """What a move wins, in tenths of a pawn; a few of them for the centre, for a check and for a pawn's step."""
    mover, side = board.piece_type_at(move.from_square) or 0, board.turn
    taken = chess.PAWN if board.is_en_passant(move) else board.piece_type_at(move.to_square) or 0
    won = VALUES[taken] + (VALUES[move.promotion] - 1 if move.promotion else 0)
    extra = centrality(move.to_square) - centrality(move.from_square) if mover in (chess.KNIGHT, chess.BISHOP) else 0
    if mover == chess.PAWN:
        extra += 1 + (chess.square_rank(move.to_square) if side else 7 - chess.square_rank(move.to_square)) / 4
    board.push(move)
    try:
        check = board.is_check()
        if not any(board.generate_legal_moves()):
            return MATE if check else -MATE
        return 10 * (won - _hanging(board, side)) + extra + 2 * check
    finally:
        board.pop()


def centrality(square: int) -> float:
    """How near the centre a square is: -1 there, -7 in a corner."""
    return -abs(chess.square_file(square) - 3.5) - abs(chess.square_rank(square) - 3.5)


def _hanging(board: chess.Board, side: chess.Color) -> int:
    """The most that the other side wins by taking one piece: all of it if undefended, else what it is worth more."""
    most = 0
    for square in chess.scan_forward(board.occupied_co[side] & ~board.kings):
        value = VALUES[board.piece_type_at(square) or 0]
        if value > most and (attackers := board.attackers_mask(not side, square)):
            if board.attackers_mask(side, square):
                value -= min(VALUES[board.piece_type_at(a) or 0] or 10 for a in chess.scan_forward(attackers))
            most = max(most, value)
    return most
