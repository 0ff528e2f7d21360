"""The reference benchmarks that lm-eval lacks, on items of our own in the published schemas."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import _load_module_with_cache, load_yaml
from support import FakeLM, simple_evaluate

from playpen_eval.errors import UserError

SKILLS = Path(__file__).resolve().parents[2] / "tasks" / "lmeval" / "skills"
FILES = sorted(path.relative_to(SKILLS).as_posix() for path in SKILLS.rglob("*_yaml"))


class Oracle(FakeLM):
    """Replies, and finds continuations likely, by two functions; keeps what it was asked."""

    def __init__(self, reply: Callable[[str], str] = str, likes: Callable[[str, str], float] = lambda *_: 0.0):
        super().__init__()
        self.reply, self.likes = reply, likes

    def generate_until(self, requests: list[Any]) -> list[str]:
        self.batches.append([request.args for request in requests])
        return [self.reply(request.args[0]) for request in requests]

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        self.batches.append([request.args for request in requests])
        return [(self.likes(*request.args), False) for request in requests]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Evaluates one task on rows, made as the generator of task files does; gives its figures."""
    shutil.copytree(SKILLS, tmp_path / "skills")
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)  # it calls pip: two seconds

    def evaluate(lm: Oracle, include: str, splits: dict[str, list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
        data = {split: str(tmp_path / f"{split}.jsonl") for split in splits}
        for split, rows in splits.items():
            Path(data[split]).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        local = {"data_files": data, "cache_dir": str(tmp_path / "cache")}
        leaf = {"include": f"skills/{include}", "task": "playpen_leaf", "dataset_path": "json", "dataset_name": None}
        leaf |= {"dataset_kwargs": local, **more}
        (tmp_path / "leaf.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in leaf.items()))
        manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
        results = simple_evaluate(lm, tasks=["playpen_leaf"], task_manager=manager, bootstrap_iters=0)
        assert set(results["higher_is_better"]["playpen_leaf"].values()) == {True}
        assert results["versions"]["playpen_leaf"] == 1
        return results["results"]["playpen_leaf"]

    return evaluate


def utils(benchmark: str) -> Any:
    return _load_module_with_cache(SKILLS / benchmark / "utils.py")


def by_mark(answers: dict[str, str]) -> Callable[[str], str]:
    """Replies by the mark that an item carries in its text."""
    return lambda prompt: next(reply for mark, reply in answers.items() if mark in prompt)


def test_files_are_templates_that_are_not_indexed():
    assert len(FILES) == 28
    assert not TaskManager(include_path=str(SKILLS), include_defaults=False).all_tasks


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_whole(file):
    config = load_yaml(SKILLS / file)
    assert "task" not in config
    assert config["metadata"] == {"version": 1}
    assert {"dataset_path", "test_split", "doc_to_text", "doc_to_target", "output_type"} <= config.keys()
    assert config["num_fewshot"] == (5 if file.startswith("mmlu_pro") else 0)
    (metric,) = config["metric_list"]
    assert metric | {"aggregation": "mean", "higher_is_better": True} == metric
    for value in config.values():  # several modules are called utils; each file must get its neighbour's
        if callable(value):
            assert value.__module__ == str(SKILLS / file.split("/")[0] / "utils")


# Tasks with replies


def test_cladder(run):
    labels = {"#a": "yes", "#b": "no", "#c": "yes", "#d": "no", "#e": "yes"}
    rows = [{"prompt": f"Does rain {mark} make it wet?", "label": label} for mark, label in labels.items()]
    replies = {"#a": "\n\nYes, it does.", "#b": "**NO**", "#c": "Not at all", "#d": "Yes or no?", "#e": ""}
    lm = Oracle(by_mark(replies))
    assert run(lm, "cladder/_cladder_yaml", {"default": rows})["acc,none"] == 2 / 5
    prompt, settings = lm.batches[0][0]
    assert "causal inference" in prompt
    assert settings["max_gen_toks"] == 10


TIME = "Here is the proposed time: Monday, 14:30 - 15:30 "
TIMES = {
    "#a": "Not Friday, 9:00 - 9:30. SOLUTION: Here it is: Monday, 14:30 - 15:30\n\nTASK:",
    "#b": "How about **Monday**, 14:30 – 15:30?",
    "#c": "Here is the proposed time: Tuesday, 14:30 - 15:30",
    "#d": "Monday, 14:30 - 16:30; or Monday, 14:30 - 15:30",
}
TRIP = """Here is the trip plan for visiting the 3 European cities for 7 days:

**Day 1-2:** Arriving in Oslo and visit Oslo for 2 days.
**Day 2:** Fly from Oslo to Rome.
**Day 2-5:** Visit Rome for 4 days.
**Day 5:** Fly from Rome to Tel Aviv.
**Day 5-7:** Visit Tel Aviv for 3 days."""
TRIPS = {
    "#a": TRIP,
    "#b": f"Let me think.\nSOLUTION: {TRIP.replace('*', '')}\n\nOr else:\nDay 2: Fly from Oslo to Bonn.",
    "#c": TRIP.replace("Day 5:", "Day 4:").replace("2-5", "2-4").replace("5-7", "4-7"),
    "#d": TRIP.replace("Rome", "Romeville"),
    "#e": TRIP.replace("from Rome", "from Oslo"),
    "#f": TRIP + "\n**Day 7:** Fly from Tel Aviv to Oslo.",
}
ANN = "You travel to Old Pier in 10 minutes and arrive at 9:10AM. You meet Ann for 20 minutes from 9:10AM to 9:30AM."
BOB = "You travel to The Mill in 5 minutes. You wait until 12:00PM. You meet Bob for 60 minutes from 12:00PM to 1:00PM."
DAY = {
    "constraints": [
        ["The Park", "9:00AM"],
        ["Ann", "Old Pier", "from 8:00AM to 10:00AM", 20],
        ["Bob", "The Mill", "from 12:00PM to 2:00PM", "60"],
    ],
    "dist_matrix": {"The Park": {"Old Pier": 10, "The Park": None}, "Old Pier": {"The Mill": 5}, "The Mill": None},
    "golden_plan": ["You start at The Park at 9:00AM.", *f"{ANN} {BOB}".split(". ")],
}
DAYS = {
    f"SOLUTION:You start at The Park at 9:00AM. {ANN} {BOB}": 1,
    f"Sure!\n1. {ANN}\n2. {BOB}\nThat is everybody.\n\nTASK: another": 1,
    ANN: 0,  # too few
    f"{ANN} You meet Ann for 20 minutes. {BOB}": 0,  # twice
    f"{ANN} {BOB.replace('60 min', '30 min')}": 0,  # too short
    f"{ANN} {BOB.replace('wait until 12:00PM', 'wait until 11:00AM')}": 0,  # before the window
    f"{ANN} {BOB} You wait until 9:00AM.": 0,  # back in time
    f"{ANN} {BOB.replace('until 12:00PM', 'until 1:30PM')}": 0,  # after the window
    f"{ANN} {BOB.replace('The Mill', 'The Moon')}": 0,  # nowhere
    f"{ANN.replace('Ann', 'Eve')} {BOB}": 0,  # nobody
    f"{ANN} You wait until 12:00PM. You meet Bob for 60 minutes.": 0,  # elsewhere
    "": 0,
}


def test_natural_plan_calendar(run):
    shared = {"golden_plan": TIME, "num_people": "2", "num_days": "5", "duration": "1"}
    rows = [{"prompt_5shot": f"Find a time {mark}.\nSOLUTION: ", **shared} for mark in TIMES]
    lm = Oracle(by_mark(TIMES))
    assert run(lm, "natural_plan/_natural_plan_yaml", {"test": rows})["acc,none"] == 2 / 4
    assert lm.batches[0][0][0] == "Find a time #a.\nSOLUTION:"
    assert lm.batches[0][0][1]["max_gen_toks"] == 2048


def test_natural_plan_trip(run):
    shared = {"cities": "Oslo**Rome**Tel Aviv", "durations": "2**4**3", "golden_plan": TRIP}
    rows = [{"prompt": f"Plan {mark}", **shared} for mark in TRIPS]
    assert run(Oracle(by_mark(TRIPS)), "natural_plan/_natural_plan_yaml", {"test": rows})["acc,none"] == 3 / 6


def test_natural_plan_meeting(run):
    marks = {f"#{number}#": reply for number, reply in enumerate(DAYS)}
    rows = [{"prompt_5shot": f"Plan {mark}", "num_people": 2, **DAY} for mark in marks]
    figures = run(Oracle(by_mark(marks)), "natural_plan/_natural_plan_yaml", {"test": rows})
    assert figures["acc,none"] == pytest.approx(2 / len(DAYS))


@pytest.mark.parametrize("stored", [lambda value: value, json.dumps, str])
def test_a_day_of_meetings_is_played(stored):
    grade = utils("natural_plan").grade
    day = {column: stored(value) for column, value in DAY.items()}
    assert {reply: grade(day, [reply])["acc"] for reply in DAYS} == DAYS
    assert grade({**day, "golden_plan": ANN}, [ANN]) == {"acc": 1}  # if not everybody can be met


def test_mmlu_pro(run):
    def row(mark: str, category: str, answer: str = "C") -> dict[str, Any]:
        return {"question": f"What {mark}?", "options": ["w", "x", "y "], "answer": answer, "category": category}

    replies = {"#a": "The answer is (C).", "#b": "I think the answer is C", "#c": "The answer is (A).", "#d": "C"}
    shots = [row(f"shot {number}", ("law", "math")[number % 2], "B") for number in range(14)]
    rows = [row(mark, "law") for mark in replies] + [row("#e", "math")]
    lm = Oracle(by_mark(replies))
    figures = run(lm, "mmlu_pro/_mmlu_pro_law_yaml", {"test": rows, "validation": shots})
    assert figures["exact_match,custom-extract"] == 2 / 4
    prompt = lm.batches[0][0][0]
    assert "questions about law" in prompt
    assert prompt.count("Answer: The answer is (B).") == 5
    assert [f"shot {number}?" in prompt for number in range(14)] == [n % 2 == 0 and n < 10 for n in range(14)]
    assert prompt.endswith("What #a?\nOptions:\nA. w\nB. x\nC. y\nAnswer:")
    with pytest.raises(UserError, match=r"'physics'.*law, math"):
        run(lm, "mmlu_pro/_mmlu_pro_physics_yaml", {"test": rows, "validation": shots})


def test_fantom_lists(run):
    names = {"correct_answer": ["Ann", "Bob"], "wrong_answer": ["Cy"]}
    replies = {"#a": "bob and ANN", "#b": "Ann", "#c": "Ann, Bob, Cy", "#d": "Anna and Bob", "#e": "Ann, Bob, Percy"}
    rows = [{"input_text": f"Who knows {mark}?", **names} for mark in replies]
    figures = run(Oracle(by_mark(replies)), "fantom/_fantom_answerability_list_yaml", {"inaccessible": rows})
    assert figures["acc,none"] == 2 / 5


def test_fantom_facts(run):
    replies = {"#a": "They saw a red fox!", "#b": "A fox.", "#c": "?"}
    rows = [{"input_text": f"What did they see {mark}?", "correct_answer": "they saw a red fox"} for mark in replies]
    figures = run(Oracle(by_mark(replies)), "fantom/_fantom_fact_yaml", {"test": rows})
    assert figures["f1,none"] == pytest.approx((1 + 2 * 2 / (2 + 5) + 0) / 3)


# Tasks with likelihoods


def prefers(*wanted: str) -> Callable[[str, str], float]:
    return lambda context, continuation: -1.0 if continuation in wanted else -2.0


def test_glue_diagnostics(run):
    labels = ["entailment", "contradiction", "neutral", "neutral"]
    rows = [{"Premise": "It {{ rains }}.", "Hypothesis": "It is wet.", "Label": label} for label in labels]
    lm = Oracle(likes=prefers(" neutral"))
    assert run(lm, "glue_diagnostics/_glue_diagnostics_yaml", {"test": rows})["acc,none"] == 2 / 4
    assert [continuation for _, continuation in lm.batches[0][:3]] == [" entailment", " contradiction", " neutral"]
    assert lm.batches[0][0][0].endswith("Premise: It {{ rains }}.\nHypothesis: It is wet.\nAnswer:")


def pragmatic(options: int, column: str, answer: Any) -> dict[str, Any]:
    listed = "".join(f"{number}) because {number}\n" for number in range(1, options + 1))
    return {"prompt": f"Why, out of 1) or 2)?\n1) No.\nOptions:\n{listed}9) Never.\nAnswer: ", column: answer}


def test_lm_pragmatics(run):
    rows = [pragmatic(options, "randomized_true_answer", right) for options, right in ((2, 2), (5, 5), (4, 2), (5, 1))]
    lm = Oracle(likes=prefers(" 2"))
    figures = run(lm, "lm_pragmatics/_lm_pragmatics_yaml", {"seed_3": rows}, test_split="seed_3")
    assert figures["acc,none"] == 2 / 4
    assert [continuation for _, continuation in lm.batches[0][:2]] == [" 1", " 2"]
    assert len(lm.batches[0]) == 2 + 5 + 4 + 5
    assert lm.batches[0][0][0].endswith("Answer:")


@pytest.mark.parametrize("column", utils("lm_pragmatics").TARGETS)
@pytest.mark.parametrize("answer", [3, "3", 3.0, " 3 "])
def test_the_answer_of_lm_pragmatics_may_stand_in_several_columns(column, answer):
    assert utils("lm_pragmatics").target(pragmatic(4, column, answer)) == 2


def test_simpletom(run):
    shared = {"story": "A tin is full of sand.", "question": "Does Jo know?", "scenario_name": "tin"}
    choices = {"text": ["Yes", "No"], "label": ["A", "B"]}
    rows = [{"id": f"{n}", **shared, "choices": choices, "answerKey": key} for n, key in enumerate("ABB")]
    lm = Oracle(likes=prefers(" B"))
    assert run(lm, "simpletom/_simpletom_yaml", {"test": rows})["acc,none"] == pytest.approx(2 / 3)
    assert lm.batches[0][0][0].endswith("Question: Does Jo know?\nA. Yes\nB. No\nAnswer:")


EWOK = {"Domain": "d", "Context1": "Jo is in.", "Context2": "Jo is out.", "Target1": "See Jo.", "Target2": "Miss Jo."}


# The last is a model that does not look at the context.
@pytest.mark.parametrize(("liked", "acc"), [(["in See", "out Miss"], 1), (["in See", "in Miss"], 0.5), ([], 0.5)])
def test_ewok(run, liked, acc):
    lm = Oracle(likes=lambda context, target: float(f"{context.split()[-1][:-1]} {target.split()[0]}" in liked))
    assert run(lm, "ewok/_ewok_yaml", {"test": [EWOK, EWOK]})["acc,none"] == acc
    assert lm.batches[0][:2] == [("Jo is in.", " See Jo."), ("Jo is out.", " See Jo.")]
    assert len(lm.batches[0]) == 8


def test_fantom_beliefs(run):
    ending = "(a) Jo knows (b) Jo {} {{}}\n\nChoose an answer from above:\n"
    texts = [f"Ed: (a) or (b)?\nWhat does Jo think?\n{ending.format(mark)}" for mark in ("#a", "#b", "#c")]
    rows = [{"input_text": text, "correct_answer": right} for text, right in zip(texts, (1, 1, 0))]
    lm = Oracle(likes=prefers(" Jo #a {}", " Jo #c {}"))
    assert run(lm, "fantom/_fantom_belief_choice_yaml", {"inaccessible": rows})["acc,none"] == pytest.approx(1 / 3)
    assert lm.batches[0][0][1] == " Jo knows"


def test_fantom_yes_or_no(run):
    rows = [{"input_text": "Does Jo know?\nAnswer:", "correct_answer": answer} for answer in ("yes", "no", "no:long")]
    lm = Oracle(likes=prefers(" no"))
    figures = run(lm, "fantom/_fantom_answerability_binary_yaml", {"inaccessible": rows})
    assert figures["acc,none"] == pytest.approx(2 / 3)


# Bad rows and hostile replies


@pytest.mark.parametrize(
    ("benchmark", "function", "doc", "message"),
    [
        ("cladder", "target", {"label": "maybe"}, "'maybe'"),
        ("glue_diagnostics", "target", {"Label": 2}, "2 is none of entailment"),
        ("simpletom", "target", {"choices": {"label": ["A"]}, "answerKey": "Z"}, "'Z'"),
        ("lm_pragmatics", "target", {"prompt": "1) a\n2) b", "gold": 1}, "there are prompt, gold"),
        ("lm_pragmatics", "target", {"prompt": "1) a\n2) b", "answer": 0}, "0 in the column 'answer'"),
        ("lm_pragmatics", "choices", {"prompt": "Only 1) here"}, "Only 1"),
        ("fantom", "beliefs", {"input_text": "(a) x (b) y"}, r"\(a\) x"),
        ("fantom", "belief", {"correct_answer": 2}, "2 rather than 0 or 1"),
        ("fantom", "yes_or_no", {"correct_answer": "error"}, "'error'"),
        ("fantom", "names", {"correct_answer": "Ann", "wrong_answer": []}, "'Ann' rather than a list"),
        ("fantom", "fact", {"correct_answer": "-"}, "a sentence"),
        ("natural_plan", "prompt", {"text": "x"}, "there are text"),
        ("natural_plan", "target", {"golden_plan": "Monday"}, "a day and two times"),
        ("natural_plan", "target", {"golden_plan": "x", "cities": "A**B", "durations": "1"}, "'A\\*\\*B'"),
        ("natural_plan", "target", {**DAY, "golden_plan": []}, "somebody is met"),
        ("natural_plan", "target", {**DAY, "constraints": [["The Park"]]}, "start|place, time"),
    ],
)
def test_bad_rows_are_named(benchmark, function, doc, message):
    with pytest.raises(UserError, match=message):
        getattr(utils(benchmark), function)(doc)


PIECES = (
    "monday, 9:00 - 99:99 day 1-999 fly from to Oslo Rome tel aviv you travel wait meet Ann . until 99:99PM for yes no"
)
HOSTILE = st.lists(st.text(max_size=20) | st.sampled_from([*PIECES.split(), "SOLUTION:", "\nTASK:", "²"]), max_size=60)
GRADED = [
    ("cladder", "grade", {"label": "yes"}),
    ("natural_plan", "grade", {"golden_plan": "Monday, 9:00 - 9:30"}),
    ("natural_plan", "grade", {"golden_plan": TRIP, "cities": "Oslo**Rome", "durations": "2**4"}),
    ("natural_plan", "grade", DAY),
    ("fantom", "grade_names", {"correct_answer": ["A(n"], "wrong_answer": ["Bob"]}),
    ("fantom", "grade_fact", {"correct_answer": "a red fox"}),
]


@pytest.mark.parametrize(("benchmark", "function", "doc"), GRADED)
def test_graders_take_any_text(benchmark, function, doc):
    grade = getattr(utils(benchmark), function)

    @settings(max_examples=100, deadline=None)
    @given(HOSTILE)
    def check(reply):
        (figure,) = grade(doc, [" ".join(reply)]).values()
        assert 0 <= figure <= 1

    check()
    for unit in ("day 1: fly from oslo to rome\n", "you travel to old pier.", "monday 9:00", " ", "from ", "a"):
        grade(doc, [unit * (300_000 // len(unit))])
