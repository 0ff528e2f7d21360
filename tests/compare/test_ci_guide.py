"""The guide to gates in CI: its workflow is run as a script, its rules are read, its figures computed."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import inspect_ai
import pytest
import yaml

from playpen_eval.compare.rules import check_subject, parse_rules
from playpen_eval.statistics import both_sides, paired_difference

TEXT = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
GAMES = ("playpen/taboo", "playpen/guesswhat")
INSTALL = "python -m pip install "


def block(comment: str) -> str:
    """The code block below a comment."""
    found = re.search(rf"<!-- {comment} -->\n```\w*\n(.*?)```", TEXT, re.DOTALL)
    assert found, f"docs/ci.md lost the example {comment!r}"
    return found[1]


def steps() -> dict[str, str]:
    """Name -> script of the workflow's steps, without those that install what is installed here."""
    job = yaml.safe_load(block("workflow: a test runs this"))["jobs"]["gate"]
    scripts = {step["name"]: step["run"] for step in job["steps"] if "run" in step}
    return {name: script for name, script in scripts.items() if not script.startswith(INSTALL)}


def execute(script: str, folder: Path, model: str) -> subprocess.CompletedProcess:
    """Runs one step as GitHub does."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "MODEL": f"playpen-scripted/{model}",
        "TASKS": " ".join(GAMES),
        "BASELINE": "baseline.json",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A checkout with the rules, an evaluated checkpoint, and a baseline that is as good."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "gate.txt").write_text(block("gate.txt: a test uses this"))
    done = execute(steps()["Evaluate"], folder, "best")
    assert done.returncode == 0, done.stdout + done.stderr
    [report] = re.findall(r"playpen-eval report logs/baseline --json baseline.json", TEXT)
    done = execute(report.replace("logs/baseline", "logs/checkpoint"), folder, "best")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_workflow_passes_a_checkpoint_that_is_as_good(repository):
    assert list(steps()) == ["Evaluate", "Gate"]
    done = execute(steps()["Gate"], repository, "best")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("pass: ") == 3
    assert (repository / "summary.md").read_text().startswith("### Gate: pass")
    assert ElementTree.parse(repository / "gate.xml").getroot().get("failures") == "0"


def test_the_workflow_stops_a_checkpoint_that_is_worse(repository):
    worse = str(repository / "worse")
    few = {"limit_per_experiment": 5}
    inspect_ai.eval(list(GAMES), model="playpen-scripted/breaker", task_args=few, log_dir=worse, display="none")
    done = execute(steps()["Gate"].replace("logs/checkpoint", "worse"), repository, "breaker")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "regression: unseen_games >= -5: change -100.00 points" in " ".join(done.stdout.split())


def test_the_workflow_stops_a_log_that_is_no_log(repository):
    (repository / "empty").mkdir()
    done = execute(steps()["Gate"].replace("logs/checkpoint", "empty"), repository, "best")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "holds no run" in done.stderr


def test_the_rules_of_the_guide_are_rules():
    [grammar] = re.findall(r"## Rules\n\n((?:    .*\n)+)", TEXT)
    rules = parse_rules([grammar, block("gate.txt: a test uses this"), *re.findall(r"`(\w+ >= -?\d+)`", TEXT)])
    assert len(rules) >= 9
    for rule in rules:
        check_subject(rule)


def test_the_thresholds_of_the_guide():
    rows = re.findall(r"^\| (\d+) \| (-[\d.]+) \|$", TEXT, re.MULTILINE)
    assert len(rows) == 6
    for instances, threshold in rows:
        n = int(instances) // 7
        # Scores of one run go up or down by 100 points for so many instances that their SD is 36.
        moved = n * 0.36**2 / 2
        before, after, games = [], [], []
        for game in range(7):
            # Spread over games, so that rounding to whole instances leaves the mean alone.
            changed = math.floor(moved * (game + 1) + 0.5) - math.floor(moved * game + 0.5)
            before += [0.0] * changed + [100.0] * changed + [50.0] * (n - 2 * changed)
            after += [100.0] * changed + [0.0] * changed + [50.0] * (n - 2 * changed)
            games += [f"game {game}"] * n
        found = paired_difference(before, after, games, confidence=both_sides(0.95))
        assert found.detectable() == pytest.approx(-float(threshold), rel=0.02), instances


def test_levels_of_the_guide():
    assert 0.95**59 < 0.05 < 0.95**58
