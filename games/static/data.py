"""From the rows of the published data sets to items: what stands around a question, the question, the answer."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.game import read_texts
from playpen_eval.skills.catalogue import data_sets, find_benchmark, harness_file
from playpen_eval.skills.data import DataSet, load_rows
from playpen_eval.skills.ifeval import arguments

from .answers import LETTERS, YES_NO

INPUT = "{{input}}"
"""Where the question stands in a template; clembench's templates have the same mark."""

PROMPTS = read_texts(__file__)
SHOTS = 5

CLADDER, MMLU_PRO, EQBENCH, IFEVAL, BBH = (
    next(iter(data_sets(name).values())) for name in ("cladder", "mmlu_pro", "eq_bench", "ifeval", "bbh")
)
SUBJECTS = tuple(task.removeprefix("playpen_mmlu_pro_") for task in find_benchmark("mmlu_pro").tasks)
BBH_TASKS = BBH.configs

Item = dict[str, Any]
"""The fields `template`, `input` and `target` of an instance."""


def cladder() -> Iterator[tuple[str, Item]]:
    """Yes-no questions."""
    [config], [split] = CLADDER.configs, CLADDER.splits
    template = PROMPTS["cladder"].format(question=INPUT)
    for number, row in enumerate(load_rows(CLADDER, config, split)):
        _check(row["label"] in YES_NO, CLADDER, number, f"the label {row['label']!r} is neither yes nor no")
        yield config, {"template": template, "input": row["prompt"], "target": row["label"]}


def mmlu_pro() -> Iterator[tuple[str, Item]]:
    """Questions with up to ten options, after five solved ones of the same subject."""
    test, validation = (list(load_rows(MMLU_PRO, None, split)) for split in MMLU_PRO.splits)
    for subject in SUBJECTS:
        name = subject.replace("_", " ")
        solved = [row for row in validation if row["category"] == name][:SHOTS]
        questions = [(number, row) for number, row in enumerate(test) if row["category"] == name]
        if questions and len(solved) < SHOTS:
            raise UserError(f"{MMLU_PRO.id}: {len(solved)} questions on {name} for examples, not {SHOTS}")
        examples = "".join(f"{_question(row)}The answer is ({row['answer']})\n\n" for row in solved)
        template = PROMPTS["mmlu_pro"].format(subject=name, examples=examples, question=INPUT)
        for number, row in questions:
            known = LETTERS[: len(row["options"])]
            _check(row["answer"] in [*known], MMLU_PRO, number, f"the answer {row['answer']!r} is none of {known}")
            yield f"mmlu_pro_{subject}", {"template": template, "input": _question(row), "target": row["answer"]}


def _question(row: Mapping[str, Any]) -> str:
    options = "".join(f"{letter}. {option.strip()}\n" for letter, option in zip(LETTERS, row["options"]))
    return f"Question:\n{row['question']}\nOptions:\n{options}"


def eqbench() -> Iterator[tuple[str, Item]]:
    """Dialogues and the intensity of four emotions at their end."""
    [split] = EQBENCH.splits
    for number, row in enumerate(load_rows(EQBENCH, None, split)):
        answer = row["reference_answer_fullscale"]
        try:
            # A Python dictionary as text: emotion1, emotion1_score, ...
            reference = ast.literal_eval(answer) if isinstance(answer, str) else answer
            target = {reference[f"emotion{i}"]: int(reference[f"emotion{i}_score"]) for i in range(1, 5)}
        except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError):
            target = {}
        _check(len(target) == 4, EQBENCH, number, f"no four emotions in {answer!r}")
        yield "eq_bench", {"template": INPUT, "input": row["prompt"], "target": target}


def ifeval() -> Iterator[tuple[str, Item]]:
    """Requests and the instructions that can be checked."""
    [split] = IFEVAL.splits
    for number, row in enumerate(load_rows(IFEVAL, None, split)):
        names, given = row["instruction_id_list"], row["kwargs"]
        _check(len(names) == len(given), IFEVAL, number, f"{len(given)} kwargs for {len(names)} instructions")
        target = dict(zip(names, map(arguments, given)))
        yield "ifeval", {"template": INPUT, "input": row["prompt"], "target": target}


def bbh() -> Iterator[tuple[str, Item]]:
    """Questions of 27 kinds, after three solved ones."""
    [split] = BBH.splits
    for task in BBH_TASKS:
        template = _bbh_template(task)
        for row in load_rows(BBH, task, split):
            yield task, {"template": template, "input": row["input"], "target": row["target"]}


def _bbh_template(task: str) -> str:
    """The description and examples that lm-evaluation-harness has for a task; it need not be imported for them."""
    import yaml

    path = harness_file(f"bbh/fewshot/{task}.yaml")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        samples = [f"Q: {sample['input']}\nA: {sample['target']}\n\n" for sample in config["fewshot_config"]["samples"]]
        return f"{config['description']}{''.join(samples)}Q: {INPUT}\nA:"
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UserError(f"no examples of BBH in {path}, which lm-eval 0.4.13 has: {error!r}") from None


def _check(good: bool, data: DataSet, number: int, problem: str) -> None:
    if not good:
        raise UserError(f"data set {data.id}, row {number}: {problem}")


def numbered(game: str, version: int, items: Iterable[tuple[str, Item]]) -> list[dict[str, Any]]:
    """Instances with the fields of the engine; a row is counted within its experiment, as clembench does."""
    rows: list[dict[str, Any]] = []
    counts: dict[str, int] = {}
    for experiment, item in items:
        index = counts[experiment] = counts.get(experiment, -1) + 1
        rows.append(
            {"id": f"{game}/{version}/test/{experiment}/{index}", "experiment": experiment, "split": "test", **item}
        )
    return rows
