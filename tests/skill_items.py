"""A few items of our own for every data set of the reference benchmarks, in the schema that its hub page publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playpen_eval.skills.catalogue import data_sets
from playpen_eval.skills.data import write_rows

Row = dict[str, Any]

TRIP = """Here is the plan:

**Day 1-2:** Visit Oslo for 2 days.
**Day 2:** Fly from Oslo to Rome.
**Day 2-5:** Visit Rome for 4 days."""
MEET = ["You start at The Park at 9:00AM.", "You travel to The Pier in 10 minutes and arrive at 9:10AM."]
MEET += ["You meet Ann for 20 minutes from 9:10AM to 9:30AM."]
SUBJECTS = "biology,business,chemistry,computer science,economics,engineering,health,history,law,math,other"
SUBJECTS += ",philosophy,physics,psychology"
EMOTIONS = {f"emotion{i}": name for i, name in enumerate(("Calm", "Angry", "Sad", "Happy"), 1)}
EMOTIONS |= {f"emotion{i}_score": score for i, score in enumerate((0, 5, 2, 9), 1)}


def _rows(data_id: str, config: str | None) -> list[Row]:
    """Three or more items of one data set."""
    return {
        "SaylorTwift/bbh": [{"input": f"not ( True ) and {n} is", "target": "False"} for n in range(3)],
        "TIGER-Lab/MMLU-Pro": [
            {
                "question": f"What is {n} + 1?",
                "options": [str(n + k) for k in range(10)],
                "answer": "B",
                "category": subject,
            }
            for subject in SUBJECTS.split(",")
            for n in range(5)
        ],
        "google/IFEval": [
            {
                "key": n,
                "prompt": f"Write about {n} without commas.",
                "instruction_id_list": ["punctuation:no_comma"],
                "kwargs": [{"num_words": None}],
            }
            for n in range(3)
        ],
        "clembench-playpen/glue_diagnostics": [
            {"Premise": "It rains.", "Hypothesis": f"It is wet {n}.", "Label": label}
            for n, label in enumerate(("entailment", "contradiction", "neutral"))
        ],
        "nyu-mll/blimp": [
            {"sentence_good": f"The {n} cats sleep.", "sentence_bad": f"The {n} cats sleeps."} for n in (2, 3, 4)
        ],
        "clembench-playpen/natural-plan-calendar": [
            {"prompt_5shot": f"Find a time, {n}.", "golden_plan": "Here is the proposed time: Monday, 14:30 - 15:30"}
            for n in range(3)
        ],
        "clembench-playpen/natural-plan-meeting": [
            {
                "prompt_5shot": f"Meet Ann, {n}.",
                "golden_plan": MEET,
                "constraints": [["The Park", "9:00AM"], ["Ann", "The Pier", "from 8:00AM to 10:00AM", "20"]],
                "dist_matrix": {"The Park": {"The Pier": 10}},
            }
            for n in range(3)
        ],
        "clembench-playpen/natural-plan-trip": [
            {"prompt_5shot": f"Plan, {n}.", "golden_plan": TRIP, "cities": "Oslo**Rome", "durations": "2**4"}
            for n in range(3)
        ],
        "clembench-playpen/cladder": [{"prompt": f"Does {n} cause {n + 1}?", "label": "yes"} for n in range(3)],
        "baber/logiqa2": [
            {"text": "All owls fly.", "question": f"So {n}?", "options": ["a", "b", "c", "d"], "answer": n}
            for n in range(3)
        ],
        "allenai/winogrande": [
            {
                "sentence": f"The {n} jars did not fit the box as _ was small.",
                "option1": "jars",
                "option2": "box",
                "answer": "2",
            }
            for n in range(3)
        ],
        "ewok-core/ewok-core-1.0": [
            {"Context1": f"Jo {n} is in.", "Context2": f"Jo {n} is out.", "Target1": "See Jo.", "Target2": "Miss Jo."}
            for n in range(3)
        ],
        "lighteval/siqa": [
            {
                "context": f"Jo fell {n}.",
                "question": "How is Jo?",
                "answerA": "sore",
                "answerB": "glad",
                "answerC": "rich",
                "label": "1",
            }
            for n in range(3)
        ],
        "pbevan11/EQ-Bench": [
            {"prompt": f"Jo lost {n} keys. Score the emotions.", "reference_answer_fullscale": str(EMOTIONS)}
            for n in range(3)
        ],
        "clembench-playpen/lm-pragmatics": [
            {"prompt": f"Scenario {n}\nOptions:\n1) no\n2) yes\n3) maybe\nAnswer:", "randomized_true_answer": 2}
            for n in range(3)
        ],
        "allenai/SimpleToM": [
            {
                "id": str(n),
                "story": f"The {n} tins hold sand.",
                "question": "Does Jo know?",
                "choices": {"text": ["Yes", "No"], "label": ["A", "B"]},
                "answerKey": "B",
            }
            for n in range(3)
        ],
        "clembench-playpen/fantom": _fantom(config or ""),
    }[data_id]


def _fantom(config: str) -> list[Row]:
    if config.endswith("belief_choice"):
        text = "Ann left. {}\n(a) Ann knows (b) Ann does not\n\nChoose an answer from above:\n"
        return [{"input_text": text.format(n), "correct_answer": 1, "wrong_answer": 0} for n in range(3)]
    if config.endswith("binary"):
        return [{"input_text": f"Does Ann know {n}?\nAnswer:", "correct_answer": "no"} for n in range(3)]
    return [
        {"input_text": f"Who knows {n}?\nAnswer:", "correct_answer": ["Bob"], "wrong_answer": ["Ann"]} for n in range(3)
    ]


def write_items(folder: Path, *, leave_out: tuple[str, ...] = ()) -> Path:
    """Writes local copies of all data sets, in the layout of `playpen_eval.skills.data`."""
    for data in data_sets().values():
        if data.id not in leave_out:
            for config, split in data.parts():
                write_rows(folder / data.id / (config or "default") / f"{split}.jsonl", _rows(data.id, config))
    return folder


REPLIES = {
    "not ( True )": "False",
    "Options:\nA.": "The answer is (B)",
    "without commas": "No commas here.",
    "Find a time": "Here is the proposed time: Monday, 14:30 - 15:30",
    "Meet Ann": "SOLUTION: " + " ".join(MEET),
    "Plan, ": TRIP,
    "cause": "Yes.",
    "Score the emotions": "Calm: 0\nAngry: 5\nSad: 2\nHappy: 9",
    "Who knows": "Bob",
}
"""A part of the prompt of a generated item -> a right reply."""

LIKELY = ("sleep.", " See Jo.", " Miss Jo.", " sore", " 2", " No", " Ann does not", " no", " was small.", " entailment")
