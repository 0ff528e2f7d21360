"""Behaviour policies: White's moves that offline methods learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import chess

from . import scripted

Answer = Callable[[chess.Board], chess.Move]


def mix(instance: Mapping[str, Any], rng: Random, answer: Answer) -> list[str]:
    """The data: a probability is drawn for the game; each move is random with it, else the best player's (C.5).

    The paper's whole games are of engines whose strength is drawn (C.4), which comes to the same.
    """
    epsilon = rng.random()
    return _play(instance, answer, lambda board: _random(board, rng) if rng.random() < epsilon else _best(board))


def uniform(instance: Mapping[str, Any], rng: Random, answer: Answer) -> list[str]:
    """Any of the legal moves."""
    return _play(instance, answer, lambda board: _random(board, rng))


def best(instance: Mapping[str, Any], rng: Random, answer: Answer) -> list[str]:
    """The best player's moves."""
    return _play(instance, answer, _best)


POLICIES = {"mix": mix, "random": uniform, "best": best}


def _play(instance: Mapping[str, Any], answer: Answer, choose: Callable[[chess.Board], str]) -> list[str]:
    """White's moves in SAN, to the end of the game."""
    board, said = chess.Board(instance["fen"]), []
    while len(said) < instance["moves"] and board.outcome() is None:
        said.append(choose(board))
        board.push_san(said[-1])
        if board.outcome() is None:
            board.push(answer(board))
    return said


def _random(board: chess.Board, rng: Random) -> str:
    return board.san(rng.choice(list(board.legal_moves)))


def _best(board: chess.Board) -> str:
    return scripted.move(board.fen())
