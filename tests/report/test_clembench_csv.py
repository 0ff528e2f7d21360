"""Our results.csv beside those that clembench wrote."""

from __future__ import annotations

import csv
import io

import pytest

from playpen_eval.errors import UserError
from playpen_eval.recordings import read_recording
from playpen_eval.report import summarise_run
from playpen_eval.report.clembench_csv import results_csv, results_row
from playpen_eval.report.summary import select
from playpen_eval.runs import read_run
from playpen_eval.scoring import EpisodeScore

RECORDINGS = ("llama3-8b-base", "llama3-8b-sft", "llama3-8b-dpo")


@pytest.mark.parametrize("name", RECORDINGS)
def test_tables_of_recorded_runs(shared, name):
    path = shared / "recordings" / f"{name}.tar.gz"
    summary, compared = summarise_run(read_run(path)), 0
    for published in read_recording(path).published.values():
        axis = "statscore" if "cladder, % Played" in published else "overall"
        header, row = csv.reader(io.StringIO(results_csv([summary], axis)))
        assert header == ["", *published]
        assert row[1:] == list(published.values())
        compared += len(published)
    assert compared > 50


def test_the_statscore_is_the_table_where_nothing_else_was_played(shared):
    run = read_run(shared / "recordings" / "llama3-8b-base.tar.gz")
    summary = summarise_run(select(run, games=["static_cladder"]))
    header, row = csv.reader(io.StringIO(results_csv([summary])))
    assert dict(zip(header, row))["cladder, % Played"] == "100.0"
    with pytest.raises(UserError, match="game of unseen_games"):
        results_csv([summary], "unseen_games")


def test_several_runs_and_what_only_one_has(shared):
    run = read_run(shared / "recordings" / "llama3-8b-base.tar.gz")
    summaries = [summarise_run(select(run, games=[game])) for game in ("taboo", "wordle")]
    header, first, second = csv.reader(io.StringIO(results_csv(summaries)))
    assert header.index("all, Average % Played") < header.index("taboo, % Played") < header.index("wordle, % Played")
    assert first[0] == second[0] == "llama3-8b-base"  # the label, since both have one model
    assert (first[header.index("wordle, % Played")], second[header.index("taboo, % Played")]) == ("", "")


def test_cells_without_a_value():
    row = results_row({"b": [EpisodeScore("aborted", None)], "a": [EpisodeScore("success", 1 / 3)]})
    assert row == {
        "-, clemscore": 16.66,
        "a, % Played": 100.0,
        "a, Quality Score": 33.33,
        "a, Quality Score (std)": None,
        "all, Average % Played": 50.0,
        "all, Average Quality Score": 33.33,
        "b, % Played": 0.0,
        "b, Quality Score": None,
        "b, Quality Score (std)": None,
    }
    partner = EpisodeScore("aborted", None, True)
    assert results_row({"a": [EpisodeScore("success", 1 / 3), partner]})["a, % Played"] == 100
