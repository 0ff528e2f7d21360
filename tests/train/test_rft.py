"""Tests for rejection sampling."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from playpen_eval.train.config import RFT
from playpen_eval.train.rft import chosen
from playpen_eval.train.rows import Row, RowMeta, read_rows

from playpen_eval.cli import main


def config(**more: Any) -> RFT:
    return RFT(**({"games": {"echo": 1.0}} | more))


def row(episode: str, kind: str, reward: float | None, ids: tuple[int, ...] = (5,), part: int = 0) -> Row:
    meta = RowMeta("echo", 1, "i", "e", "train", "speaker", kind, None, episode, part)
    return Row([1], list(ids), [1] * len(ids), [0] * len(ids), reward, meta, turn_rewards=[0.0])


def test_successes_are_kept_once_and_up_to_a_number():
    rows = [
        row("a", "success", 1.0, (5,)),
        row("a", "success", 1.0, (6,), part=1),
        row("b", "success", 1.0, (5,)),
        row("b", "success", 1.0, (6,), part=1),
        row("c", "lose", 0.5, (7,)),
        row("d", "aborted", 0.0, (8,)),
        row("e", "failed", None, (9,)),
        row("f", "success", 1.0, (10,)),
        row("g", "success", 1.0, (11,)),
    ]
    left_out: Counter[str] = Counter()
    kept = chosen(rows, config(keep=5), left_out)
    assert Counter(tuple(one.completion_ids) for one in kept) == Counter([(5,), (6,), (10,), (11,)])
    assert left_out == {"no success": 3, "the same episode again": 1, "enough of the instance": 0}
    assert len({one.meta.episode for one in chosen(rows, config(keep=2), Counter())}) == 2
    assert {one.meta.episode for one in chosen(rows, config(min_reward=0.5, keep=9), Counter())} == {"b", "c", "f", "g"}


@pytest.mark.parametrize("adapter", ["none", "lora"])
def test_it_plays_and_learns_from_its_successes(adapter, model, games, tmp_path, capsys):
    games("echo")
    given = ("games=[echo]", "max_length=64", f"adapter={adapter}", "learning_rate=1e-2", "partner=scripted")
    given += ("group_size=64", "min_reward=0.5", "epochs=5", "keep=8")
    sets = [word for one in given for word in ("--set", one)]
    command = ["train", "rft", "--model", str(model), "-o", str(tmp_path / "first"), *sets]
    assert main(command) == 0
    rows = list(read_rows(tmp_path / "first" / "rollouts.jsonl"))
    assert len(rows) == 8 * 64
    told = json.loads((tmp_path / "first" / "training.json").read_text())
    assert told["examples"]["used"] > 0
    assert told["examples"]["left_out"]["reward below 0.5"] > 0
    again = [str(tmp_path / {str(model): "first", str(tmp_path / "first"): "second"}[word])
             if word in (str(model), str(tmp_path / "first")) else word for word in command]  # fmt: skip
    assert main(again) == 0
    means = [
        sum(row.reward or 0.0 for row in rows) / len(rows)
        for rows in (rows, list(read_rows(tmp_path / "second" / "rollouts.jsonl")))
    ]
    assert means[1] > means[0] + 0.1


def test_without_a_success_there_is_nothing_to_train_on(model, games, tmp_path, capsys):
    games("echo")
    given = ("games=[echo]", "max_length=64", "group_size=1", "limit=1", "min_reward=1.0")
    sets = [word for one in given for word in ("--set", one)]
    assert main(["train", "rft", "--model", str(model), "-o", str(tmp_path / "out"), *sets]) == 2
    assert "nothing to train on" in capsys.readouterr().err
