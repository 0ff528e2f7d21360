"""A run beside published and stored results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playpen_eval.errors import UserError
from playpen_eval.registry import axis_games
from playpen_eval.report import Summary, summarise_run
from playpen_eval.report.against import against, against_grid, load_results, published
from playpen_eval.report.stored import results_text, to_results
from playpen_eval.runs import EpisodeRecord, InstanceSource, Locator, Run, RunMeta


def summary(n: int = 6, split: str = "test", games: Any = ("taboo", "wordle", "codenames"), **meta: Any) -> Summary:
    """A run in which of each game the first third is won, the second lost and the last aborted."""
    kinds = (("success", 1.0), ("lose", 0.25), ("aborted", None))
    partner = meta.get("partner", "self")
    episodes = [
        EpisodeRecord(
            game, f"{game}/1/{split}/one/{i}", 1, 1, "one", split, *kinds[3 * i // n],
            3 * i // n == 2, False, 4, None, partner, Locator("inspect", "log", str(i)),
        )
        for game in games for i in range(n)
    ]  # fmt: skip
    told = {"dtype": "bfloat16", "generation": {"temperature": 0.0}, "partner": partner}
    instances = {game: InstanceSource(split, "abc") for game in games}
    versions = dict.fromkeys(games, 1)
    return summarise_run(
        Run(RunMeta("ours", "log", "inspect", "m", instances, versions=versions, **told | meta), episodes, [], [])
    )


def rows(one: Any) -> dict[str, Any]:
    return {row.subject: row for row in one.rows}


def test_beside_the_paper():
    [one] = against(summary(), load_results("playpen-paper#second run"))
    found = rows(one)
    assert set(found) == {"unseen_instances", "unseen_games", "overall", "taboo", "wordle", "codenames"}
    taboo = found["taboo"]
    assert taboo.ours == pytest.approx({"clemscore": 41.6666667, "played": 66.6666667, "quality": 62.5})
    assert taboo.theirs == pytest.approx({"clemscore": 31.386936, "played": 98.33, "quality": 31.92})
    assert taboo.difference("quality") == pytest.approx(30.58)
    assert taboo.marks == ("n 6 here, 60 there",)
    assert one.marks == ("precision bfloat16 here, 4bit there", "instances test here, clembench-2.0 there")
    assert "derived, not published" in found["unseen_games"].marks
    assert "derived, not published" not in found["overall"].marks
    assert any(mark.startswith("without adventuregame, guesswhat") for mark in found["unseen_games"].marks)
    json.dumps([one.to_dict()], allow_nan=False)


def test_only_the_set_differs_in_what_cannot_be_known():
    ours = summary(n=12, split="clembench-2.0", games=("taboo",), dtype=None)
    [one] = against(ours, load_results("playpen-validation#base"))
    assert rows(one)["taboo"].marks == ()
    assert one.marks == (
        "precision not told here, bfloat16 there",
        "playpen-data validation is some of clembench-2.0, perhaps others",
    )
    [one] = against(summary(n=9, split="clembench-2.0", games=("taboo",)), load_results("playpen-validation#base"))
    assert rows(one)["taboo"].marks == ()
    assert one.marks == ("n 9 here, 12 there",)


def test_an_axis_without_games_knows_how_many_there_were():
    games = sorted(axis_games("unseen_instances"))
    [one] = against(summary(games=games, split="clembench-2.0"), load_results("playpen-paper#SFT, 100 steps"))
    assert rows(one)["unseen_instances"].marks == ("n 42 here, 349 there",)
    assert any(mark.startswith("without adventuregame") for mark in rows(one)["overall"].marks)


@pytest.mark.parametrize(
    ("changed", "mark"),
    [
        ({"dtype": "float16"}, "precision float16 here, bfloat16 there"),
        ({"quantization": "4bit"}, "precision 4bit here, bfloat16 there"),
        ({"dtype": None}, "precision not told here, bfloat16 there"),
        ({"partner": "model:x"}, "partner model:x here, self there"),
        ({"partner": None}, "partner not told here, self there"),
        ({"generation": {"temperature": 0.7}}, "temperature 0.7 here, 0 there"),
        ({"generation": {"do_sample": False}}, None),
        ({"generation": {}}, "temperature not told here, 0 there"),
        ({"split": "validation"}, "instances validation here, test there"),
        ({"n": 9}, "n 9 here, 6 there"),
        ({}, None),
    ],
)
def test_marks_beside_a_stored_report(changed, mark, tmp_path):
    path = tmp_path / "stored.json"
    path.write_text(results_text(to_results([summary(games=("taboo",))])))
    [one] = against(summary(games=("taboo",), **changed), load_results(path))
    assert ([*one.marks, *rows(one)["taboo"].marks]) == ([mark] if mark else [])
    assert rows(one)["taboo"].difference("clemscore") == pytest.approx(0)


def test_versions_and_digests(tmp_path):
    ours = summary(games=("taboo",))
    path = tmp_path / "stored.json"
    path.write_text(results_text(to_results([ours])))
    meta = replace(ours.run.meta, versions={"taboo": 2}, instances={"taboo": InstanceSource("test", "def")})
    [one] = against(replace(ours, run=replace(ours.run, meta=meta)), load_results(path))
    assert one.marks == ("instances test here and there, but not the same ones", "version 2 here, 1 there")


def test_nothing_in_common():
    [one] = against(summary(games=("nback",)), [{"label": "x", "kind": "published", "instances": "s", "axes": {}}])
    assert one.rows == ()
    assert one.marks == ("no game or axis in common",)


def test_tables():
    grid = against_grid(summary(), load_results("playpen-paper#second run"))
    taboo = next(row for row in grid.rows if row and row[0] == "taboo")
    assert taboo == ["taboo", "31.39 (+10.28)", "98.33 (-31.66)", "31.92 (+30.58)", "1 2 10"]
    assert grid.title == "ours against 8B base, second run (Llama-3.1-8B-Instruct)"
    assert grid.notes[1].startswith("The run that the paper's gains")
    assert "1: precision bfloat16 here, 4bit there" in grid.notes
    assert "10: n 6 here, 60 there" in grid.notes
    several = against_grid(summary(), load_results("playpen-paper"))
    assert several.headings == ["clemscore", "model", ">unseen_instances", ">unseen_games", ">overall", "see"]
    assert several.rows[-1][0] == "8B GRPO"
    assert several.rows[-1][-2] == "-"
    assert len(several.notes) < 20


def test_finding_results(tmp_path):
    assert list(published()) == ["playpen-paper", "playpen-validation", "playschool"]
    with pytest.raises(UserError, match="did you mean 'playpen-paper'"):
        load_results("playpen-papr")
    with pytest.raises(UserError, match="does not exist; published results"):
        load_results(tmp_path / "none.json")
    with pytest.raises(UserError, match="has no entry 'PPO'; it has 8B base, "):
        load_results("playpen-paper#PPO")
    with pytest.raises(UserError, match="is a folder"):
        load_results(tmp_path)
    named: Path = tmp_path / "a#b.json"
    named.write_text(results_text(to_results([summary()])))
    assert load_results(named)[0]["label"] == "ours"
