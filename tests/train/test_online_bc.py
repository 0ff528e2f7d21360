"""Tests for online filtered behaviour cloning."""
# pyright: reportMissingImports=false, reportArgumentType=false

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made import byte_tokenizer
from playpen_eval.train import online_bc
from playpen_eval.train.chains import chains
from playpen_eval.train.config_lmrl import OnlineBC
from playpen_eval.train.online_bc import kept
from playpen_eval.train.recipe_files import load_config
from playpen_eval.train.rounds import RoundTrainer
from playpen_eval.train.rows import Row, RowMeta
from playpen_eval.train.updates import pieces
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from playpen_eval.cli import main

META = RowMeta("walk", 1, "walk/1", "e", "train", "walker", "lose", 0.0, "e")


def config(**more: Any) -> OnlineBC:
    shared = {"games": {"echo": 1.0}, "adapter": "none", "max_length": 64, "batch_size": 8, "partner": "scripted"}
    return OnlineBC(**(shared | more))


def episode(name: str, kind: str, *paid: float) -> list[Row]:
    meta = dataclasses.replace(META, episode=name, kind=kind)
    reward = None if kind == "failed" else float(kind == "success")
    return [
        Row([5], [6, 7], [1, 0], [0, -1], reward, dataclasses.replace(meta, part=part), [one])
        for part, one in enumerate(paid, 1)
    ]


ROWS = [
    *episode("a", "success", -1.0, 0.0),
    *episode("b", "lose", -1.0, -1.0, -1.0),
    *episode("c", "failed", 5.0),
    *episode("d", "lose", 1.0),
    *episode("e", "aborted", -4.0),
    *episode("f", "success", -1.0, -1.0, 0.0),
]


def names(rows: list[Row], top: float | None, seed: str = "0") -> list[str]:
    return [chain.rows[0].meta.episode for chain in kept(chains(rows), top, seed)]


def test_successes_or_the_highest_returns_are_kept():
    assert names(ROWS, None) == ["a", "f"]
    assert names(ROWS, 0.2) == ["d"]
    assert names(ROWS, 0.6) == ["d", "a", "f"]
    assert names(ROWS, 0.01) == ["d"]
    assert len(names(ROWS, 1.0)) == 5  # all but the one that failed
    assert names([], None) == []
    ties = [row for name in "pqrstu" for row in episode(name, "lose", -1.0)]
    assert names(ties, 0.5) == names(ties, 0.5)
    assert len({tuple(names(ties, 0.5, str(seed))) for seed in range(9)}) > 1


def test_the_loss_is_that_of_the_learners_tokens_alone(model, games, caught, tmp_path):
    games("echo")
    online_bc.train(config(), str(model), tmp_path / "out")
    learner = caught[0]._learner
    rows = [Row([5, 6], [7, 8, 9], [1, 0, 1], [0, -1, 1], 1.0, META, [0.0, 0.0]), *episode("a", "success", 0.0, 0.0)]
    losses: list[float] = []
    batch = pieces(chains(rows))
    (learner._loss(batch, losses) / 4).backward()
    plain = AutoModelForCausalLM.from_pretrained(model)
    terms = []
    for ids, places, _ in batch:
        logs = plain(torch.tensor([ids])).logits[0].log_softmax(-1)
        terms += [-logs[place - 1, ids[place]] for place in places]
    torch.stack(terms).mean().backward()
    assert len(terms) == 4
    assert abs(losses[0] / 4 - torch.stack(terms).mean().item()) < 1e-6
    parameters = dict(learner._updates.model.named_parameters())
    for name, parameter in plain.named_parameters():
        assert torch.allclose(parameters[name].grad, parameter.grad, atol=1e-6), name


