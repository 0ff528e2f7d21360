"""Rows: validation, files, and rows from text."""
# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from made import byte_tokenizer
from playpen_eval.train.chat import load_chat
from playpen_eval.train.rows import Row, RowMeta, read_rows, row_from_chat, write_rows

from playpen_eval.errors import UserError

META = RowMeta("taboo", 1, "taboo/1/train/high/0-0", "high", "train", "guesser", "success", 1.0, "e1")
ROW = Row([1, 2], [3, 4, 5, 6], [1, 1, 0, 1], [0, 0, -1, 1], 0.5, META, [0.0, 1.0], [-1.0, -2.0, 0.0, -0.5])


def test_labels():
    assert ROW.labels() == [-100, -100, 3, 4, -100, 6]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_files_give_back_the_same_rows(tmp_path, ending):
    failed = dataclasses.replace(ROW, reward=None, logprobs=None, meta=dataclasses.replace(META, score=None))
    path = tmp_path / f"rows{ending}"
    assert write_rows(path, [ROW, failed]) == 2
    assert list(read_rows(path)) == [ROW, failed]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_datasets_loads_them(tmp_path, ending):
    datasets = pytest.importorskip("datasets", reason="the extra train is not installed")
    path = tmp_path / f"rows{ending}"
    write_rows(path, [ROW, ROW])
    kind = "json" if ending == ".jsonl" else "parquet"
    found = datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert found[1]["completion_ids"] == [3, 4, 5, 6]
    assert found[1]["game"] == "taboo"


@pytest.mark.parametrize(("change", "why"), [
    ({"mask": [1, 1, 0]}, "mask has 3 values for 4 tokens"), ({"mask": [1, 1, 2, 1]}, "token 2 has mask 2"),
    ({"turn_of": [0, 0, 0, 1]}, "token 2 has mask 0 and turn 0"), ({"prompt_ids": []}, "prompt_ids has 0"),
    ({"turn_rewards": [0.0]}, "token 3 is of turn 1 of 1"), ({"reward": float("nan")}, "reward nan"),
    ({"completion_ids": [3, 4, -5, 6]}, "negative"), ({"logprobs": [0.0]}, "logprobs has 1 values"),
])  # fmt: skip
def test_rows_that_are_wrong(change, why):
    with pytest.raises(UserError, match=why):
        dataclasses.replace(ROW, **change).validate()


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"prompt_ids": 3}'])
def test_files_that_are_wrong(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(UserError, match=r"rows.jsonl"):
        list(read_rows(path))


def test_file_names(tmp_path):
    with pytest.raises(UserError, match=r"must end with \.jsonl or \.parquet"):
        write_rows(tmp_path / "rows.csv", [])
    with pytest.raises(UserError, match="does not exist"):
        list(read_rows(tmp_path / "rows.jsonl"))


def test_a_row_from_text():
    chat = load_chat(byte_tokenizer())
    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ok"}]
    row = row_from_chat(chat, talk, [1], META, reward=1.0)
    assert chat.tokenizer.decode([token for token in row.labels() if token >= 0]) == "ok<|end|>"
    assert row.turn_rewards == [0.0]
    assert row.logprobs is None


def test_nothing_heavy_is_imported():
    code = """
import sys
import playpen_eval.train.rows, playpen_eval.train.chat, playpen_eval.train.rollout, playpen_eval.train.data.options
import playpen_eval.train.sampler
print([name for name in ("torch", "transformers", "trl", "datasets", "pyarrow", "inspect_ai") if name in sys.modules])
"""
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": root}, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_the_core_does_not_import_training():
    code = (
        "import sys, playpen_eval.cli, playpen_eval.runs; print([n for n in sys.modules if 'playpen_eval.train' in n])"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": root}, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
