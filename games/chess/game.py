"""Chess and chess endgames of LMRL-Gym: rules and instances; README.md tells them in words."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Mapping
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, ClassVar

from playpen_eval.errors import UserError
from playpen_eval.game import Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts
from playpen_eval.instances import generate

from .returns import Returns
from .text import FEN, read_move, spaced

if TYPE_CHECKING:
    import chess

PROMPTS = read_texts(__file__)
START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
UNREADABLE = 3
"""Replies in a row without the form of a move that end an episode."""
BLUNDER = 0.2
"""How often Black moves at random."""
NODES = 1000
"""What Stockfish searches for a move."""
ENDINGS = {"queen": (5,), "rook": (4,), "queen_rook": (4, 5), "rooks": (4, 4)}
"""Experiment -> white's pieces, as python-chess numbers them."""


def _installed() -> bool:
    spec = importlib.util.find_spec("chess")
    return spec is not None and spec.origin is not None  # from inside games/ this very folder is found by that name


def _need_library() -> None:
    if not _installed():
        raise UserError("chess is not installed; run: pip install 'playpen-eval[chess]'")


def _shipped(**sizes: int) -> Mapping[str, int]:
    """The sizes of splits; none without the library, so that nothing that plays all games meets one that it cannot."""
    return sizes if _installed() else {}


class _Board(Game):
    """White against a program, one move at a time."""

    suite = "lmrl"
    roles = ("white",)
    learner = "white"
    visible: ClassVar[Mapping[str, tuple[str, ...]]] = {"white": ("fen",)}
    policies = ("mix", "random", "best")
    returns: ClassVar[Returns]

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A move and the opponent's reply; an illegal move costs 1 and leaves the position as it is."""
        _need_library()
        import chess

        board, illegal, unreadable, reward = chess.Board(instance["fen"]), 0, 0, 0
        for turn in range(1, instance["moves"] + 1):
            text = f"{PROMPTS['white']}\n\n{FEN} {spaced(board.fen())}"
            said = read_move((yield Ask("white", text, remember=False, reward={"white": reward})))
            move = _legal(board, said)
            unreadable = 0 if said else unreadable + 1
            reward = -1 if move is None else 0
            illegal -= reward
            if unreadable == UNREADABLE:
                # As if it had gone on so to the end, or else to abort would be a way to lose less.
                left = instance["moves"] - turn
                metrics = _metrics(turn, illegal, -illegal - left)
                return Outcome.aborted("white", "no move in SAN", metrics=metrics, reward={"white": reward - left})
            if move is None:
                continue
            board.push(move)
            if board.outcome() is None:
                board.push(self.answer(instance, board))
            if ended := board.outcome():
                won = 0 if ended.winner is None else 1 if ended.winner else -1
                end = Outcome.success if won == 1 else Outcome.lose
                reason = ended.termination.name.lower().replace("_", " ")
                metrics = _metrics(turn, illegal, won - illegal)
                return end(reason=reason, metrics=metrics, reward={"white": won})
        metrics = _metrics(instance["moves"], illegal, -illegal)
        return Outcome.lose(reason="out of moves", metrics=metrics, reward={"white": reward})

    def answer(self, instance: Instance, board: chess.Board) -> chess.Move:
        """The opponent's move."""
        raise NotImplementedError(f"{type(self).__name__} has no answer()")

    def max_turns(self, instance: Instance) -> int:
        """The moves White has, illegal ones among them."""
        return instance["moves"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A player who mates where it can, or one who talks."""
        _need_library()
        if style == "breaker":
            return lambda messages: "I would like to think about it."
        from . import scripted

        return scripted.best

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """Moves that win; castling, which is never legal where it is said, fills the turns before."""
        _need_library()
        from . import scripted

        moves = scripted.win(instance["fen"], instance["moves"], lambda board: self.answer(instance, board))
        moves = [spaced(move) for move in moves]
        return [spaced("O-O")] * (last * (instance["moves"] - len(moves))) + moves

    def behave(self, policy: str, instance: Instance, rng: Random) -> list[str]:
        """White's moves by one of `policies`."""
        _need_library()
        from . import policies

        moves = policies.POLICIES[policy](instance, rng, lambda board: self.answer(instance, board))
        return [spaced(move) for move in moves]

    def load_split(self, split: str) -> list[Instance] | None:
        """Nothing, as the instances are shipped.

        Raises:
            UserError: The library is missing.
        """
        _need_library()
        return None


class Endgames(_Board):
    """Mate a lone king with queen, rook or two of them, against a program that holds out as long as it can."""

    name = "chess_endgames"
    experiments = tuple(ENDINGS)
    sizes = _shipped(train=40, validation=10, test=25)
    returns = Returns(lowest=-50, data=0.46, highest=1)

    def answer(self, instance: Instance, board: chess.Board) -> chess.Move:
        """The defender's move."""
        from . import endings

        return endings.answer(board)

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A position from which mate takes a while."""
        _need_library()
        from . import endings

        while True:
            position = endings.draw(ENDINGS[experiment], rng)
            if endings.long_enough(position):
                return {"fen": endings.fen(position), "moves": 50}

    def key(self, instance: Instance) -> list[list[int]]:
        """Splits share no position, nor one that is another one turned or mirrored."""
        _need_library()
        import chess

        from . import endings

        position = endings.Position.of(chess.Board(instance["fen"]))
        if position is None:
            raise ValueError(f"{instance['fen']} is none of these endgames")
        return endings.canonical(position)


class Chess(_Board):
    """Play chess with the white pieces against a program that looks one move ahead and blunders."""

    name = "chess"
    sizes = _shipped(train=40, validation=10, test=20)
    returns = Returns(lowest=-100, data=-0.59, highest=1)

    def answer(self, instance: Instance, board: chess.Board) -> chess.Move:
        """The opponent's move."""
        from . import opponents

        return opponents.reply(board, instance["opponent"])

    def generate(self, experiment: str, rng: Random) -> Instance:
        """The usual position and the seed of the opponent's blunders."""
        opponent = {"name": "greedy", "blunder": BLUNDER, "seed": rng.randrange(10**9)}
        return {"fen": START, "moves": 100, "opponent": opponent}


class ChessStockfish(Chess):
    """Play chess with the white pieces against Stockfish, which blunders."""

    name = "chess_stockfish"
    suite = ""  # a process outside is not what a game of the suite may depend on
    sizes: ClassVar[Mapping[str, int]] = {}

    def generate(self, experiment: str, rng: Random) -> Instance:
        """The usual position and the engine that is installed."""
        _need_library()
        from . import stockfish

        opponent = {"name": "stockfish", "engine": stockfish.engine_name(), "nodes": NODES}
        opponent |= {"blunder": BLUNDER, "seed": rng.randrange(10**9)}
        return {"fen": START, "moves": 100, "opponent": opponent}

    def load_split(self, split: str) -> list[Instance]:
        """As many instances as the game chess has, for the engine that is installed.

        Raises:
            UserError: The library or the engine is missing.
        """
        _need_library()
        return list(islice(generate(self, split, "default"), Chess.sizes[split]))


def _legal(board: chess.Board, said: str | None) -> chess.Move | None:
    """The move that was said, if it is legal and no other one could be meant."""
    try:
        return board.parse_san(said) if said else None
    except ValueError:  # of python-chess: illegal, ambiguous
        return None


def _metrics(turns: int, illegal: int, total: int) -> dict[str, float]:
    return {"return": total, "moves": turns - illegal, "illegal": illegal, "illegal_rate": illegal / turns}