def test_all_moves_of_a_markov_game_carry_loss(tmp_path, caught):
    tokenizer = byte_tokenizer()
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    limits = {"vocab_size": len(tokenizer), "max_position_embeddings": 1024}
    LlamaForCausalLM(LlamaConfig(**shape, **limits)).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    recipe = config(games={"maze_fo": 1.0}, partner="self", max_length=1024, max_new_tokens=2, episodes=2, top=1.0)
    online_bc.train(recipe, str(tmp_path / "model"), tmp_path / "out")
    (trainer,) = caught
    found = chains(trainer._play("first"))
    rows = pieces(found)
    assert len(rows) == sum(len(chain.rows) for chain in found) >= 4
    assert all(1 <= len(piece.places) <= 2 for piece in rows)
    assert all(piece.places[-1] == max(piece.places) < len(piece.ids) for piece in rows)
    figures = trainer._learner.learn(found, "first")
    assert figures["loss"] > 1.0  # a mask without a token would give no loss at all
    assert figures["kept"] == 1.0


def run(model: Path, output: Path, *more: str, resume: bool = False) -> int:
    given = ("games=[echo]", "max_length=64", "learning_rate=3e-3", "partner=scripted", "paid=outcome", *more)
    sets = [word for one in given for word in ("--set", one)]
    command = ["train", "online-bc", "--model", str(model), "-o", str(output), *sets]
    return main([*command, "--resume"] if resume else command)


def lines_of(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def test_it_learns_a_trivial_game_from_its_best_episodes(model, games, tmp_path):
    games("echo")
    settings = ("adapter=none", "rounds=15", "episodes=64", "batch_size=8", "top=0.3")
    assert run(model, tmp_path / "out", *settings) == 0
    lines = [line for line in lines_of(tmp_path / "out") if "return" in line]
    assert lines[0]["return"] < 0.2
    assert lines[-1]["return"] > 0.8
    assert lines[0]["kept"] == pytest.approx(0.3, abs=0.01)
    assert lines[0]["kept_return"] > lines[0]["return"]


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(model, games, tmp_path, monkeypatch, capsys):
    games("echo")
    settings = (
        "adapter=lora",
        "lora_dropout=0.1",
        "episodes=16",
        "batch_size=8",
        "rounds=4",
        "save_every=2",
        "top=0.5",
    )
    assert run(model, tmp_path / "whole", *settings) == 0
    played = RoundTrainer._play

    def stop(self, name):
        if name.endswith("/3"):
            raise KeyboardInterrupt
        return played(self, name)

    monkeypatch.setattr(RoundTrainer, "_play", stop)
    assert run(model, tmp_path / "broken", *settings) == 130
    assert "stopped at step 3" in capsys.readouterr().err
    monkeypatch.setattr(RoundTrainer, "_play", played)
    assert run(model, tmp_path / "broken", *settings, resume=True) == 0
    whole, resumed = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "broken"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    # Checkpoints are models, too, and old ones are deleted.
    assert sorted(path.name for path in (tmp_path / "whole").glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4"]
    assert (tmp_path / "whole" / "checkpoint-2" / "adapter_model.safetensors").is_file()


def test_rounds_without_a_success_are_skipped_and_in_the_end_an_error(model, games, tmp_path, capsys):
    games("echo")
    settings = ("adapter=none", "episodes=4", "patience=3", "reward.value=none", "limit=1")
    assert run(model, tmp_path / "out", *settings) == 2
    said = capsys.readouterr().err
    assert "nothing to learn from the last 3 rounds (echo: 4 lose)" in said
    assert "with top=0.3" in said
    lines = lines_of(tmp_path / "out")
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert all("loss" not in line and line["game/echo/success"] == 0 for line in lines)


def test_bad_input_is_an_error_before_the_first_round(model, games, tmp_path, capsys):
    games("echo")
    for number, (setting, said) in enumerate(
        [
            ("top=0", "top must lie above 0"),
            ("top=1.5", "not 1.5"),
            ("rounds=0", "rounds must be above 0"),
            ("keep=3", "unknown key"),
        ]
    ):
        assert run(model, tmp_path / str(number), setting) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / str(number)).exists()


def test_the_papers_values():
    maze = load_config("online-bc", "lmrl-maze-online-bc")
    assert isinstance(maze, OnlineBC)
    assert (maze.learning_rate, maze.rounds, maze.episodes, maze.top) == (1e-4, 100, 128, None)
