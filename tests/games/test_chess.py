"""Chess and chess endgames: rules, tables, opponents, what is said, and the engine."""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import chess
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval import Episode, load_game
from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.instances import SPLITS, load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import axis_games

modules = ("endings", "opponents", "returns", "stockfish", "tables", "text")
endings, opponents, returns, stockfish, tables, text = (
    importlib.import_module(f"playpen_eval.games.chess.{name}") for name in modules
)
ROOT = Path(__file__).resolve().parent.parent.parent
CHESS: Any = load_game("chess")
ENDGAMES: Any = load_game("chess_endgames")
ENGINE: Any = load_game("chess_stockfish")
MATE_IN_1 = {"fen": "k7/8/1K6/8/8/8/8/7Q w - - 0 1", "moves": 4}
STALEMATE = {"fen": "k7/8/1K6/8/8/8/8/2Q5 w - - 0 1", "moves": 4}


def ended(game: Any, instance: dict[str, Any], *replies: str) -> Outcome:
    outcome = Episode(game, instance, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def rewards(game: Any, instance: dict[str, Any], *replies: str) -> list[float]:
    """The reward of each reply."""
    episode = Episode(game, instance, replies)
    assert episode.outcome is not None
    return [turn.reward["white"] for turn in episode.turns[1:]] + [episode.outcome.reward["white"]]


def best_player(game: Any, instance: dict[str, Any]) -> Episode:
    """An episode of the best player."""
    episode = Episode(game, instance)
    while episode.outcome is None:
        episode.act(scripted_reply(episode.observe(), "best"))
    return episode


def test_white_is_told_the_position_alone():
    episode = Episode(ENDGAMES, MATE_IN_1, ["K c 6"])
    [message] = episode.observe().messages
    assert message["content"].endswith(f"\n\n{text.FEN} 8 / k 7 / 2 K 5 / 8 / 8 / 8 / 8 / 7 Q   w   -   -   2   2")
    assert chess.Board(text.read_fen(message["content"])).piece_at(chess.A7) == chess.Piece.from_symbol("k")


@pytest.mark.parametrize(
    ("reply", "move"),
    [
        ("N f 3", "Nf3"),
        (" Nf3\n", "Nf3"),
        ("**exd8=Q+**", "exd8=Q+"),
        ("0-0-0", "O-O-O"),
        ("O - O", "O-O"),
        ("e4!", "e4"),
        ("R1a3", "R1a3"),
        ("", None),
        ("--", None),
        ("Z0", None),
        ("nf3", None),
        ("Nf3 Nc3", None),
        ("I play Nf3", None),
        ("N" + " " * 300 + "f3", None),
    ],
)
def test_moves_are_read(reply, move):
    assert text.read_move(reply) == move


@given(st.text(max_size=60))
def test_any_reply_can_be_read(reply):
    move = text.read_move(reply)
    assert move is None or (move.isascii() and len(move) <= 8)


def test_a_position_is_read_as_it_was_told():
    fen = chess.Board().fen()
    assert text.spaced("w - -") == "w   -   -"
    assert text.read_fen(f"FEN: no\n{text.FEN} {text.spaced(fen)}") == fen


@pytest.mark.parametrize(
    ("instance", "replies", "kind", "reason", "each"),
    [
        (MATE_IN_1, ["Q h 8 #"], "success", "checkmate", [1]),
        (MATE_IN_1, ["Qa2", "Qh8#"], "success", "checkmate", [-1, 1]),
        (MATE_IN_1, ["?", "Qh8"], "success", "checkmate", [-1, 1]),
        (MATE_IN_1, ["?", "?", "Qa2", "?"], "lose", "out of moves", [-1, -1, -1, -1]),
        (MATE_IN_1, ["?", "?", "?"], "aborted", "no move in SAN", [-1, -1, -2]),
        (STALEMATE, ["Qc7"], "lose", "stalemate", [0]),
        ({"fen": "8/8/8/8/8/2k5/1Q6/7K w - - 0 1", "moves": 9}, ["Kh2"], "lose", "insufficient material", [0]),
    ],
)
def test_rewards_and_ends(instance, replies, kind, reason, each):
    outcome = ended(ENDGAMES, instance, *replies)
    assert (outcome.kind, outcome.reason) == (kind, reason)
    assert rewards(ENDGAMES, instance, *replies) == each
    assert outcome.metrics["return"] == sum(each)
    assert outcome.metrics["illegal"] == sum(reward < 0 for reward in each)
    assert outcome.metrics["moves"] == sum(reward >= 0 for reward in each)


def test_to_be_mated_costs_a_point():
    fen = "rnbqkbnr/pppp1ppp/8/4p3/8/5P2/PPPPP1PP/RNBQKBNR w KQkq - 0 2"
    instance = {"fen": fen, "moves": 9, "opponent": {"name": "greedy", "blunder": 0, "seed": 0}}
    assert rewards(CHESS, instance, "g4") == [-1]
    assert ended(CHESS, instance, "g4").kind == "lose"


def test_an_illegal_move_changes_nothing_but_the_turn():
    episode = Episode(CHESS, load_instances(CHESS, "test").instances[0], ["O-O", "e5", "Ke2"])
    assert len({turn.text for turn in episode.turns}) == 1
    assert episode.observe().messages[-1]["content"] == episode.turns[0].text


@pytest.mark.parametrize(("piece", "longest"), [("queen", 10), ("rook", 16)])
def test_the_tables_are_consistent_with_the_rules(piece, longest):
    table = tables.table(piece)
    assert max(distance for distance in table if distance != tables.NEVER) == longest
    kind = chess.QUEEN if piece == "queen" else chess.ROOK
    rng = Random(piece)
    for _ in range(150):
        position = endings.draw((kind,), rng)
        board = chess.Board(endings.fen(position))
        assert board.is_valid()
        assert endings.Position.of(board) == position
        assert {move for move, _ in position.white_moves()} == set(board.legal_moves)
        for move, after in position.white_moves():
            board.push(move)
            distance = table[tables.index(after.black, after.king, after.pieces[0][1])]
            assert (distance == 0) == board.is_checkmate()
            assert {reply.black for reply in after.black_moves()} == {reply.to_square for reply in board.legal_moves}
            if 0 < distance < tables.NEVER:
                assert distance == max(endings.moves_to_mate(reply) for reply in after.black_moves())
            else:
                assert distance == 0 or board.is_stalemate() or any(not r.pieces for r in after.black_moves())
            board.pop()


def test_the_defender_holds_out_as_long_as_can_be():
    for instance in load_instances(ENDGAMES, "test").instances:
        position = endings.Position.of(chess.Board(instance["fen"]))
        assert position is not None
        assert endings.long_enough(position)
        episode = best_player(ENDGAMES, instance)
        assert episode.outcome is not None
        assert (episode.outcome.kind, episode.outcome.metrics["return"]) == ("success", 1)
        if len(position.pieces) == 1:
            assert len(episode.turns) == endings.moves_to_mate(position) >= 5


def test_the_defender_takes_what_it_gets():
    board = chess.Board("8/8/8/8/8/2k5/1R6/R6K b - - 0 1")
    assert endings.answer(board) == chess.Move(chess.C3, chess.B2)
    with pytest.raises(ValueError, match="no defence is known"):
        endings.answer(chess.Board())


def test_positions_that_are_mirrored_have_one_key():
    board = chess.Board("8/8/8/2k5/8/8/1Q4R1/K7 w - - 0 1")
    turned = board.transform(chess.flip_diagonal).transform(chess.flip_vertical)
    keys = [ENDGAMES.key({"fen": b.fen()}) for b in (board, turned, board.transform(chess.flip_horizontal))]
    assert keys[0] == keys[1] == keys[2]
    assert keys[0] != ENDGAMES.key({"fen": "8/8/8/2k5/8/8/1R4Q1/K7 w - - 0 1"})


def test_no_two_splits_share_a_position():
    seen: dict[str, str] = {}
    for split in SPLITS:
        for instance in load_instances(ENDGAMES, split).instances:
            assert seen.setdefault(str(ENDGAMES.key(instance)), split) == split
    assert len(seen) == 300


@pytest.mark.parametrize(
    ("fen", "move"),
    [
        ("6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1", "a1a8"),
        ("4k3/8/8/3q4/4P3/8/8/4K3 w - - 0 1", "e4d5"),
        ("7k/P7/8/8/8/8/8/K7 w - - 0 1", "a7a8q"),
        ("4k3/8/2p5/3p4/8/8/8/3QK2R w - - 0 1", "h1h8"),
    ],
)
def test_the_greedy_opponent_mates_takes_and_keeps(fen, move):
    board = chess.Board(fen)
    assert opponents.greedy(board, Random(0)).uci() == move
    assert board.fen() == fen


def test_the_opponent_follows_from_position_and_seed():
    board = chess.Board()
    board.push_san("e4")
    described = {"name": "greedy", "blunder": 1}
    moves = {opponents.reply(board, {**described, "seed": seed}) for seed in range(200)}
    assert moves == set(board.legal_moves)
    with pytest.raises(UserError, match="unknown chess opponent 'gready'"):
        opponents.reply(board, {**described, "name": "gready", "seed": 0})


def test_normalised_score():
    paper = returns.Returns(lowest=-401, data=0.21, highest=1)  # chess: tables 2, 4 and 5
    assert paper.normalised(-22.3) == pytest.approx(47.2, abs=0.05)
    assert [paper.normalised(mean) for mean in paper] == [0, 50, 100]


@pytest.mark.parametrize(("game", "episodes", "within"), [(ENDGAMES, 160, 0.12), (CHESS, 30, 0.45)])
def test_the_data_policy_has_the_return_that_scores_are_normalised_by(game, episodes, within):
    instances, rng = load_instances(game, "train").instances, Random(game.name)
    found = []
    for number in range(episodes):
        instance = instances[number % len(instances)]
        outcome = Episode(game, instance, game.behave("mix", instance, rng)).outcome
        assert outcome is not None
        found.append(outcome.metrics["return"])
    assert statistics.mean(found) == pytest.approx(game.returns.data, abs=within)
    assert game.returns.lowest == -instances[0]["moves"]


def test_games_of_the_suite_need_no_engine():
    games = axis_games("lmrl")
    assert {"chess", "chess_endgames"} <= games.keys()
    assert "chess_stockfish" not in games


def test_without_the_library_the_games_are_not_shipped_and_say_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['chess'] = None\n"
        "from playpen_eval.cli import main; from playpen_eval.registry import load_games, shipped_games\n"
        "assert 'chess' in load_games() and not {'chess', 'chess_endgames'} & shipped_games().keys()\n"
        "sys.exit(main(['run', 'chess', '--model', 'scripted', '-o', 'out']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=_env(), capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "chess is not installed; run: pip install 'playpen-eval[chess]'" in done.stderr


def test_the_folder_of_the_game_does_not_hide_the_library(tmp_path):
    command = [sys.executable, "-m", "playpen_eval", "run", "chess_endgames", "--model", "scripted", "--limit", "1"]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "out")], cwd=ROOT / "games", env=_env(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def _env() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), "PATH": ""}


