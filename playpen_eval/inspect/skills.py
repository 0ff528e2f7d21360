"""The reference benchmarks in Inspect: one bridge that runs the very tasks of lm-evaluation-harness.

Prompts, examples, filters and metrics are the harness's own. Tasks with options, which it decides by likelihoods that a
chat model does not give, are asked for as a letter; the answer then counts as if that option were the likeliest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from playpen_eval.errors import UserError, require
from playpen_eval.game import Outcome
from playpen_eval.inspect.registration import task
from playpen_eval.inspect.scorer import number
from playpen_eval.inspect.solver import RECORD, chat, dialogue_games, evaluated_model, greedy
from playpen_eval.instances import load_instances
from playpen_eval.players import clean_reply
from playpen_eval.registry import load_game
from playpen_eval.scoring import standard_error
from playpen_eval.skills.aggregate import TaskResult, skills
from playpen_eval.skills.catalogue import Benchmark, benchmarks, find_benchmark
from playpen_eval.skills.data import data_folder

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PICK = re.compile(
    r"\W*(?:(?:the )?(?:correct |right |best |final )?(?:answer|option|choice|label)(?: is)?\W*)?([a-z]|\d{1,2})"
    r"(?=\W*$|[^\w\s]|\s*\n)",
    re.I,
)
"""A letter or number at the beginning, perhaps after words that usually come before it, and no word right behind it."""


def skill_task(
    names: Sequence[str], label: str, limit_per_task: int | None, data: str | None, skip_missing: bool
) -> Task:
    """Makes a task of some benchmarks.

    Args:
        names: The benchmarks.
        label: Its name in logs.
        limit_per_task: At most so many items of each of the harness's tasks.
        data: Folder of local copies of data sets.
        skip_missing: Go on without benchmarks whose data are missing.
    """
    require("lm_eval", "lm-eval")
    from playpen_eval.lmeval.prepare import prepare

    if limit_per_task is not None and limit_per_task < 1:
        raise UserError(f"limit_per_task must be at least 1, not {limit_per_task}")
    wanted = [find_benchmark(name) for name in names]
    prepared = prepare(data, skip_missing, [task for benchmark in wanted for task in benchmark.tasks])
    chosen = [benchmark for benchmark in wanted if benchmark.name not in prepared.missing]
    if not chosen:
        raise UserError(f"nothing is left of {', '.join(names)} without their data")
    mini = chosen[0].mini
    bridged = [benchmark for benchmark in chosen if benchmark.kind != "game"]
    games = [benchmark for benchmark in chosen if benchmark.kind == "game"]
    tasks = _sources([name for benchmark in bridged for name in benchmark.tasks])
    samples = [
        sample
        for benchmark in bridged
        for name in benchmark.tasks
        for sample in _first(_samples(benchmark, name, tasks[name]), limit_per_task)
    ]
    samples += [sample for benchmark in games for sample in _first(_episodes(benchmark), limit_per_task)]
    return Task(
        dataset=MemoryDataset(samples, name=label),
        solver=answer([benchmark.name for benchmark in games]),
        scorer=skill_value(),
        metrics=[skill_metrics(mini=mini)],
        headline_metric=HeadlineMetric(metric="score" if len(chosen) == 1 else headline(mini)),
        config=greedy(evaluated_model()),
        metadata={"benchmarks": [benchmark.name for benchmark in chosen], "harness": _harness()},
        continue_on_fail=True,
    )


def _harness() -> str:
    from importlib.metadata import version

    return f"lm-eval {version('lm_eval')}"


def _first(samples: Iterable[Sample], limit: int | None) -> list[Sample]:
    samples = list(samples)
    return samples if limit is None else samples[:limit]


def _samples(benchmark: Benchmark, name: str, source: Any) -> Iterable[Sample]:
    for index, doc in enumerate(source.eval_docs):
        metadata: dict[str, Any] = {"benchmark": benchmark.name, "task": name, "index": index}
        if source.OUTPUT_TYPE == "multiple_choice":
            prompt, picks = choice_prompt(source, doc, f"{name}/{index}")
            yield Sample(id=f"{name}/{index}", input=prompt, metadata=metadata | {"picks": picks})
            continue
        shots = source.config.num_fewshot or 0
        context = source.fewshot_context(
            doc,
            shots,
            apply_chat_template=True,
            fewshot_as_multiturn=shots > 0,
            chat_template=lambda messages, **_: messages,
        )
        yield Sample(id=f"{name}/{index}", input=chat(context), metadata=metadata)


def _episodes(benchmark: Benchmark) -> Iterable[Sample]:
    from playpen_eval.episode import Episode

    game = load_game(benchmark.name)
    [name] = benchmark.tasks
    for instance in load_instances(game).instances:
        yield Sample(
            id=instance["id"],
            input=chat(Episode(game, instance).observe().messages),
            metadata={"benchmark": benchmark.name, "task": name, "game": game.name},
        )


def choice_prompt(source: Any, doc: Any, seed: str) -> tuple[str, dict[str, int]]:
    """Asks for one of the options of a multiple-choice document by its letter or number.

    Args:
        source: The harness's task.
        doc: The document.
        seed: What decides the order of options that the text does not list; many data sets have the right one first.

    Returns:
        The prompt, and the option's index behind each letter or number.
    """
    options = [str(option) for option in source.doc_to_choice(doc)]
    text = source.doc_to_text(doc)
    if source.multiple_input:  # the options come before the same continuation, and `text` is the right one's index
        ending = str(source.doc_to_target(doc)).strip()
        options, text = [f"{option} {ending}" for option in options], ""
    question = "\n\n".join(filter(None, (str(source.config.description or "").strip(), str(text).strip())))
    labels = listed_labels(question, len(options))
    if labels:
        return f"{question}\n\nReply with the {labels[0]}-to-{labels[-1]} label of your choice and nothing else.", {
            label.upper(): index for index, label in enumerate(labels)
        }
    order = list(range(len(options)))
    Random(seed).shuffle(order)
    lines = "\n".join(f"{letter}. {options[index].strip()}" for letter, index in zip(LETTERS, order))
    question = question or "Which of these is the better text?"
    picks = dict(zip(LETTERS, order))
    return f"{question}\n\n{lines}\n\nReply with the letter of your choice and nothing else.", picks


def listed_labels(text: str, count: int) -> Sequence[str] | None:
    """The labels of options that a text lists itself: lines `A. ...` or `1) ...`, or `(a) ... (b) ...`.

    Args:
        text: The text.
        count: The number of options; the list must have exactly as many.
    """
    numbers = [str(number) for number in range(1, 30)]
    for labels, form in ((LETTERS, r"^[ \t]*{}\. "), (numbers, r"^[ \t]*{}\)"), (LETTERS.lower(), r"\({}\)")):
        there = [bool(re.search(form.format(label), text, re.MULTILINE)) for label in labels[: count + 1]]
        if all(there[:count]) and not any(there[count:]):
            return labels[:count]
    return None


def read_pick(reply: str, picks: Mapping[str, int]) -> int | None:
    """The index of the option that a reply names; None if it names none."""
    found = _PICK.match(reply[:200])
    return picks.get(found[1].upper()) if found else None


@solver
def answer(games: list[str]) -> Solver:
    """Answers an item, or plays an episode of one of the games."""
    play = dialogue_games(games)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if "game" in state.metadata:
            return await play(state, generate)
        config = GenerateConfig()
        if "picks" not in state.metadata:
            wanted = _source(state.metadata["task"]).config.generation_kwargs or {}
            config = GenerateConfig(max_tokens=int(wanted.get("max_gen_toks", 256)))
        state.output = await get_model().generate(state.messages, config=config)
        if state.output.choices:
            state.messages.append(state.output.message)
        return state

    return solve


@scorer(metrics=[])
def skill_value() -> Scorer:
    """The item's main metric, as the harness computes it; 1 is perfect."""

    async def score(state: TaskState, target: Target) -> Score:
        if "game" in state.metadata:
            outcome = state.store.get(RECORD)["outcome"]
            value = (Outcome.from_dict(outcome).score or 0.0) if outcome else 0.0
            return Score(value={"skill": value}, answer=outcome["kind"] if outcome else "limit")
        benchmark = find_benchmark(state.metadata["benchmark"])
        source = _source(state.metadata["task"])
        doc, reply = source.eval_docs[state.metadata["index"]], clean_reply(state.output.completion)
        if "picks" in state.metadata:
            picked = read_pick(reply, state.metadata["picks"])
            value = 0.0 if picked is None else choice_value(source, doc, picked, benchmark.metric)
        else:
            value = reply_value(source, doc, reply, benchmark.metric)
        return Score(value={"skill": value / benchmark.scale}, answer=reply[:500])

    return score


