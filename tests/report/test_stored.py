"""Runs as stored reports, and such reports as runs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import inspect_ai
import jsonschema
import pytest

from playpen_eval.compare import compare
from playpen_eval.errors import UserError
from playpen_eval.report import summarise_run
from playpen_eval.report.stored import results_text, to_results
from playpen_eval.runs import (
    DUPLICATE,
    INVALID,
    LIMIT,
    MISSING,
    UNREADABLE,
    EpisodeRecord,
    InstanceSource,
    ItemRecord,
    Locator,
    Problem,
    Run,
    RunMeta,
    read_run,
    read_transcript,
)
from playpen_eval.runs.read_results import SCHEMA, results_folder

LOCATOR = Locator("inspect", "log.eval", "x")


def episode(instance: str = "taboo/1/test/high/0", **changed: Any) -> EpisodeRecord:
    one = EpisodeRecord(
        "taboo", instance, 1, 1, "high", "test", "success", 1 / 3, False, False, 2, None, "self", LOCATOR
    )
    return replace(one, **changed)


def aborted(instance: str, **changed: Any) -> EpisodeRecord:
    return episode(instance, kind="aborted", score=None, learner_fault=True, **changed)


def made_run() -> Run:
    """Everything that a record can hold."""
    beside = {"roles": ("guesser",), "partner": "model:x", "turns": None}
    episodes = [
        episode(),
        episode(epoch=3, kind="lose", score=0.0),
        aborted("taboo/1/test/low/1", experiment="low"),
        aborted("taboo/1/test/low/2", experiment="low", partner_fault=True, **beside) ,
        episode("taboo/1/train/high/1", split="train"),
        episode("lnt/1/test/a/0", game="lnt", experiment="a", kind="lose", score=-0.25, partner="self"),
        episode("taboo/clembench-2.0/a/b/7", version=None, experiment="a/b", split="clembench-2.0", partner=None),
        episode("wordle/1/test/\ud800<b>/0", game="wordle", experiment="\ud800<b>"),
    ]  # fmt: skip
    episodes[3] = replace(episodes[3], learner_fault=False)
    task = "playpen_bbh_dyck_languages"
    items = [ItemRecord("bbh", task, f"{task}/{i}", i / 3, 1 + i // 2) for i in range(3)]
    meta = RunMeta(
        "logs", "logs", "inspect", "m",
        {"taboo": InstanceSource("test", "abc"), "wordle": InstanceSource("test", None)},
        "self", "bfloat16", "4bit", {"temperature": 0.5, "seed": 1}, {"taboo": 1}, {"inspect_ai": "1"}, "c0ffee",
        10, 20, 30, 4.5, 0.25, ("mmlu",),
    )  # fmt: skip
    return Run(meta, episodes, items, [Problem(LIMIT, 7, ("a", "b"))])


def store(run: Run, path: Path) -> dict[str, Any]:
    results = to_results([summarise_run(run)])
    path.write_text(results_text(results))
    return json.loads(path.read_text())


@pytest.fixture
def stored(tmp_path) -> tuple[Path, dict[str, Any]]:
    path = tmp_path / "base.json"
    return path, store(made_run(), path)


def bare(run: Run) -> list[EpisodeRecord]:
    return sorted((replace(one, locator=LOCATOR) for one in run.episodes), key=lambda one: (one.instance, one.epoch))


def test_nothing_is_lost(stored):
    path, data = stored
    schema = json.loads((results_folder() / "schema.json").read_text())
    jsonschema.validate(data, schema, jsonschema.Draft202012Validator)
    run, again = made_run(), read_run(path)
    assert bare(again) == bare(run)
    assert again.problems == run.problems
    there = replace(again.meta, label="logs", path="logs")
    assert asdict(there) == asdict(run.meta)
    assert (again.meta.label, again.meta.path) == ("base", str(path))
    benchmarks = {item.benchmark for item in again.items}
    assert [item for item in again.items if item.benchmark != "lnt"] == run.items
    assert "lnt" in benchmarks  # a benchmark that is a game has its episodes as items again


def test_figures_are_stored_as_they_are_reported(stored):
    _, data = stored
    summary = summarise_run(made_run())
    [entry] = data["entries"]
    assert (data["schema"], entry["kind"], entry["label"]) == (SCHEMA, "measured", "logs")
    assert entry["games"].keys() == summary.games.keys()
    for label, game in summary.games.items():
        row = entry["games"][label]
        assert row["quality"] == game.score.quality
        assert row["played_interval"] == (list(game.score.played_interval) if game.score.played_interval else None)
    assert entry["axes"]["unseen_games" if "unseen_games" in summary.axes else "overall"]["clemscore"] is not None
    assert entry["doubts"] == list(summary.doubts)


@pytest.mark.parametrize("name", ["llama3-8b-base", "llama3-8b-sft"])
def test_a_recording_and_its_stored_report_do_not_differ(shared, tmp_path, name):
    run = read_run(shared / "recordings" / f"{name}.tar.gz")
    store(run, tmp_path / "stored.json")
    found = compare(run, tmp_path / "stored.json")
    assert not found.paired.only_before
    assert not found.paired.only_after
    assert all(effect.difference.effect == pytest.approx(0, abs=1e-9) for effect in found.effects)
    assert sum(len(pairs) for pairs in found.paired.games.values()) == len(run.episodes)


def test_a_log_of_inspect_and_its_stored_report_do_not_differ(tmp_path):
    inspect_ai.eval(
        "playpen/taboo", model="playpen-scripted/best", task_args={"limit_per_experiment": 1, "partner": "scripted"},
        log_dir=str(tmp_path / "log"), display="none", epochs=2,
    )  # fmt: skip
    run = read_run(tmp_path / "log")
    store(run, tmp_path / "stored.json")
    found = compare(run, tmp_path / "stored.json")
    assert {effect.difference.effect for effect in found.effects} == {0.0}
    assert not any("read from" in doubt for doubt in found.doubts)  # the format of the log is kept


def test_a_stored_report_has_no_transcripts(stored):
    run = read_run(stored[0])
    with pytest.raises(UserError, match=r"a stored report has no transcripts: .*base\.json"):
        read_transcript(run.episodes[0].locator)


def test_strict_json_of_hostile_logs(tmp_path):
    run = made_run()
    hostile = {"temperature": math.nan, "top_p": math.inf, "x": {"y": [math.nan]}, "z": Path("p"), "s": "\ud800"}
    meta = replace(run.meta, cost=math.nan, wall_seconds=math.inf, generation=hostile)
    data = store(Run(meta, run.episodes, run.items, run.problems), tmp_path / "x.json")
    assert data["entries"][0]["generation"] == {
        "temperature": None, "top_p": None, "x": {"y": [None]}, "z": "p", "s": "\ud800",
    }  # fmt: skip
    assert read_run(tmp_path / "x.json").meta.cost is None


def test_a_tool_may_sort_the_members(stored):
    path, data = stored
    path.write_text(json.dumps(data, sort_keys=True, indent=2))
    assert bare(read_run(path)) == bare(made_run())


def rows_of(data: dict[str, Any]) -> list[Any]:
    [entry] = data["entries"]
    [label] = [name for name in entry["games"] if name.startswith("lnt")]
    return entry["games"][label]["experiments"]["a"]["episodes"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (["lnt/1/test/a/0", 1, "L", 0.5, 2], DUPLICATE),
        (["lnt/1/test/a/9", 1, "W", None, 2], INVALID),
        (["lnt/1/test/a/9", 1, "A", 0.5, 2], INVALID),
        (["lnt/1/test/a/9", 1, "W", 1.5, 2], INVALID),
        (["lnt/1/test/a/9", 1, "W", "1", 2], INVALID),
        (["lnt/1/test/a/9", 1, "X", 1, 2], UNREADABLE),
        (["lnt/1/test/a/9", "1", "W", 1, 2], UNREADABLE),
        (["lnt/1/test/a/9", 1, "W", 1, 2.5], UNREADABLE),
        (["lnt/1/test/a/9", 1, ["W"], 1, 2], UNREADABLE),
        ([["lnt"], 1, "W", 1, 2], UNREADABLE),
        (["lnt/1/test/a/9", 1, "W", 1], UNREADABLE),
        ({"a": 1}, UNREADABLE),
        ("WLWLA", UNREADABLE),
        (None, UNREADABLE),
    ],
)
def test_rows_that_cannot_be_used_are_named(stored, row, kind):
    path, data = stored
    rows_of(data).append(row)
    path.write_text(json.dumps(data))
    run = read_run(path)
    assert [(problem.kind, problem.count) for problem in run.problems if problem.kind != LIMIT] == [(kind, 1)]
    assert bare(run) == bare(made_run())


def test_rows_that_are_not_there_are_named(stored):
    path, data = stored
    rows_of(data).pop()
    [entry] = data["entries"]
    entry["items"]["nothing"] = [["a", 1, 1.0]]
    path.write_text(json.dumps(data))
    assert {problem.kind: problem.where for problem in read_run(path).problems if problem.kind != LIMIT} == {
        MISSING: ("1 of 1 of lnt/a",),
        UNREADABLE: (f"{path}: nothing is no task of a reference benchmark",),
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text[: len(text) // 2], "broken or truncated"),
        (lambda text: text.replace("results/1", "results/2"), "reads 'playpen-eval/results/1' only"),
        (lambda text: text.replace('"W", 0.3333333333333333', '"W", NaN', 1), "holds NaN, which is no JSON"),
        (lambda text: text.replace('"kind": "measured"', '"kind": "measured", "label": "b"'), "has 'label' twice"),
        (lambda text: text.replace('"inspect"', "3", 1), "schema at entries/0/format: 3 is not of type 'string'"),
        (lambda text: text.replace('"played": 100.0', '"played": 1e999', 1), "greater than the maximum"),
        (lambda text: text.replace('"ended by', '"bended by', 1), "a problem 'bended by a limit of the evaluation'"),
        (lambda text: text.replace('"entries": [', '"entries": [' + "[" * 100_000, 1), "broken or truncated"),
        (lambda text: text.replace('"wall_seconds": 4.5', '"wall_seconds": 4.5, "x": 1', 1), "'x' was unexpected"),
        (lambda text: text.replace('"cost": 0.25', '"cost": ' + "9" * 5000, 1), "broken or truncated"),
    ],
)
def test_files_that_cannot_be_used(stored, change, why):
    path, _ = stored
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))
    with pytest.raises(UserError, match=why):
        read_run(path)


def test_what_is_no_single_run(stored, tmp_path):
    with pytest.raises(UserError, match=r"published aggregates without episodes; .* report --against"):
        read_run(results_folder() / "published" / "playpen-paper.json")
    summary = summarise_run(made_run())
    both = tmp_path / "both.json"
    both.write_text(results_text(to_results([summary, summary])))
    with pytest.raises(UserError, match=r"holds several entries \(logs, logs\)"):
        read_run(both)
