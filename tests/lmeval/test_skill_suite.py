"""All reference benchmarks through both harnesses, on a few local items each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from skill_items import LIKELY, REPLIES, write_items
from support import FakeLM, evaluate

from playpen_eval.cli import main
from playpen_eval.cli.lm_eval import own_arguments
from playpen_eval.errors import UserError
from playpen_eval.inspect.skills import choice_prompt, choice_value, listed_labels, read_pick, reply_value
from playpen_eval.lmeval.prepare import benchmarks_of, load_tasks, missing_data, prepare
from playpen_eval.registry import axis_games
from playpen_eval.skills.aggregate import from_lm_eval, skills
from playpen_eval.skills.catalogue import benchmarks
from playpen_eval.skills.data import ENV
from playpen_eval.skills.subsets import subset

SMALL = ("ifeval", "natural_plan", "cladder", "winogrande", "eq_bench", "simpletom_attribution", "fantom")
CHOSEN = [f"playpen_{name}" for name in SMALL]


class Oracle(FakeLM):
    """Knows the right answers of all items."""

    def generate_until(self, requests: list[Any]) -> list[str]:
        return [right_reply(request.args[0]) for request in requests]

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        return [(float(likely(*request.args)), False) for request in requests]


def right_reply(prompt: str) -> str:
    asked = prompt.rpartition("Question:\n")[2] if "Options:\nA." in prompt else prompt
    return next(reply for mark, reply in REPLIES.items() if mark in asked)


def likely(context: str, continuation: str) -> bool:
    if "All owls fly" in context:  # the right option is that of the item's number
        return continuation.strip() == "abc"[int(context.split("So ")[1][0])]
    if "Hypothesis: It is wet" in context:
        number = int(context.split("It is wet ")[1][0])
        return continuation.strip() == ("entailment", "contradiction", "neutral")[number]
    if continuation.endswith("Jo."):
        return ("in" in context) == continuation.startswith(" See")
    if continuation == " was small.":
        return context.endswith("box")
    if "tins hold sand" in context:
        return continuation in (" B", " No")
    return continuation.endswith(LIKELY)


@pytest.fixture(scope="session")
def items(tmp_path_factory) -> Path:
    return write_items(tmp_path_factory.mktemp("data"))


@pytest.fixture
def local(items, monkeypatch, tmp_path):
    monkeypatch.setenv(ENV, str(items))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    return items


@pytest.mark.slow
def test_every_benchmark_is_perfect_for_an_oracle(local):
    """One sub-task each of the large families; each small benchmark whole."""
    tasks = [benchmark.tasks[0] for benchmark in benchmarks().values() if len(benchmark.tasks) > 5]
    tasks += [task for b in benchmarks().values() if len(b.tasks) <= 5 and b.leaves for task in b.tasks]
    found = skills(from_lm_eval(evaluate(Oracle(), *tasks)))
    assert set(found.missing) == {"wcst", "lnt", "nback"}
    assert {name: round(score.score, 6) for name, score in found.scores.items()} == dict.fromkeys(found.scores, 100)


def test_both_harnesses_score_the_same_replies_alike(local):
    """A reply that lm-eval scores is scored alike by the bridge, right, wrong or nonsense."""
    replies = ["Yes.", REPLIES["Find a time"], REPLIES["Score the emotions"], "", "No, no {}"]

    class Fixed(FakeLM):
        def generate_until(self, requests: list[Any]) -> list[str]:
            return [reply for _ in requests]

    generated = [task for b in benchmarks().values() if b.kind == "generate" and len(b.tasks) < 5 for task in b.tasks]
    metrics = {task: b.metric for b in benchmarks().values() for task in b.tasks}
    loaded = load_tasks(generated)
    for reply in replies:
        results = evaluate(Fixed(), *generated)["results"]
        for task, source in loaded.items():
            ours = [reply_value(source, doc, reply, metrics[task]) for doc in source.eval_docs]
            assert sum(ours) / len(ours) == pytest.approx(results[task][metrics[task]]), (task, reply)


def test_options_are_asked_by_letter_in_any_order(local):
    shuffled = ["playpen_winogrande", "playpen_fantom_answerability_binary", "playpen_ewok", "playpen_social_iqa"]
    for name, source in load_tasks([*shuffled, "playpen_blimp_causative"]).items():
        places = set()
        for index, doc in enumerate(source.eval_docs):
            prompt, picks = choice_prompt(source, doc, f"{name}/{index}")
            values = [choice_value(source, doc, option, "acc,none") for option in picks.values()]
            assert sorted(values) == [0.0] * (len(picks) - 1) + [1.0], name
            places.add(values.index(1.0))
            assert [line[:2] for line in prompt.splitlines() if line[1:2] == "."] == [f"{label}." for label in picks]
            assert choice_prompt(source, doc, f"{name}/{index}") == (prompt, picks)
        assert len(places) > 1 or len(source.eval_docs) < 4, f"{name}: the right option is always in the same place"


@pytest.mark.parametrize(
    ("task", "right"),
    [
        ("playpen_simpletom_judgment", "B"),
        ("playpen_logiqa2", None),
        ("playpen_lm_pragmatics_irony_seed_0", "2"),
        ("playpen_fantom_belief_choice", "(b)"),
    ],
)
def test_options_that_the_text_lists_keep_their_labels(local, task, right):
    """Whoever answers with the label as it is printed is right; a second list would contradict it."""
    [source] = load_tasks([task]).values()
    for index, doc in enumerate(source.eval_docs):
        prompt, picks = choice_prompt(source, doc, f"{task}/{index}")
        assert prompt.startswith(str(source.doc_to_text(doc)).strip())
        assert prompt.count("Reply with") == 1
        picked = read_pick(right or "ABCD"[doc["answer"]], picks)
        assert picked is not None
        assert choice_value(source, doc, picked, "acc,none") == 1


def test_listed_labels():
    assert listed_labels("x\nA. one\nB. two", 2) == "AB"
    assert listed_labels("x\nA. one\nB. two\nC. three", 2) is None
    assert listed_labels("1) one\n2) two\nAnswer:", 2) == ["1", "2"]
    assert listed_labels("(a) one (b) two", 2) == "ab"
    assert listed_labels("Vitamin A. helps. Plan B. fails", 2) is None


@pytest.mark.parametrize(
    ("reply", "picked"),
    [
        ("B", 0),
        ("(b)", 0),
        (" **A**", 1),
        ("A. It rains", 1),
        ("The answer is B.", 0),
        ("The correct answer is: A", 1),
        ("Answer: A", 1),
        ("option b", 0),
        ("2)", 1),
        ("B\nbecause", 0),
        ("C", None),
        ("", None),
        ("Because", None),
        ("A cat is B", None),
        ("?" * 100_000, None),
        ("I think A", None),
    ],
)
def test_letters_and_numbers(reply, picked):
    assert read_pick(reply, {"A": 1, "B": 0, "1": 0, "2": 1}) == picked


@pytest.mark.slow
def test_inspect_runs_the_axis_in_one_log(local, tmp_path):
    def outputs(input, *_):
        output = ModelOutput.from_content("mockllm/model", "B")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    model = get_model("mockllm/model", custom_outputs=outputs, memoize=False)
    log_dir = str(tmp_path / "logs")
    arguments = {"limit_per_task": 1}
    [log] = inspect_eval("playpen/retained_skills", model=model, task_args=arguments, display="none", log_dir=log_dir)
    assert log.status == "success"
    assert log.samples is not None
    assert log.results is not None
    metrics = {name: metric.value for name, metric in log.results.scores[0].metrics.items()}
    assert (metrics["benchmarks"], metrics["benchmarks_missing"]) == (len(benchmarks()), 0)
    assert {sample.metadata["benchmark"] for sample in log.samples} == set(benchmarks())
    assert {sample.metadata["task"] for sample in log.samples} == {t for b in benchmarks().values() for t in b.tasks}
    scores = [value for name, value in metrics.items() if name.startswith("score/")]
    assert metrics["retained_skills"] == pytest.approx(sum(scores) / len(scores))


def test_missing_data_stop_a_run_before_it_begins_or_are_left_out(tmp_path, monkeypatch, capsys):
    write_items(tmp_path, leave_out=("allenai/winogrande", "google/IFEval"))
    monkeypatch.setenv(ENV, str(tmp_path))
    assert set(missing_data()) == {"winogrande", "ifeval"}
    with pytest.raises(
        UserError, match=r"data of 1 benchmarks are missing(.|\n)*winogrande: data set 'allenai/winogrande'"
    ):
        prepare(None, False, ["playpen_winogrande", "playpen_cladder"])
    with pytest.raises(UserError, match="data of 2 benchmarks are missing"):
        prepare(None, False, ["playpen_retained_skills"])
    folder, missing = prepare(None, True, ["playpen_retained_skills"])
    assert missing == {"winogrande", "ifeval"}
    assert "going on without 2 benchmarks" in capsys.readouterr().err
    assert "winogrande" not in (folder / "playpen_commonsense.yaml").read_text()
    assert "playpen_ewok" in (folder / "playpen_commonsense.yaml").read_text()
    prepare(None, False, ["playpen_cladder"])


def test_broken_data_keep_back_their_own_benchmark_only(tmp_path, monkeypatch):
    monkeypatch.setenv(ENV, str(write_items(tmp_path)))
    (tmp_path / "lighteval" / "siqa" / "default" / "validation.jsonl").write_bytes(b"\xff\xfe\n")
    (tmp_path / "baber" / "logiqa2" / "logiqa2" / "test.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "TIGER-Lab" / "MMLU-Pro" / "default" / "test.jsonl").rename(
        tmp_path / "TIGER-Lab" / "MMLU-Pro" / "default" / "test.parquet"
    )
    missing = missing_data()
    assert set(missing) == {"social_iqa", "logiqa2", "mmlu_pro"}
    assert "holds .jsonl and .parquet" in str(missing["mmlu_pro"])
    assert "no column 'question'" in str(missing["logiqa2"])
    assert "cannot read" in str(missing["social_iqa"])


def test_names_of_groups_are_understood():
    assert benchmarks_of(["playpen_bbh"]) == ["bbh"]
    assert benchmarks_of(["playpen_commonsense", "mmlu_pro"]) == ["winogrande", "ewok"]
    assert benchmarks_of(["playpen_retained_skills"]) == list(benchmarks())
    assert benchmarks_of(["playpen_lm_pragmatics_irony_seed_0", "playpen_taboo"]) == ["lm_pragmatics"]
    assert benchmarks_of(["playpen_winogr*"]) == ["winogrande"]
    assert benchmarks_of(["playpen_static_eqbench"]) == ["eq_bench"]
    assert set(benchmarks_of(["playpen_statscore"])) == {"mmlu_pro", "ifeval", "cladder", "eq_bench"}


def test_own_options_are_taken_out_of_the_harness_s():
    own, rest = own_arguments(["--data", "d", "--mini", "--model", "hf", "--skip-missing"])
    assert (own.data, own.skip_missing, own.tasks) == ("d", True, ["playpen_retained_skills_mini"])
    assert rest == ["--model", "hf", "--tasks", "playpen_retained_skills_mini"]
    own, rest = own_arguments(["run", "--tasks", "playpen_bbh,playpen_taboo", "--percent", "10"])
    assert (own.percent, own.tasks, rest) == (
        10,
        ["playpen_bbh", "playpen_taboo"],
        ["run", "--tasks", "playpen_bbh,playpen_taboo"],
    )


def test_options_that_exclude_each_other(tmp_path):
    with pytest.raises(UserError, match="--mini stands for --tasks; leave out playpen_bbh"):
        own_arguments(["--mini", "--tasks", "playpen_bbh"])
    with pytest.raises(UserError, match="--percent and --limit exclude each other"):
        own_arguments(["--tasks", "playpen_bbh", "--percent", "10", "--limit", "3"])
    config = tmp_path / "config.yaml"
    config.write_text("tasks: [playpen_bbh, playpen_ewok]\n")
    assert own_arguments(["--config", str(config)])[0].tasks == ["playpen_bbh", "playpen_ewok"]


def test_the_statscore_reads_local_data(local, tmp_path):
    [log] = inspect_eval(
        "playpen/statscore",
        model="playpen-scripted/best",
        task_args={"limit_per_experiment": 1},
        display="none",
        log_dir=str(tmp_path / "logs"),
    )
    assert log.status == "success"
    assert log.samples is not None
    assert {sample.metadata["game"] for sample in log.samples} == set(axis_games("statscore"))


def test_a_subset_is_what_the_harness_runs(local, tmp_path, capsys):
    found = subset(["winogrande", "natural_plan"], 40)
    assert {task: len(ids) for task, ids in found.items()} == dict.fromkeys(found, 2)
    results = evaluate(Oracle(), "playpen_winogrande", samples={"playpen_winogrande": found["playpen_winogrande"]})
    assert results["n-samples"]["playpen_winogrande"] == {"original": 3, "effective": 2}
    output = tmp_path / "ids.json"
    assert main(["skills", "subset", "winogrande", "--percent", "40", "-o", str(output)]) == 0
    assert json.loads(output.read_text()) == {"playpen_winogrande": found["playpen_winogrande"]}
    assert "2 items" in capsys.readouterr().out


@pytest.mark.slow
def test_the_real_command_line_runs_the_smoke_suite(tmp_path):
    """A local model through the harness's own command line, then the table of what it wrote."""
    from tiny_llama import make_tiny_model

    make_tiny_model(tmp_path / "model")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "playpen_eval", "lm-eval", "--mini", "--model", "hf", "--model_args"]
    command += [f"pretrained={tmp_path / 'model'}", "--batch_size", "8", "--limit", "2", "--output_path", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    table = [sys.executable, "-m", "playpen_eval", "skills", "table", str(out)]
    shown = subprocess.run(table, capture_output=True, text=True, check=True).stdout
    assert "smoke suite" in shown
    assert "mini_socio_emotional" in shown
