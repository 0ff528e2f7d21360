"""Endgames against a lone king: what the defender answers, and how White mates.

With one white piece both are exact, by the tables. With two, the defender looks at White's next move, and White at two
moves of its own; where it sees no mate, it mates with one of them alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from random import Random
from typing import Literal, NamedTuple

import chess

from .tables import MIRROR, NEVER, index, table

_KINDS: dict[int, Literal["queen", "rook"]] = {chess.QUEEN: "queen", chess.ROOK: "rook"}
_CENTRE = [min(square >> 3, 7 - (square >> 3)) + min(square & 7, 7 - (square & 7)) for square in range(64)]
"""How many steps a square is away from the nearest corner."""


class Position(NamedTuple):
    """White king and pieces (kind, square) against the black king."""

    king: int
    pieces: tuple[tuple[int, int], ...]
    black: int

    @classmethod
    def of(cls, board: chess.Board) -> Position | None:
        """What is on a board; None if it is another ending than these."""
        if board.occupied_co[chess.BLACK] != board.kings & board.occupied_co[chess.BLACK]:
            return None
        king, black = board.king(chess.WHITE), board.king(chess.BLACK)
        squares = list(chess.scan_forward(board.occupied_co[chess.WHITE] & ~board.kings))
        if king is None or black is None or not 1 <= len(squares) <= 2:
            return None
        pieces = tuple(sorted((board.piece_type_at(square) or 0, square) for square in squares))
        return cls(king, pieces, black) if all(kind in _KINDS for kind, _ in pieces) else None

    def hits(self) -> int:
        """The squares that White attacks or defends, seen through the black king."""
        occupied = chess.BB_SQUARES[self.king]
        for _, square in self.pieces:
            occupied |= chess.BB_SQUARES[square]
        hit = chess.BB_KING_ATTACKS[self.king]
        for kind, square in self.pieces:
            hit |= _reach(kind, square, occupied)
        return hit

    def white_moves(self) -> Iterator[tuple[chess.Move, Position]]:
        """White's moves, and what they lead to."""
        own = chess.BB_SQUARES[self.king]
        for _, square in self.pieces:
            own |= chess.BB_SQUARES[square]
        for to in chess.scan_forward(chess.BB_KING_ATTACKS[self.king] & ~chess.BB_KING_ATTACKS[self.black] & ~own):
            yield chess.Move(self.king, to), self._replace(king=to)
        for place, (kind, square) in enumerate(self.pieces):
            for to in chess.scan_forward(_reach(kind, square, own | chess.BB_SQUARES[self.black]) & ~own):
                moved = (*self.pieces[:place], (kind, to), *self.pieces[place + 1 :])
                yield chess.Move(square, to), self._replace(pieces=moved)

    def free(self) -> int:
        """The squares that Black may move to."""
        return chess.BB_KING_ATTACKS[self.black] & ~self.hits()

    def check(self) -> bool:
        """Whether White attacks the king."""
        return bool(self.hits() & chess.BB_SQUARES[self.black])

    def black_moves(self) -> list[Position]:
        """What Black's moves lead to; a captured piece is gone."""
        return [
            Position(self.king, tuple(piece for piece in self.pieces if piece[1] != to), to)
            for to in chess.scan_forward(self.free())
        ]


def _reach(kind: int, square: int, occupied: int) -> int:
    reach = (
        chess.BB_RANK_ATTACKS[square][chess.BB_RANK_MASKS[square] & occupied]
        | chess.BB_FILE_ATTACKS[square][chess.BB_FILE_MASKS[square] & occupied]
    )
    if kind == chess.QUEEN:
        reach |= chess.BB_DIAG_ATTACKS[square][chess.BB_DIAG_MASKS[square] & occupied]
    return reach


def _lost_in(position: Position) -> int:
    """Moves to mate with Black to move, one white piece on the board."""
    [(kind, square)] = position.pieces
    return table(_KINDS[kind])[index(position.black, position.king, square)]


def moves_to_mate(position: Position) -> int:
    """Moves to mate with White to move and one white piece on the board; `NEVER` if that is lost at once."""
    return min(_lost_in(after) for _, after in position.white_moves()) + 1


@functools.lru_cache(maxsize=1 << 16)
def mate_within(position: Position, moves: int) -> chess.Move | None:
    """A move of White that mates in at most so many moves, whatever Black does."""
    for move, after in position.white_moves():
        if not after.free() and after.check():
            return move
    if moves > 1:
        # Mates are mostly among the moves that leave few free squares.
        for move, after in sorted(position.white_moves(), key=lambda pair: pair[1].free().bit_count()):
            replies = after.black_moves()
            if replies and all(len(r.pieces) == len(after.pieces) and mate_within(r, moves - 1) for r in replies):
                return move
    return None


def answer(board: chess.Board) -> chess.Move:
    """The defender's move.

    Raises:
        ValueError: It is another ending than these.
    """
    position = Position.of(board)
    if position is None:
        raise ValueError(f"no defence is known in {board.fen()}")
    return chess.Move(position.black, defend(position))


@functools.lru_cache(maxsize=1 << 16)
def defend(position: Position) -> int:
    """The square to which Black's king goes: where it holds out longest, else towards the centre."""

    def worth(after: Position) -> tuple[int, int, int]:
        if not after.pieces:
            distance = NEVER
        elif len(after.pieces) == 1:
            distance = moves_to_mate(after)
        else:
            distance = 1 if mate_within(after, 1) else 2
        return distance, _CENTRE[after.black], -after.black

    return max(position.black_moves(), key=worth).black


@functools.lru_cache(maxsize=1 << 16)
def attack(position: Position) -> chess.Move:
    """White's move: the shortest way to mate with one piece, a short one with two."""
    mate = (mate_within(position, 1) or mate_within(position, 2)) if len(position.pieces) == 2 else None
    return mate or min(position.white_moves(), key=lambda pair: _surely_lost_in(pair[1]))[0]


def _surely_lost_in(position: Position) -> int:
    """Moves to mate with Black to move, by one piece alone; a second one that gives Black no more moves cannot hurt."""
    free, distance = position.free(), NEVER
    if free or position.check():
        for piece in position.pieces:
            alone = position._replace(pieces=(piece,))
            if not free & ~alone.free():
                distance = min(distance, _lost_in(alone))
    return distance


def draw(kinds: tuple[int, ...], rng: Random) -> Position:
    """A random position with White to move in which neither king is attacked."""
    while True:
        king, black, *squares = rng.sample(range(64), 2 + len(kinds))
        position = Position(king, tuple(sorted(zip(kinds, squares, strict=True))), black)
        if chess.square_distance(king, black) > 1 and not position.check():
            return position


def fen(position: Position) -> str:
    """A position with White to move, in FEN."""
    board = chess.Board.empty()
    board.set_piece_at(position.king, chess.Piece(chess.KING, chess.WHITE))
    board.set_piece_at(position.black, chess.Piece(chess.KING, chess.BLACK))
    for kind, square in position.pieces:
        board.set_piece_at(square, chess.Piece(kind, chess.WHITE))
    return board.fen()


def canonical(position: Position) -> list[list[int]]:
    """The same list for positions that are turned or mirrored into each other: kind and square of every white man."""
    return min(
        [
            [0, mirror[position.black]],
            [chess.KING, mirror[position.king]],
            *sorted([kind, mirror[square]] for kind, square in position.pieces),
        ]
        for mirror in MIRROR
    )


def long_enough(position: Position) -> bool:
    """Whether mate takes at least five moves, with two white pieces at least three."""
    return moves_to_mate(position) >= 5 if len(position.pieces) == 1 else mate_within(position, 2) is None
