"""`playpen-eval run --model local:DIR`: episodes in step, as training plays them."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("transformers", reason="the extra hf is not installed")

from playpen_eval.train.chat import load_chat
from playpen_eval.train.rollout import Settings, play
from playpen_eval.train.sampler import HFSampler
from transformers import AutoModelForCausalLM

from playpen_eval.cli import main
from playpen_eval.cli.run import _precision
from playpen_eval.episode import Episode
from playpen_eval.instances import load_instances
from playpen_eval.registry import load_game
from playpen_eval.runs import read_run


def replies(folder: Path) -> dict[str, list[str]]:
    lines = (folder / "episodes.jsonl").read_text().splitlines()
    return {record["id"]: record["replies"] for record in map(json.loads, lines)}


@pytest.mark.parametrize("partner", ["self", "scripted"])
def test_greedy_play_is_that_of_a_rollout(partner, games, model, tmp_path):
    games("echo")
    words = ["run", "echo", "--model", f"local:{model}", "--partner", partner, "--max-tokens", "2"]
    assert main([*words, "-o", str(tmp_path / "run")]) == 0

    game, chat = load_game("echo"), load_chat(str(model))
    instances = load_instances(game).instances
    episodes = [Episode(game, instance) for instance in instances]
    seats = [game.roles if partner == "self" else ("speaker",)] * len(episodes)
    scripted = lambda asked: ["left"] * len(asked)  # noqa: E731
    sampler = HFSampler.load(str(model), chat.stops)
    play(episodes, seats, sampler, chat, Settings(2, 0.0), None if partner == "self" else scripted)
    assert replies(tmp_path / "run") == {one.instance["id"]: one.replies for one in episodes}
    assert read_run(tmp_path / "run").meta.model == f"local:{model}"


def test_the_precision_is_that_of_the_weights_and_part_of_the_run(games, model, tmp_path, capsys):
    games("echo")
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    words = ["run", "echo", "--model", f"local:{copy}", "--max-tokens", "2", "-o", str(tmp_path / "run")]
    assert main([*words, "--limit", "1"]) == 0
    meta = read_run(tmp_path / "run").meta
    assert (meta.dtype, meta.quantization) == ("float32", None)
    AutoModelForCausalLM.from_pretrained(str(copy), dtype="bfloat16").save_pretrained(copy)
    capsys.readouterr()
    assert main(words) == 2
    assert "dtype was 'float32', now 'bfloat16'" in capsys.readouterr().err
    assert main([*words[:-1], str(tmp_path / "other")]) == 0
    assert read_run(tmp_path / "other").meta.dtype == "bfloat16"


def test_a_quantized_model_is_recorded_as_such():
    config = SimpleNamespace(quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    told = _precision(SimpleNamespace(config=config, dtype="torch.bfloat16"))
    assert told == {"dtype": "bfloat16", "quantization": "4bit"}


def test_it_goes_on_where_it_stopped_and_the_seed_is_part_of_the_run(games, model, tmp_path, capsys):
    games("echo")
    words = ["run", "echo", "--model", f"local:{model}", "--temperature", "1", "--max-tokens", "2"]
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert main([*words, "--seed", seed, "--concurrency", "2", "-o", str(tmp_path / name)]) == 0
    a, b, c = (replies(tmp_path / name) for name in "abc")
    assert a == b != c
    assert main([*words, "--concurrency", "2", "--limit", "2", "-o", str(tmp_path / "d")]) == 0
    assert main([*words, "--concurrency", "2", "-o", str(tmp_path / "d")]) == 0
    assert replies(tmp_path / "d") == a
    capsys.readouterr()
    assert main([*words, "--seed", "1", "-o", str(tmp_path / "a")]) == 2
    assert "seed was 0, now 1" in capsys.readouterr().err


def test_a_full_context_is_an_abort_of_the_model(games, model, tmp_path):
    games("echo")
    words = ["run", "echo", "--model", f"local:{model}", "--max-tokens", "300"]
    make = (tmp_path / "games" / "echo" / "game.py").read_text().replace("max_tokens=2", "max_tokens=None")
    (tmp_path / "games" / "echo" / "game.py").write_text(make)
    assert main([*words, "-o", str(tmp_path / "run")]) == 0  # 256 positions
    assert {episode.kind for episode in read_run(tmp_path / "run").episodes} == {"aborted"}
    assert replies(tmp_path / "run") == {name: [] for name in replies(tmp_path / "run")}


def test_no_model_is_said_before_it_is_loaded(games, tmp_path, capsys):
    games("echo")
    assert main(["run", "echo", "--model", "local:nowhere", "-o", str(tmp_path / "run")]) == 2
    assert "there is no folder nowhere" in capsys.readouterr().err


def test_instances_of_several_games_come_from_one_folder(games, tmp_path, capsys):
    games("echo", "other")
    assert main(["generate", "echo", "other", "-n", "3", "--split", "test", "-o", str(tmp_path / "made")]) == 0
    words = ["run", "echo", "other", "--model", "scripted", "--instances", str(tmp_path / "made")]
    assert main([*words, "-o", str(tmp_path / "run")]) == 0
    assert len(read_run(tmp_path / "run").episodes) == 6
    capsys.readouterr()
    assert main(["generate", "echo", "other", "-n", "3"]) == 2
    assert "name a folder with --output" in capsys.readouterr().err
    assert main(["run", "taboo", "--model", "scripted", "--instances", str(tmp_path / "made"), "-o", "x"]) == 2
    assert "taboo.jsonl" in capsys.readouterr().err
