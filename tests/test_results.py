"""The published results: their form, and whether their numbers agree with each other."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from playpen_eval.registry import AXES, axis_games
from playpen_eval.report.stored import results_text
from playpen_eval.runs.read_results import SCHEMA, load_results_file, results_folder
from playpen_eval.scoring import clemscore

FILES = sorted((results_folder() / "published").glob("*.json"))
CASES = [
    pytest.param(entry, id=f"{file.stem}: {entry['label']}") for file in FILES for entry in load_results_file(file)
]
SIZES = {"clembench-2.0": 817, "playpen-data validation": 158}
ROUNDING = 0.006
"""Figures are given with two digits."""


def playpen_games() -> set[str]:
    return {name for axis in ("unseen_instances", "unseen_games") for name in axis_games(axis)}


def test_there_are_published_results():
    assert {file.stem for file in FILES} == {"playpen-paper", "playpen-validation", "playschool"}
    assert len(CASES) > 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_keep_the_schema(path: Path):
    schema = json.loads((results_folder() / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads(path.read_text())
    jsonschema.validate(data, schema, jsonschema.Draft202012Validator)
    assert schema["$id"] == schema["properties"]["schema"]["const"] == data["schema"] == SCHEMA
    assert results_text(data) == path.read_text(), "write it by playpen_eval.report.stored.results_text"
    labels = [entry["label"] for entry in data["entries"]]
    assert len(set(labels)) == len(labels)
    assert all(entry["kind"] in ("published", "derived") for entry in data["entries"])


@pytest.mark.parametrize("entry", CASES)
def test_names_are_those_of_the_project(entry: dict[str, Any]):
    assert set(entry.get("games", {})) <= playpen_games() | axis_games("statscore").keys()
    assert set(entry["axes"]) <= {*AXES, "overall"}


@pytest.mark.parametrize("entry", CASES)
def test_clemscores_are_products(entry: dict[str, Any]):
    for axis in entry["axes"].values():
        if "played" in axis:
            assert axis["clemscore"] == pytest.approx(axis["played"] * axis["quality"] / 100, abs=2 * ROUNDING)


@pytest.mark.parametrize("entry", CASES)
def test_axes_are_the_means_of_their_games(entry: dict[str, Any]):
    for name, axis in entry["axes"].items():
        games = playpen_games() if name == "overall" else axis_games(name).keys()
        figures = {game: (row["played"], row["quality"]) for game, row in _whole(entry).items() if game in games}
        # Of sft-initial one game was not run; of some runs only a few games are published.
        if len(figures) < len(games) - (entry["label"] == "llama3-8b sft-initial"):
            continue
        total = clemscore(figures)
        assert axis["clemscore"] == pytest.approx(total.clemscore, abs=2 * ROUNDING), name
        if "played" in axis:
            assert axis["played"] == pytest.approx(total.played, abs=2 * ROUNDING), name
            assert axis["quality"] == pytest.approx(total.quality, abs=2 * ROUNDING), name


@pytest.mark.parametrize("entry", CASES)
def test_the_mean_of_both_axes_is_that_of_all_games(entry: dict[str, Any]):
    axes = [entry["axes"].get(axis, {}) for axis in ("unseen_instances", "unseen_games", "overall")]
    if all("played" in axis for axis in axes):
        assert axes[2]["played"] == pytest.approx((axes[0]["played"] + axes[1]["played"]) / 2, abs=2 * ROUNDING)
    elif all("played" in axis for axis in axes[:2]):
        # In the ablation only the clemscore is given; up to six games of an axis may have no quality at all.
        played = (axes[0]["played"] + axes[1]["played"]) / 2
        shares = [one / (one + other) for one in range(1, 8) for other in range(1, 8)]
        totals = [played * (share * axes[0]["quality"] + (1 - share) * axes[1]["quality"]) / 100 for share in shares]
        away = min(abs(total - axes[2]["clemscore"]) for total in totals)
        assert away > 0.5 if "as published" in entry.get("note", "").lower() else away < 4 * ROUNDING


@pytest.mark.parametrize("entry", CASES)
def test_percentages_are_of_whole_episodes(entry: dict[str, Any]):
    for name, row in _whole(entry).items():
        played = row["n"] * row["played"] / 100
        assert played == pytest.approx(round(played), abs=row["n"] * ROUNDING / 100), name
        assert (row["quality"] is None) == (row["played"] == 0), name
        if "aborted" in row:
            assert row["success"] + row["lose"] + row["aborted"] == row["n"]
            assert row["success"] + row["lose"] == round(played)
    whole = {name: row["n"] for name, row in _whole(entry).items() if name in playpen_games()}
    if whole.keys() == playpen_games() and not entry["label"].startswith("tulu"):
        assert sum(whole.values()) == SIZES[entry["instances"]]


def test_changes_are_from_the_entry_that_they_name():
    entries = {entry["label"]: entry for file in FILES for entry in load_results_file(file)}
    changes = [
        (entry, name, axis["change"])
        for entry in entries.values()
        for name, axis in entry["axes"].items()
        if "change" in axis
    ]
    assert {entry["label"] for entry, _, _ in changes} == {"8B SFT, 700 steps", "8B GRPO"}
    for entry, name, change in changes:
        before = entries[change["from"]]["axes"][name]["clemscore"]
        assert math.isclose(entry["axes"][name]["clemscore"], before + change["clemscore"], abs_tol=1e-9)


def test_the_learning_curve():
    [file] = [file for file in FILES if file.stem == "playpen-paper"]
    curve = {entry["step"]: entry for entry in load_results_file(file) if entry.get("curve") == "8B SFT"}
    assert sorted(curve) == [0, 100, 200, 300, 400, 500, 600, 700, 1100, 1700]
    best = {
        axis: max(curve, key=lambda step: curve[step]["axes"][axis]["clemscore"])
        for axis in ("unseen_instances", "unseen_games")
    }
    assert best == {"unseen_instances": 700, "unseen_games": 100}


def _whole(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The games of which % played is known."""
    return {name: row for name, row in entry.get("games", {}).items() if "played" in row}