def test_without_the_engine_its_game_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(stockfish, "find", lambda: None)
    stockfish._engine.cache_clear()
    assert main(["run", "chess_stockfish", "--model", "scripted", "-o", str(tmp_path / "out")]) == 2
    assert "stockfish is not on PATH" in capsys.readouterr().err


@pytest.fixture(scope="module")
def against_engine() -> list[dict[str, Any]]:
    if stockfish.find() is None:
        pytest.skip("Stockfish is not installed")
    return load_instances(ENGINE, "validation").instances[:2]


def test_the_engine_repeats_itself_move_by_move(against_engine):
    for instance in against_engine:
        assert instance["opponent"]["engine"] == stockfish.engine_name()
        episode = best_player(ENGINE, instance)
        opponents._reply.cache_clear()
        again = Episode(ENGINE, instance, episode.replies)
        assert [turn.text for turn in again.turns] == [turn.text for turn in episode.turns]
        assert again.outcome == episode.outcome


def test_another_engine_is_not_played_against(against_engine):
    other = {**against_engine[0], "opponent": {**against_engine[0]["opponent"], "engine": "Stockfish 1"}}
    with pytest.raises(UserError, match="to be played against 'Stockfish 1', but"):
        Episode(ENGINE, other, ["e4"])


def test_an_engine_that_dies_is_named_and_replaced(against_engine):
    fen = chess.Board().fen()
    move = stockfish.best_move(fen, 500)
    process = stockfish._engine(os.getpid())._process
    process.kill()
    process.wait()
    with pytest.raises(UserError, match="stockfish ended by itself with exit status -9"):
        stockfish.best_move(fen, 500)
    assert stockfish.best_move(fen, 500) == move
