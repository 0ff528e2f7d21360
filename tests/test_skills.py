"""Retained skills: the catalogue, local copies of data, fixed subsets, and the aggregate."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.registry import load_game
from playpen_eval.skills import aggregate, data, subsets
from playpen_eval.skills.aggregate import TaskResult, from_lm_eval, read_results, skills
from playpen_eval.skills.catalogue import CAPABILITIES, benchmarks, data_sets, find_benchmark
from playpen_eval.skills.data import DataSet, MissingDataError

ANIMALS = DataSet("zoo/animals", ("test", "train"), ("name", "legs"), ("small",), licence="mit")


# Catalogue


def test_the_papers_thirteen_and_the_six_others():
    paper = [name for name, benchmark in benchmarks().items() if benchmark.paper]
    assert len(paper) == 13
    assert set(benchmarks()) - set(paper) == {"wcst", "lnt", "nback", "ewok", "fantom", "blimp"}
    assert {benchmark.capability for benchmark in benchmarks().values()} == set(CAPABILITIES)


def test_every_capability_has_a_smoke_test():
    assert Counter(benchmark.capability for benchmark in benchmarks(mini=True).values()) == Counter(CAPABILITIES)
    assert not set(benchmarks(mini=True)) & set(benchmarks())


def test_names_are_unique_and_facts_are_in_range():
    tasks = [task for benchmark in benchmarks().values() for task in benchmark.tasks]
    assert len(tasks) == len(set(tasks))
    for benchmark in benchmarks().values():
        assert 0 <= benchmark.chance < 1
        assert benchmark.kind in ("choice", "generate", "game")
        assert benchmark.weight in ("size", "equal")
        assert bool(benchmark.leaves) == (benchmark.kind != "game")
        if benchmark.kind == "game":
            assert load_game(benchmark.name).suite == "skills"
        if len(benchmark.tasks) > 1:  # the group of its tasks has the name of none of them
            assert f"playpen_{benchmark.name}" not in tasks


def test_placeholders_are_filled():
    [leaf] = [leaf for leaf in find_benchmark("lm_pragmatics").leaves if leaf.name.endswith("irony_seed_3")]
    assert (leaf.config, leaf.settings) == ("irony", {"test_split": "seed_3"})
    assert leaf.data.id == "clembench-playpen/lm-pragmatics"
    assert find_benchmark("natural_plan").leaves[0].data.id == "clembench-playpen/natural-plan-calendar"
    assert data_sets()["allenai/SimpleToM"].configs == ("mental-state-qa", "behavior-qa", "judgment-qa")


def test_unknown_benchmark():
    with pytest.raises(UserError, match="unknown benchmark 'winograd'; did you mean 'winogrande'"):
        find_benchmark("winograd")


# Data


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(data.ENV, str(tmp_path))
    return tmp_path


def write(folder: Path, split: str, rows: list[dict]) -> Path:
    path = folder / ANIMALS.id / "small" / f"{split}.jsonl"
    data.write_rows(path, rows)
    return path


def test_local_copies_are_read(folder):
    rows = [{"name": "cat", "legs": 4}, {"name": "emu", "legs": 2}]
    write(folder, "test", rows)
    assert data.load_rows(ANIMALS, "small", "test") == rows


def test_parquet_is_read(folder):
    pyarrow = pytest.importorskip("pyarrow", reason="the extra train is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra train is not installed")
    path = folder / ANIMALS.id / "small" / "test.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(pyarrow.table({"name": ["cat"], "legs": [4]}), path)
    assert data.load_rows(ANIMALS, "small", "test") == [{"name": "cat", "legs": 4}]
    path.write_bytes(b"not parquet")
    with pytest.raises(UserError, match=r"cannot read .*test\.parquet"):
        data.load_rows(ANIMALS, "small", "test")


def test_missing_data_name_the_set_its_licence_and_the_command(folder):
    write(folder, "test", [{"name": "cat", "legs": 4}])
    with pytest.raises(MissingDataError) as caught:
        data.check_available(ANIMALS)
    message = str(caught.value)
    assert "'zoo/animals' is missing (no small/train.jsonl or .parquet in" in message
    assert "licence: mit; get it with: playpen-eval skills fetch zoo/animals --data DIR" in message


def test_a_copy_of_another_shape_is_refused(folder):
    write(folder, "train", [{"name": "cat", "legs": 4}])
    path = write(folder, "test", [{"name": "cat"}])
    with pytest.raises(UserError, match=r"test\.jsonl: no column 'legs'; there are name"):
        data.check_available(ANIMALS)
    path.write_text("")
    with pytest.raises(UserError, match="holds no rows"):
        data.load_rows(ANIMALS, "small", "test")
    path.write_text("[1]\n")
    with pytest.raises(UserError, match="holds no rows"):
        data.load_rows(ANIMALS, "small", "test")


def test_a_data_folder_that_does_not_exist(monkeypatch):
    monkeypatch.setenv(data.ENV, "/nowhere/data")
    with pytest.raises(UserError, match="data folder '/nowhere/data' does not exist"):
        data.data_folder()


def test_fetch_copies_into_the_layout_that_is_read(folder, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="the extra train is not installed")
    asked = []

    def load_dataset(name, config, split, revision):
        asked.append((name, config, split, revision))
        return datasets.Dataset.from_list([{"name": split, "legs": 4}])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    files = data.fetch(ANIMALS, folder)
    assert [path.relative_to(folder).as_posix() for path in files] == [
        "zoo/animals/small/test.jsonl",
        "zoo/animals/small/train.jsonl",
    ]
    data.fetch(ANIMALS, folder)
    assert asked == [("zoo/animals", "small", "test", None), ("zoo/animals", "small", "train", None)]
    data.check_available(ANIMALS)
    assert data.load_rows(ANIMALS, "small", "train") == [{"name": "train", "legs": 4}]


def test_fetch_says_what_the_hub_does_not_give(tmp_path, monkeypatch, capsys):
    datasets = pytest.importorskip("datasets", reason="the extra train is not installed")

    def load_dataset(*_, **__):
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert main(["skills", "fetch", "ifeval", "eq_bench", "--data", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "data set 'google/IFEval' is missing (no route); licence: apache-2.0" in out
    assert "pbevan11/EQ-Bench" in out
    assert not list(tmp_path.rglob("*.jsonl"))


# Subsets


@given(st.text(max_size=20), st.integers(1, 300), st.floats(0.5, 100), st.floats(0.5, 100))
def test_a_smaller_subset_is_part_of_every_larger_one(task, n, one, other):
    small, large = (subsets.chosen(task, n, percent) for percent in sorted((one, other)))
    assert set(small) <= set(large) <= set(range(n))
    assert len(small) == math.ceil(n * min(one, other) / 100)
    assert small == sorted(set(small))


PUBLISHED = [4, 8, 13, 29, 34, 56, 62, 77, 90, 95]


def test_ids_are_those_published():
    """They may never change: results of a subset compare only with results of the same ids."""
    assert subsets.chosen("playpen_winogrande", 100, 10) == PUBLISHED
    with pytest.raises(UserError, match="above 0 and at most 100, not 0"):
        subsets.chosen("playpen_winogrande", 100, 0)


def test_widths_of_intervals():
    found = {"playpen_winogrande": range(100), "playpen_natural_plan_trip": range(25)}
    widths = subsets.widths({**found, "playpen_natural_plan_meeting": range(100)})
    assert widths["winogrande"] == (100, pytest.approx(100 * subsets.Z * 0.05 / 0.5))
    assert widths["natural_plan"] == (125, pytest.approx(100 * subsets.Z * math.sqrt(0.25 * (0.01 + 0.0025))))


# Aggregate


def test_scores_are_corrected_for_guessing_and_not_clipped():
    found = skills({"playpen_winogrande": TaskResult(0.75, 100, 0.02), "playpen_ewok": TaskResult(0.4, 50, None)})
    winogrande, ewok = found.scores["winogrande"], found.scores["ewok"]
    assert (winogrande.raw, winogrande.score, winogrande.error) == (75, 50, pytest.approx(4))
    assert (ewok.score, ewok.error) == (pytest.approx(-20), None)
    assert found.capabilities == {"commonsense": pytest.approx(15)}
    assert (found.total, found.paper) == (pytest.approx(15), 50)
    assert not found.complete
    assert "bbh" in found.missing


def test_tasks_weigh_by_size_or_alike():
    bbh = {"playpen_bbh_snarks": TaskResult(1.0, 30, 0.1), "playpen_bbh_navigate": TaskResult(0.5, 10, 0.2)}
    plans = {
        f"playpen_natural_plan_{name}": TaskResult(v, n, 0.1) for name, v, n in (("trip", 1, 30), ("meeting", 0, 9))
    }
    found = skills(bbh | plans)
    assert found.scores["bbh"].raw == pytest.approx(87.5)
    assert found.scores["bbh"].error == pytest.approx(100 / 0.74 * math.sqrt(0.075**2 + 0.05**2))
    assert len(found.scores["bbh"].lacking) == 25
    assert found.scores["natural_plan"].raw == pytest.approx(50)
    assert found.scores["natural_plan"].lacking == ("playpen_natural_plan_calendar",)


def results(**tasks: dict[str, Any]) -> dict[str, Any]:
    names = {f"playpen_{name}": row for name, row in tasks.items()}
    return {
        "results": names,
        "n-samples": {name: {"original": 10, "effective": 9} for name in names},
        "model_name": "small",
    }


def test_lm_eval_results_are_read_in_their_own_metric():
    found = from_lm_eval(
        results(
            eq_bench={"eqbench,none": 60.0, "eqbench_stderr,none": 3.0, "percent_parseable,none": 100.0},
            mmlu_pro_law={"exact_match,custom-extract": 0.4, "exact_match_stderr,custom-extract": "N/A"},
        )
    )
    assert found == {
        "playpen_eq_bench": TaskResult(0.6, 9, 0.03, 10),
        "playpen_mmlu_pro_law": TaskResult(0.4, 9, None, 10),
    }
    with pytest.raises(
        UserError, match=r"playpen_ifeval: the results have no 'prompt_level_strict_acc,none'; there are acc"
    ):
        from_lm_eval(results(ifeval={"acc,none": 1.0}))


def test_a_folder_of_results_the_newest_counts(tmp_path, capsys):
    old, new = tmp_path / "results_2026-01-01.json", tmp_path / "model" / "results_2026-02-01.json"
    new.parent.mkdir()
    old.write_text(json.dumps(results(winogrande={"acc,none": 0.5}, ewok={"acc,none": 1.0})))
    new.write_text(json.dumps(results(winogrande={"acc,none": 1.0})))
    assert read_results(tmp_path).total == pytest.approx(100)
    assert main(["skills", "table", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "winogrande" in shown
    assert "partial (see below)" in shown
    assert "of the paper's, 1 of 13" in shown
    assert "commonsense (1 of 2)" not in shown
    assert "partial: only winogrande 9 of 10 items" in " ".join(shown.split())
    assert main(["skills", "table", str(new), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["complete"] is False


def test_results_of_two_models_are_not_mixed(tmp_path):
    for name, model in (("results_1.json", "small"), ("results_2.json", "large")):
        (tmp_path / name).write_text(json.dumps(results(winogrande={"acc,none": 0.5}) | {"model_name": model}))
    with pytest.raises(UserError, match=r"mixes results with model_name 'small' and 'large' \(results_2\.json\)"):
        read_results(tmp_path)


@pytest.mark.parametrize("value", ["N/A", None, float("nan")])
def test_a_result_that_is_no_number_is_named(value):
    with pytest.raises(UserError, match=r"playpen_winogrande: acc,none is .* which is no number"):
        from_lm_eval(results(winogrande={"acc,none": value}))


def test_a_result_without_its_number_of_items_is_named():
    with pytest.raises(UserError, match="do not say how many items"):
        from_lm_eval(results(winogrande={"acc,none": 1.0}) | {"n-samples": None})


def test_a_limited_run_is_not_complete():
    every = {task: TaskResult(1.0, 5, 0.0, 50) for one in benchmarks().values() for task in one.tasks}
    found = skills(every)
    assert not found.complete
    assert "winogrande 5 of 50 items" in found.gaps[0]


def test_the_same_items_in_other_words_do_not_average_their_errors_out():
    tasks = find_benchmark("lm_pragmatics").tasks
    score = skills({task: TaskResult(0.5, 20, 0.1) for task in tasks}).scores["lm_pragmatics"]
    assert score.error == pytest.approx(100 / 0.7 * 0.1)


def test_the_smoke_suite_is_never_mixed_with_the_benchmarks(tmp_path, capsys):
    path = tmp_path / "results_1.json"
    path.write_text(json.dumps(results(mini_logic={"acc,none": 1.0}, winogrande={"acc,none": 0.5})))
    assert set(read_results(path).scores) == {"winogrande"}
    path.write_text(json.dumps(results(mini_logic={"acc,none": 1.0})))
    assert set(read_results(path).scores) == {"mini_logic"}
    assert main(["skills", "table", str(path)]) == 0
    assert "smoke suite" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"results": 1}', '{"results": {"hellaswag": {"acc,none": 1}}}'])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "results_1.json"
    path.write_text(content)
    with pytest.raises(UserError, match="results"):
        read_results(path)
    with pytest.raises(UserError, match="no results of retained skills"):
        read_results(tmp_path / "nothing")


def test_a_complete_run_is_complete():
    every = {task: TaskResult(1.0, 5, 0.0) for benchmark in benchmarks().values() for task in benchmark.tasks}
    found = skills(every)
    assert (found.complete, found.total, found.paper) == (True, pytest.approx(100), pytest.approx(100))
    assert len(aggregate.grid(found).rows) > len(benchmarks())


def test_list_shows_every_benchmark(capsys):
    assert main(["skills", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in benchmarks())
    assert main(["skills", "list", "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == set(benchmarks())