def choice_value(source: Any, doc: Any, picked: int, metric: str) -> float:
    """The metric of a multiple-choice document if this option were the likeliest."""
    likelihoods = [(0.0 if index == picked else -1e9, False) for index in range(len(source.doc_to_choice(doc)))]
    return float(source.process_results(doc, likelihoods)[metric.partition(",")[0]])


def reply_value(source: Any, doc: Any, reply: str, metric: str) -> float:
    """The metric of a generated reply, after the harness's stops and filters."""
    from lm_eval.api.instance import Instance

    for stop in (source.config.generation_kwargs or {}).get("until") or []:
        reply = reply.split(stop)[0] if stop else reply
    name, _, chosen = metric.partition(",")
    request = Instance(request_type="generate_until", doc=doc, arguments=("", {}), idx=0)
    request.resps = [reply]
    for filters in source._filters:
        if filters.name == chosen:
            filters.apply([request])
    return float(source.process_results(doc, [request.filtered_resps[chosen]])[name])


def _sources(names: Sequence[str]) -> dict[str, Any]:
    """Tasks of the harness, each loaded once in a process from the same data folder."""
    from playpen_eval.lmeval.prepare import load_tasks

    folder = str(data_folder())
    new = [name for name in names if (folder, name) not in _loaded]
    if new:
        _loaded.update(((folder, name), source) for name, source in load_tasks(new).items())
    return {name: _loaded[folder, name] for name in names}


