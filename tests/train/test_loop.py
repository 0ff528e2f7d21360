"""The loop: what is finished is not done again, what has changed is named, what is wrong is said at once."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("trl", reason="the extra train is not installed")

from playpen_eval.train import loop
from playpen_eval.train.plan import LOOPS, load_plan

from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.runs import read_run

SETTINGS = {"adapter": "none", "max_steps": 2, "batch_size": 2, "max_length": 128, "save_every": 1, "log_every": 1}


@pytest.fixture
def config(tmp_path, games, model) -> dict[str, Any]:
    """A loop of seconds."""
    games("echo")
    return {
        "model": str(model),
        "evaluations": {"greedy": {"run": {"games": ["echo"], "max_tokens": 2}}},
        "stages": [
            "evaluate",
            {"data": {"play": ["echo"], "seats": ["learner"]}},
            {"train": {"method": "sft", "set": dict(SETTINGS)}},
            "evaluate",
        ],
    }


@pytest.fixture
def write(tmp_path):
    def written(config: dict[str, Any]) -> str:
        path = tmp_path / "loop.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return str(path)

    return written


def states(output: Path) -> dict[str, str]:
    return {path.parent.name: json.loads(path.read_text())["state"] for path in sorted(output.glob("*/stage.json"))}


def commands(monkeypatch) -> list[str]:
    """The first words of the commands that are run from now on."""
    ran: list[str] = []
    real = loop._run_step
    monkeypatch.setattr(loop, "_run_step", lambda step: (ran.append(step.words[0]), real(step))[1])
    return ran


def test_it_leaves_a_folder_for_each_stage_and_does_nothing_twice(config, write, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    ran = commands(monkeypatch)
    assert main(["loop", write(config), "-o", str(out)]) == 0
    assert states(out) == dict.fromkeys(["00-evaluate", "01-data", "02-sft", "03-evaluate"], "finished")
    assert ran == ["run", "data", "train", "run"]
    said = capsys.readouterr()
    assert "model (before) to sft (after)" in said.out
    assert "playpen-eval train sft --set seed=0 --set adapter=none --set max_steps=2" in said.err
    assert len(read_run(out / "03-evaluate" / "greedy").episodes) == 4
    told = json.loads((out / "loop.json").read_text())
    assert told["evaluations"]["greedy"]["runs"] == ["model", "sft"]
    assert all((out / f"greedy.{ending}").stat().st_size for ending in ("html", "svg", "png"))

    ran.clear()
    assert main(["loop", write(config), "-o", str(out)]) == 0
    assert ran == []
    assert "02-sft: finished before" in capsys.readouterr().err


def test_a_changed_stage_is_named_with_those_that_build_on_it_and_only_they_are_redone(
    config, write, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "out"
    monkeypatch.setattr(loop, "_conclude", lambda *_: {})
    assert main(["loop", write(config), "-o", str(out)]) == 0
    config["stages"][2]["train"]["set"]["max_steps"] = 1
    capsys.readouterr()
    ran = commands(monkeypatch)
    assert main(["loop", write(config), "-o", str(out)]) == 2
    said = capsys.readouterr().err
    assert "changed: 02-sft, 03-evaluate)" in said
    assert "--redo" in said
    assert ran == []
    assert set(states(out).values()) == {"finished"}
    assert main(["loop", write(config), "-o", str(out), "--redo"]) == 0
    assert ran == ["train", "run"]
    assert json.loads((out / "02-sft" / "model" / "training.json").read_text())["steps"] == 1


def test_an_edited_recipe_and_a_lost_stage_are_changes_too(config, write, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("method: sft\nadapter: none\n")
    config["stages"][2]["train"]["recipe"] = str(recipe)
    before = load_plan(write(config), tmp_path / "out")
    moved = load_plan(write(config), tmp_path / "elsewhere")
    assert [stage.digest for stage in before] == [stage.digest for stage in moved]
    recipe.write_text("method: sft\nadapter: none\nlearning_rate: 1e-3\n")
    after = load_plan(write(config), tmp_path / "out")
    assert [one.digest == other.digest for one, other in zip(before, after)] == [True, True, False, False]
    reseeded = load_plan(write(config), tmp_path / "out", seed=7)
    assert not {stage.digest for stage in after} & {stage.digest for stage in reseeded}

    (tmp_path / "out" / "07-old").mkdir(parents=True)
    (tmp_path / "out" / "07-old" / "stage.json").write_text('{"digest": "", "state": "finished", "seconds": 1}')
    with pytest.raises(UserError, match="no longer there: 07-old"):
        loop.run_loop(after, tmp_path / "out")


def test_after_an_interrupt_the_same_command_goes_on_at_the_last_checkpoint(
    config, write, tmp_path, monkeypatch, capsys
):
    from trl.trainer.sft_trainer import SFTTrainer

    out = tmp_path / "out"
    monkeypatch.setattr(loop, "_conclude", lambda *_: {})
    config["stages"][2]["train"]["set"]["max_steps"] = 3
    real, steps = SFTTrainer.training_step, []

    def training_step(*args, **kwargs):
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(SFTTrainer, "training_step", training_step)
    assert main(["loop", write(config), "-o", str(out)]) == 130
    assert "stopped in" in capsys.readouterr().err
    assert states(out) == {"00-evaluate": "finished", "01-data": "finished", "02-sft": "running"}
    ran = commands(monkeypatch)
    assert main(["loop", write(config), "-o", str(out)]) == 0
    assert ran == ["train", "run"]
    assert len(steps) == 4  # two steps, the one that was interrupted, and that one again


def test_a_failing_command_stops_the_loop_and_keeps_what_was_finished(config, write, tmp_path, monkeypatch, capsys):
    config["stages"][2]["train"]["set"]["max_length"] = 3
    assert main(["loop", write(config), "-o", str(tmp_path / "out")]) == 2
    assert "stage 02-sft: `playpen-eval train sft" in capsys.readouterr().err
    assert states(tmp_path / "out")["01-data"] == "finished"


@pytest.mark.slow
def test_an_adapter_plays_in_inspect_as_it_does_here(config, write, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(loop, "_conclude", lambda *_: {})
    config["evaluations"] = {
        "ours": {"run": {"games": ["echo"], "max_tokens": 2}},
        "theirs": {"inspect": {"tasks": ["playpen/echo"], "max_tokens": 2}},
    }
    settings = config["stages"][2]["train"]["set"]
    config["stages"][2]["train"]["set"] = {**settings, "adapter": "lora", "max_steps": 20, "learning_rate": 0.02}
    del config["stages"][0]
    assert main(["loop", write(config), "-o", str(out)]) == 0
    assert (out / "01-sft" / "model" / "adapter_config.json").is_file()
    ours, theirs = (read_run(out / "02-evaluate" / name).episodes for name in ("ours", "theirs"))
    assert {one.instance: (one.kind, one.score) for one in ours} == {
        one.instance: (one.kind, one.score) for one in theirs
    }
    assert any(one.score for one in ours)  # it has learned something that both could lose


BAD = [
    (lambda c: c.update(stage=[]), "unknown key of .* 'stage'; did you mean 'stages'"),
    (lambda c: c.update(seed=-1), "whole number of 0 or more, not -1"),
    (lambda c: c.update(stages="evaluate"), "must be a list of stages"),
    (lambda c: c["stages"].append("evalute"), "kind of stage 4 'evalute'; did you mean 'evaluate'"),
    (lambda c: c["stages"].append({"only": "greedy", "evaluate": {}}), "stage 4 must be one kind"),
    (lambda c: c["stages"][0:1].clear() or c.update(evaluations={}), "stage 00-evaluate: nothing to evaluate"),
    (lambda c: c["stages"].__setitem__(0, {"evaluate": {"only": "gredy"}}), "did you mean 'greedy'"),
    (lambda c: c["evaluations"]["greedy"]["run"].update(game=1), "option of run 'game'; did you mean 'games'"),
    (lambda c: c["evaluations"]["greedy"]["run"].update(games=["ecco"]), "evaluation greedy: unknown game 'ecco'"),
    (lambda c: c["evaluations"]["greedy"]["run"].update(output="x"), "unknown option of run 'output'"),
    (lambda c: c["evaluations"].update(x={"inspect": {"tasks": ["playpen/ecco"]}}), "unknown game 'ecco'"),
    (lambda c: c["evaluations"].update(x={"inspect": {"task": []}}), "did you mean 'tasks'"),
    (lambda c: c["stages"][1]["data"].update(play=["taboo", "codenames"]), "stage 01-data: codenames is held out"),
    (lambda c: c["stages"][1]["data"].update(error_rat=1), "did you mean 'error_rate'"),
    (lambda c: c["stages"][2]["train"].update(recipe="laptop-stf"), "did you mean 'laptop-sft'"),
    (lambda c: c["stages"][2]["train"]["set"].update(max_step=1), "did you mean 'max_steps'"),
    (lambda c: c["stages"][2]["train"].update(data="none.jsonl"), "stage 02-sft: the data none.jsonl does not exist"),
    (lambda c: c["stages"].pop(1), "stage 01-sft: it trains on data, and there is none"),
    (lambda c: c["stages"][2]["train"].update(method="ppa"), "invalid choice: 'ppa'"),
    (lambda c: c["stages"][2]["train"].update(name="../x"), "a name is made of letters"),
    (lambda c: c["stages"].append(c["stages"][2]), "stage 04-sft: there is a stage called sft already"),
    (
        lambda c: c["stages"].append({"train": {"method": "grpo", "set": {"games": ["codenames"]}}}),
        "stage 04-grpo: codenames is held out",
    ),
    (lambda c: c.pop("model"), "no model to evaluate"),
]


@pytest.mark.parametrize(("spoil", "message"), BAD, ids=[message[:30] for _, message in BAD])
def test_what_is_wrong_is_said_before_anything_runs(spoil, message, config, write, tmp_path):
    spoil(config)
    with pytest.raises(UserError, match=message):
        load_plan(write(config), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_broken_marker_and_a_foreign_folder_are_not_touched(config, write, tmp_path, capsys):
    out = tmp_path / "out"
    (out / "00-evaluate").mkdir(parents=True)
    (out / "00-evaluate" / "notes.txt").write_text("mine")
    assert main(["loop", write(config), "-o", str(out)]) == 2
    assert "holds something that is no stage" in capsys.readouterr().err
    (out / "00-evaluate" / "stage.json").write_text("{")
    assert main(["loop", write(config), "-o", str(out), "--redo"]) == 2
    assert "is broken" in capsys.readouterr().err
    assert (out / "00-evaluate" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", sorted(path.stem for path in LOOPS.glob("*.yaml")))
def test_the_loops_that_come_with_the_package_are_sound(name, tmp_path):
    plan = load_plan(name, tmp_path)
    assert [stage.folder.name[:2] for stage in plan] == [f"{index:02d}" for index in range(len(plan))]
    assert {step.name for stage in plan for step in stage.steps if step.name} == {"greedy", "sampled"}
    assert {"sft", "grpo"} <= {stage.name for stage in plan}
