"""train/evidence.py: what it makes of episodes, and when it plays anew."""
# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from playpen_eval.train import evidence
from playpen_eval.train.config import SFT
from playpen_eval.train.nano import make_nano
from playpen_eval.train.recipe_files import load_config, recipe_names
from safetensors.torch import load_file, save_file

MAZE = dataclasses.replace(evidence.TASKS["maze"], repeats=1, splits=("test",), max_tokens=2)


def run(returns: list[float]) -> dict[str, Any]:
    """An evaluation of the first starts."""
    starts = evidence.instances(evidence.TASKS["maze"], ["train"])
    return {
        "episodes": [
            {"instance": one["id"], "return": value, "success": value > -50} for one, value in zip(starts, returns)
        ]
    }


def test_means_and_intervals_are_over_seeds():
    found = [
        {"bc": run([-10.0, -90.0]), "mc": run([-5.0, -45.0])},
        {"bc": run([-20.0, -40.0]), "mc": run([-4.0, -6.0])},
    ]
    task = dataclasses.replace(MAZE, splits=("train",), columns={"all": lambda _: True})
    bc, mc = (evidence.summary(task, found, method) for method in ("bc", "mc"))
    assert bc["all"]["by_seed"] == [-50.0, -30.0]
    assert bc["all"]["return"] == -40
    assert bc["all"]["half_width"] == pytest.approx(12.7062 * 10, rel=1e-4)
    assert (bc["all"]["success"], bc["all"]["episodes"]) == (0.75, 4)
    assert evidence.gain(mc, bc) == {"mean": 25.0, "half_width": pytest.approx(0, abs=1e-9)}
    assert evidence.half_width([3.0]) is None


def test_columns_are_of_the_instances_they_choose():
    starts = evidence.instances(evidence.TASKS["maze"], ["train"])
    task = dataclasses.replace(MAZE, splits=("train",), columns={"one": lambda one: one["id"] == starts[1]["id"]})
    assert evidence.summary(task, [{"bc": run([-10.0, -90.0])}], "bc")["one"]["by_seed"] == [-90.0]


def test_the_table_has_a_row_for_each_method_and_policy():
    told = {"all": {"return": -7.0, "half_width": 0.5, "by_seed": [-7.0], "success": 1.0, "episodes": 25}}
    result = {
        "game": "maze_fo",
        "seeds": [0],
        "methods": {"bc": told, "ilql": told},
        "gains": {"ilql": {"mean": 0.0, "half_width": None}},
        "policies": {"best": {"all": -6.84}},
        "paper": {"ilql": -6.97, "best": -6.84},
    }
    lines = evidence.table(result).splitlines()
    assert lines[3] == "| ILQL | -7.00 ± 0.50 | 100% | 0.00 | -6.97 |"
    assert lines[4] == "| policy `best` | -6.84 |  |  | -6.84 |"
    assert {line.count("|") for line in lines[:5]} == {6}
    lines = evidence.table(result | {"paper": {}}).splitlines()
    assert lines[3] == "| ILQL | -7.00 ± 0.50 | 100% | 0.00 |"
    assert {line.count("|") for line in lines[:5]} == {5}


def test_what_was_played_is_taken_while_the_weights_are_the_same(tmp_path: Path):
    folder = tmp_path / "bc"
    make_nano(folder, ["maze_fo"], short_rules=True)
    first = evidence.evaluate(MAZE, folder, 0)
    assert len(first["episodes"]) == len(evidence.instances(MAZE, MAZE.splits))
    path = tmp_path / "bc-evaluation.json"
    path.write_text(json.dumps(first | {"episodes": []}))
    assert evidence.evaluate(MAZE, folder, 0)["episodes"] == []
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: torch.zeros_like(one) for name, one in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    again = evidence.evaluate(MAZE, folder, 0)
    assert len(again["episodes"]) == len(first["episodes"])
    assert again["weights"] != first["weights"]


@pytest.mark.parametrize("name", evidence.TASKS)
def test_every_method_has_its_recipe(name):
    methods = evidence.TASKS[name].methods
    assert {evidence.recipe_of(name, method) for method in ("bc", *methods)} <= set(recipe_names())
    assert methods[:2] == ("longer", "filtered")


@pytest.mark.parametrize("name", evidence.TASKS)
def test_longer_is_filtered_bc_without_the_filter(name):
    recipe = evidence.recipe_of(name, "longer")
    filtered, longer = (load_config("sft", recipe, sets) for sets in ((), evidence.UNFILTERED))
    assert isinstance(filtered, SFT)
    assert (filtered.top, filtered.min_reward) != (None, None)
    assert longer == dataclasses.replace(filtered, top=None, min_reward=None)
