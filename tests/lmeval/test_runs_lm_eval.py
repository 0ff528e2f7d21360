"""Reading what lm-evaluation-harness wrote, whole and broken."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lm_eval.loggers import EvaluationTracker
from support import FakeLM, evaluate, obedient, unreliable

from playpen_eval.errors import UserError
from playpen_eval.instances import load_instances
from playpen_eval.registry import load_game
from playpen_eval.runs import DUPLICATE, INVALID, MISSING, UNREADABLE, Run, read_run, read_transcript


def save(folder: Path, results: dict[str, Any], model: str = "fake", samples: bool = True) -> Path:
    """Writes results as `lm_eval --output_path folder --log_samples` does."""
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.log_experiment_args("hf", f"pretrained={model},dtype=bfloat16", None, None, False)
    found = results.pop("samples")
    results["config"]["model_args"] = {"pretrained": model, "dtype": "bfloat16", "load_in_4bit": True}
    tracker.save_results_aggregated(results, found)
    if samples:
        for task in results["configs"]:
            tracker.save_results_samples(task, found[task])
    return folder


def samples_of(folder: Path, task: str) -> Path:
    [path] = folder.rglob(f"samples_{task}_2*.jsonl")
    return path


def change(path: Path, function: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(function(path.read_text().splitlines(keepends=True))))


def kinds(run: Run) -> dict[str, int]:
    return {problem.kind: problem.count for problem in run.problems}


@pytest.fixture
def relay(tmp_path) -> Path:
    return save(tmp_path / "relay", evaluate(FakeLM(unreliable), "playpen_relay", metadata={"playpen_repeats": 2}))


def test_results_with_samples(relay):
    results = json.loads(next(relay.rglob("results_*.json")).read_text())["results"]["playpen_relay"]
    run = read_run(relay)
    assert not run.problems
    assert len(run.episodes) == 20
    assert {episode.epoch for episode in run.episodes} == {1, 2}
    assert {episode.experiment for episode in run.episodes} == {"near", "far"}
    played = [episode for episode in run.episodes if episode.kind != "aborted"]
    assert 5 * len(played) == results["played,none"]
    assert 5 * sum(episode.kind == "success" for episode in played) == results["success,none"]
    assert all(episode.learner_fault for episode in run.episodes if episode.kind == "aborted")
    meta = run.meta
    assert (meta.label, meta.format, meta.model, meta.partner) == ("relay", "lm-eval", "fake", "self")
    assert (meta.dtype, meta.quantization) == ("bfloat16", "4bit")
    assert meta.versions == {"relay": 3}
    assert meta.instances["relay"] == ("test", load_instances(load_game("relay")).sha256)
    assert "lm-eval" in meta.packages
    assert meta.wall_seconds is not None
    assert meta.tokens_in is None


def test_a_transcript(relay):
    for episode in read_run(relay).episodes:
        turns = read_transcript(episode.locator)
        assert len(turns) == episode.turns
        assert (turns[0].role, (turns[0].told or "")[:5]) == ("giver", "RULES")


def test_roles_and_partners(tmp_path):
    lm = FakeLM(obedient)
    run = read_run(save(tmp_path / "r", evaluate(lm, "playpen_relay_taker", metadata={"partner": "scripted:breaker"})))
    assert {(e.partner, e.roles, e.partner_fault) for e in run.episodes} == {("scripted:breaker", ("taker",), True)}
    both = evaluate(lm, "playpen_relay", "playpen_relay_giver", metadata={})
    run = read_run(save(tmp_path / "both", both))
    assert not run.problems  # the same instances in other roles are no duplicates
    assert run.meta.partner == "scripted:best, self"


def test_a_part_of_the_set_has_no_digest(tmp_path):
    run = read_run(save(tmp_path / "r", evaluate(FakeLM(), "playpen_relay", limit=4)))
    assert not run.problems
    assert len(run.episodes) == 4
    assert run.meta.instances["relay"] == ("test", None)


def test_of_every_task_the_newest_counts(tmp_path):
    save(tmp_path, evaluate(FakeLM(lambda messages: "no"), "playpen_relay"))
    save(tmp_path, evaluate(FakeLM(), "playpen_relay"))
    save(tmp_path, evaluate(FakeLM(), "playpen_solo"))
    run = read_run(tmp_path)
    assert {(episode.game, episode.kind) for episode in run.episodes} == {("relay", "success"), ("solo", "success")}
    assert not run.problems
    save(tmp_path, evaluate(FakeLM(), "playpen_solo"), model="other")
    with pytest.raises(UserError, match=r"different models \(fake, other\)"):
        read_run(tmp_path)


def test_results_without_samples(tmp_path):
    save(tmp_path, evaluate(FakeLM(), "playpen_relay", "playpen_solo"), samples=False)
    with pytest.raises(UserError, match="--log_samples"):
        read_run(tmp_path)


def test_samples_of_one_task_are_missing(tmp_path):
    save(tmp_path, evaluate(FakeLM(), "playpen_relay", "playpen_solo"))
    samples_of(tmp_path, "playpen_solo").unlink()
    run = read_run(tmp_path)
    assert {episode.game for episode in run.episodes} == {"relay"}
    assert kinds(run) == {MISSING: 1}


def test_broken_lines(relay):
    path = samples_of(relay, "playpen_relay")
    change(path, lambda lines: [lines[0], "{broken\n", lines[1], lines[1], *lines[2:9], lines[9][:200]])
    run = read_run(relay)
    assert len(run.episodes) == 18
    assert kinds(run) == {UNREADABLE: 2, DUPLICATE: 1, MISSING: 1}
    assert f"{path}:2" in str(run.problems[0])
    assert f"{path}:12" in str(run.problems[0])
    assert run.meta.instances["relay"].sha256 is None


def test_scores_that_are_no_figures(relay):
    def spoil(lines: list[str]) -> list[str]:
        sample = json.loads(lines[0])
        episode = json.loads(sample["resps"][0][0])
        nan = episode | {"outcome": episode["outcome"] | {"kind": "success", "score": math.nan, "faulty_role": None}}
        return [json.dumps(sample | {"resps": [[json.dumps(nan)]]}) + "\n", *lines[1:]]

    change(samples_of(relay, "playpen_relay"), spoil)
    run = read_run(relay)
    assert len(run.episodes) == 18
    assert kinds(run) == {INVALID: 1, MISSING: 1}  # and one of its two repeats is not there


class Chooser(FakeLM):
    """Finds the first option the likeliest, and says yes to everything else."""

    def loglikelihood(self, requests):
        return [(0.0 if request.idx == 0 else -1.0, False) for request in requests]

    def generate_until(self, requests):
        return ["Yes" for _ in requests]


def test_items_of_reference_benchmarks(tmp_path):
    results = evaluate(Chooser(), "playpen_mini_logic", "playpen_mini_executive")
    expected = {task: dict(row) for task, row in results["results"].items()}
    run = read_run(save(tmp_path, results))
    assert not run.episodes
    assert not run.problems
    assert {"playpen_mini_logic/0", "playpen_mini_executive/0"} < {item.item for item in run.items}
    for task in ("playpen_mini_logic", "playpen_mini_executive"):
        values = [item.value for item in run.items if item.task == task]
        [metric] = [name for name in ("acc,none", "exact_match,none") if name in expected[task]]
        assert math.isclose(sum(values) / len(values), expected[task][metric])

    def spoil(lines: list[str]) -> list[str]:
        return [json.dumps(json.loads(lines[0]) | {"acc": math.nan}) + "\n", *lines[1:]]

    change(samples_of(tmp_path, "playpen_mini_logic"), spoil)
    assert kinds(read_run(tmp_path)) == {INVALID: 1}


def test_results_that_are_none(relay):
    next(relay.rglob("results_*.json")).write_text('{"results": 1}')
    with pytest.raises(UserError, match="is no results file"):
        read_run(relay)
