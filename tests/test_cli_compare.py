"""`playpen-eval report` and `playpen-eval compare`: what they print and write, and their exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playpen_eval.cli import main


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Path:
    """Two runs of the same instances: one that wins, one that aborts."""
    folder = tmp_path_factory.mktemp("logs")
    for name, model in (("before", "scripted"), ("after", "scripted:breaker")):
        command = ["run", "taboo", "guesswhat", "--model", model, "--limit", "12", "-o", str(folder / name)]
        assert main(command) == 0
    return folder


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_report_prints_every_axis_and_game(logs, capsys):
    assert main(["report", str(logs / "before"), str(logs / "after")]) == 0
    out = capsys.readouterr().out
    for part in ("before: scripted", "after: scripted:breaker", "unseen_instances", "unseen_games", "overall", "taboo"):
        assert part in out
    assert "! unseen_instances is partial, without imagegame" in out


def test_report_writes_every_format(logs, tmp_path, capsys):
    files = {name: tmp_path / f"report.{name}" for name in ("json", "markdown", "html", "csv")}
    command = [
        "report",
        str(logs / "before"),
        *(part for name, path in files.items() for part in (f"--{name}", str(path))),
    ]
    assert main(command) == 0
    assert "| taboo | 12 |" in files["markdown"].read_text()
    assert files["html"].read_text().startswith("<!DOCTYPE html>")
    assert files["csv"].read_text().startswith(',"-, clemscore","all, Average % Played"')
    capsys.readouterr()
    assert main(["compare", str(files["json"]), str(logs / "after"), "--json", "-"]) == 0
    data = json.loads(capsys.readouterr().out)
    changes = {row["subject"]: row["effect"] for row in data["effects"] if row["figure"] == "score"}
    assert changes["taboo"] == changes["overall"] == -100


def test_a_stored_report_is_the_run_that_it_was_made_of(logs, tmp_path, capsys):
    stored = tmp_path / "stored.json"
    assert main(["report", str(logs / "before"), "--json", str(stored)]) == 0
    capsys.readouterr()
    assert main(["compare", str(logs / "before"), str(stored), "--json", "-"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {row["effect"] for row in data["effects"]} == {0}
    assert data["only_before"] == data["only_after"] == {}


@pytest.mark.parametrize(
    ("rules", "status", "shown"),
    [
        ("overall >= -2", 1, "regression: overall >= -2"),
        ("aborted <= 5%", 1, "regression"),
        ("aborted <= 100%", 0, "pass"),
        ("retained_skills >= -1", 2, "not enough evidence"),
        ("aborted <= 100%; overall >= -2", 1, "pass"),
    ],
)
def test_the_exit_status_is_the_verdict(logs, tmp_path, capsys, rules, status, shown):
    junit = tmp_path / "junit.xml"
    runs = [str(logs / name) for name in ("before", "after")]
    assert main(["compare", *runs, "--gate", rules, "--junit", str(junit)]) == status
    assert shown in capsys.readouterr().out
    assert junit.read_text().startswith("<?xml")


def test_a_gate_of_levels_needs_one_run_only(logs, capsys):
    assert main(["report", str(logs / "before"), "--gate", "aborted <= 40%"]) == 0
    assert main(["report", str(logs / "after"), "--gate", "aborted <= 40%"]) == 1
    assert main(["report", str(logs / "after"), "--gate", "overall >= -2"]) == 2
    capsys.readouterr()


def test_more_than_two_runs_are_a_matrix(logs, capsys):
    runs = [str(logs / name) for name in ("before", "after", "before")]
    assert main(["compare", *runs]) == 0
    out = capsys.readouterr().out
    assert "Change of unseen_games" in out
    assert "-100.0 [-100.0" in out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["report", "nowhere"], "nowhere does not exist"),
        (["compare", "{before}"], "to compare; name BEFORE and AFTER"),
        (["compare", "{before}", "{after}", "--allow", "partner"], "cannot allow a difference of partner"),
        (["compare", "{before}", "{after}", "--gate", "taboo >> 3"], ">="),
        (["compare", "{before}", "{after}", "--gate", "tabboo >= 3"], "did you mean 'taboo'"),
        (["compare", "{before}", "{after}", "{after}", "--gate", "overall >= 0"], "a gate decides between two runs"),
        (["compare", "{before}", "{after}", "--html", "no/such/folder/x.html"], "does not exist"),
        (["compare", "{before}", "{after}", "--split", "validation"], "has no split validation"),
        (["compare", "{before}", "{after}", "--junit", "x.xml"], "name rules"),
        (["report", "{before}", "--against", "playpen-papr"], "playpen-paper"),
        (["report", "{before}", "--transcripts", "-1"], "--transcripts must be 0 or more"),
    ],
)
def test_bad_input_exits_with_2_and_says_why(logs, capsys, arguments, why):
    named = [part.format(before=logs / "before", after=logs / "after") for part in arguments]
    assert main(named) == 2
    assert why in capsys.readouterr().err


def test_published_figures_stand_beside_a_run(logs, capsys):
    assert main(["report", str(logs / "before"), "--against", "playpen-paper"]) == 0
    out = capsys.readouterr().out
    assert "before against published or stored results" in out
    assert "8B SFT" in out
    assert "not comparable because of" in out


def test_an_empty_run_is_refused(tmp_path, capsys):
    folder = tmp_path / "empty"
    assert main(["run", "taboo", "--model", "scripted", "--limit", "1", "-o", str(folder)]) == 0
    (folder / "episodes.jsonl").write_text("")
    assert main(["report", str(folder)]) == 2
    assert "holds no episode" in capsys.readouterr().err


def test_a_run_that_was_cut_off_is_named(logs, tmp_path, capsys):
    folder = tmp_path / "cut"
    folder.mkdir()
    (folder / "run.json").write_bytes((logs / "after" / "run.json").read_bytes())
    whole = (logs / "after" / "episodes.jsonl").read_bytes()
    (folder / "episodes.jsonl").write_bytes(whole[: len(whole) // 2])
    assert main(["compare", str(logs / "before"), str(folder), "--gate", "aborted <= 100%"]) == 2
    out = capsys.readouterr().out
    assert "truncated file" in out
    assert "missing" in out
