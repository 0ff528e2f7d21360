"""`playpen-eval tasks-dir` and `playpen-eval lm-eval`, and the harness's real command line with a small model."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import figure

from playpen_eval.cli import lm_eval as command
from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.lmeval.tasks_dir import write_tasks_dir

ROOT = Path(__file__).resolve().parents[2]


def test_tasks_dir_prints_the_folder_alone(capsys):
    assert main(["tasks-dir"]) == 0
    assert capsys.readouterr().out == f"{write_tasks_dir()}\n"


def given(*words: str) -> list[str]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with command.arguments(parser.parse_args(list(words)).rest, Path("/ours")) as argv:
        return argv


def test_our_folder_is_added():
    assert given("--model", "hf", "--tasks", "a") == ["run", "--model", "hf", "--tasks", "a", "--include_path", "/ours"]
    assert given("ls", "tasks") == ["ls", "tasks", "--include_path", "/ours"]
    assert given("--help") == ["run", "--help"]


@pytest.mark.parametrize("own", [["--include_path", "/theirs"], ["--include_path=/theirs"]])
def test_both_folders_are_used(own):
    with command.arguments(["run", *own, "--tasks", "a"], Path("/ours")) as argv:
        assert argv[:2] == ["run", "--config"]
        assert argv[3:] == ["--tasks", "a"]
        assert yaml.safe_load(Path(argv[2]).read_text()) == {"include_path": ["/ours", "/theirs"]}


def test_a_configuration_file_keeps_its_content(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("model: hf\ninclude_path: [/theirs]\n")
    with command.arguments(["--config", str(config)], Path("/ours")) as argv:
        assert yaml.safe_load(Path(argv[2]).read_text()) == {"model": "hf", "include_path": ["/ours", "/theirs"]}
    config.write_text("[]")
    with pytest.raises(UserError, match="no mapping"), command.arguments(["-C", str(config)], Path("/ours")):
        pass


def test_a_second_folder_is_refused_where_the_harness_takes_one():
    with pytest.raises(UserError, match="/theirs"):
        given("ls", "tasks", "--include_path", "/theirs")


def test_a_missing_harness_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(UserError, match=r"playpen-eval\[lm-eval\]"):
        command.run(argparse.Namespace(rest=[]))


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory) -> Path:
    pytest.importorskip("torch", reason="the extra hf is not installed")
    from tiny_llama import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["lm_eval", "playpen_eval"])
def test_the_real_command_line_plays(entry, tiny_llama, tmp_path):
    arguments = ["--model", "hf", "--model_args", f"pretrained={tiny_llama}", "--device", "cpu"]
    arguments += ["--tasks", "playpen_taboo,playpen_taboo_guesser,playpen_unseen_games", "--limit", "2"]
    arguments += ["--gen_kwargs", "max_gen_toks=8", "--output_path", str(tmp_path), "--log_samples"]
    if entry == "lm_eval":
        arguments = ["lm_eval", "--include_path", str(write_tasks_dir()), *arguments]
    else:
        arguments = ["playpen_eval", "lm-eval", *arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = tmp_path.rglob("results_*.json")
    results = json.loads(path.read_text())
    assert results["n-samples"]["playpen_taboo"]["effective"] == 2
    assert 0 <= figure(results, "played", "playpen_taboo") <= 100
    assert figure(results, "aborted", "playpen_taboo_guesser") == 100  # random text never begins with GUESS:
    (samples,) = tmp_path.rglob("samples_playpen_taboo_guesser_*.jsonl")
    episode = json.loads(json.loads(samples.read_text().splitlines()[0])["resps"][0][0])
    assert (episode["template"], episode["learner_roles"]) == ("chat", ["guesser"])
    assert episode["outcome"]["faulty_role"] == "guesser"