def _source(name: str) -> Any:
    return _sources([name])[name]


_loaded: dict[tuple[str, str], Any] = {}


def headline(mini: bool) -> str:
    """The name of the mean over benchmarks; the smoke suite has another one, so that nobody takes it for the axis."""
    return "smoke_suite" if mini else "retained_skills"


@metric(scores="unreduced")
def skill_metrics(mini: bool = False) -> Metric:
    """Every benchmark corrected for guessing, capabilities, and the mean over the benchmarks that were run.

    Args:
        mini: The smoke suite was run.
    """

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        found: dict[str, list[SampleScore]] = {}
        for sample in scores:
            found.setdefault((sample.sample_metadata or {})["task"], []).append(sample)
        results = {}
        for name, part in found.items():
            values = [float(sample.score.as_dict()["skill"] or 0) for sample in part]
            error = standard_error(values, [sample.sample_id for sample in part])
            results[name] = TaskResult(sum(values) / len(values), len(values), error)
        result = skills(results, mini=mini)
        figures = {f"score/{name}": score.score for name, score in result.scores.items()}
        raw = {f"raw/{name}": score.raw for name, score in result.scores.items()}
        if len(result.scores) == 1:
            [only] = result.scores.values()
            return {"score": only.score, "score_stderr": number(only.error), "raw": only.raw}
        capabilities = {f"capability/{name}": score for name, score in result.capabilities.items()}
        name = headline(mini)
        total = {name: number(result.total), f"{name}_stderr": number(result.error)}
        total |= {"benchmarks": float(len(result.scores)), "benchmarks_missing": float(len(result.missing))}
        return total | capabilities | figures | raw

    return compute


def _register(name: str, names: Sequence[str]) -> None:
    @task(name=f"playpen/{name}", axis="retained_skills")
    def playpen_skill(limit_per_task: int | None = None, data: str | None = None, skip_missing: bool = False) -> Task:
        return skill_task(names, name, limit_per_task, data, skip_missing)


def register_skills() -> None:
    """Registers the axis, the smoke suite, and every benchmark that is not a game, which has a task already."""
    for benchmark in benchmarks().values():
        if benchmark.kind != "game":
            _register(benchmark.name, [benchmark.name])
    _register("retained_skills", list(benchmarks()))
    _register("retained_skills_mini", list(benchmarks(mini=True)))
