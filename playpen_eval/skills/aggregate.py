"""From task results to the third axis: every benchmark by its own main metric, corrected for guessing, then averaged.

A benchmark's score is 100 x (x - chance) / (1 - chance), so 0 is guessing and 100 is perfect; it is not clipped, since
cutting off what lies below chance would favour weak models. The axis is the mean over benchmarks, each counting the
same; it is partial, and says so, while some benchmark is missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from playpen_eval.errors import UserError
from playpen_eval.grid import Grid
from playpen_eval.skills.catalogue import CAPABILITIES, Benchmark, benchmark_of_task, benchmarks


class TaskResult(NamedTuple):
    """What one task brought.

    Attributes:
        value: Mean of the main metric, in [0, 1] for a perfect result of 1.
        n: Number of items.
        error: Standard error of the mean; None if not known.
        of: Number of items that the task has; None if not known.
    """

    value: float
    n: int
    error: float | None
    of: int | None = None

    @property
    def whole(self) -> bool:
        """False if only some of the items were run."""
        return self.of is None or self.of == self.n


@dataclass(frozen=True)
class SkillScore:
    """The figures of one benchmark.

    Attributes:
        benchmark: Which one.
        raw: Mean of its main metric, 0-100.
        score: The same corrected for guessing: 0 is chance, 100 is perfect.
        error: Standard error of `score`; None if not known.
        n: Number of items.
        lacking: Tasks of it without a result; its score is that of the others.
        of: Number of items of the tasks that have a result; more than `n` in a limited run.
    """

    benchmark: Benchmark
    raw: float
    score: float
    error: float | None
    n: int
    lacking: tuple[str, ...] = ()
    of: int | None = None

    @property
    def whole(self) -> bool:
        """Whether every item of every task was run."""
        return not self.lacking and self.of in (None, self.n)


@dataclass(frozen=True)
class Skills:
    """The third axis.

    Attributes:
        scores: Benchmark -> its figures.
        missing: Benchmarks without any result.
        capabilities: Capability -> mean over its benchmarks.
        total: Mean over all benchmarks that have a result.
        error: Its standard error; None if not known.
        paper: Mean over those of the Playpen paper.
        mini: True if this is the smoke suite.
    """

    scores: Mapping[str, SkillScore]
    missing: tuple[str, ...]
    capabilities: Mapping[str, float]
    total: float | None
    error: float | None
    paper: float | None
    mini: bool = False

    @property
    def complete(self) -> bool:
        """Whether every benchmark has a result for all of its items."""
        return not self.missing and all(score.whole for score in self.scores.values())

    @property
    def gaps(self) -> list[str]:
        """What is missing, for people."""
        limited = [f"{name} {score.n} of {score.of} items" for name, score in self.scores.items() if not score.whole]
        return [f"without {', '.join(self.missing)}"] * bool(self.missing) + [f"only {', '.join(limited)}"] * bool(
            limited
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "smoke_suite" if self.mini else "retained_skills": self.total,
            "stderr": self.error,
            "retained_skills_paper": self.paper,
            "complete": self.complete,
            "missing": list(self.missing),
            "capabilities": dict(self.capabilities),
            "benchmarks": {
                name: {
                    "capability": score.benchmark.capability,
                    "metric": score.benchmark.metric,
                    "chance": score.benchmark.chance,
                    "raw": score.raw,
                    "score": score.score,
                    "stderr": score.error,
                    "n": score.n,
                    "of": score.of,
                    "lacking": list(score.lacking),
                }
                for name, score in self.scores.items()
            },
        }


def skills(results: Mapping[str, TaskResult], *, mini: bool = False) -> Skills:
    """The third axis from the results of single tasks.

    Args:
        results: Task name -> result.
        mini: Make the aggregate of the smoke suite instead.
    """
    scores, missing = {}, []
    for name, benchmark in benchmarks(mini=mini).items():
        found = {task: results[task] for task in benchmark.tasks if task in results}
        if found:
            scores[name] = _skill_score(benchmark, found)
        else:
            missing.append(name)
    by_capability = {
        capability: [score.score for score in scores.values() if score.benchmark.capability == capability]
        for capability in CAPABILITIES
    }
    return Skills(
        scores,
        tuple(missing),
        {capability: math.fsum(part) / len(part) for capability, part in by_capability.items() if part},
        _mean(score.score for score in scores.values()),
        _error_of_mean([score.error for score in scores.values()]),
        _mean(score.score for score in scores.values() if score.benchmark.paper),
        mini,
    )


def _skill_score(benchmark: Benchmark, found: Mapping[str, TaskResult]) -> SkillScore:
    weights = {task: result.n if benchmark.weight == "size" else 1 for task, result in found.items()}
    total = sum(weights.values())
    value = math.fsum(weights[task] * result.value for task, result in found.items()) / total
    errors = [(weights[task] / total, result.error) for task, result in found.items()]
    error = None
    if all(one is not None for _, one in errors):
        parts = [share * (one or 0.0) for share, one in errors]
        # The same items in other words err alike; independent ones average out.
        error = math.fsum(parts) if benchmark.repeated else math.hypot(*parts)
    sizes = [result.of for result in found.values()]
    slope = 100 / (1 - benchmark.chance)
    return SkillScore(
        benchmark,
        raw=100 * value,
        score=slope * (value - benchmark.chance),
        error=None if error is None else slope * error,
        n=sum(result.n for result in found.values()),
        lacking=tuple(task for task in benchmark.tasks if task not in found),
        of=None if None in sizes else sum(size or 0 for size in sizes),
    )


def _error_of_mean(errors: Sequence[float | None]) -> float | None:
    known = [error for error in errors if error is not None]
    return math.hypot(*known) / len(known) if known and len(known) == len(errors) else None


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return math.fsum(values) / len(values) if values else None


def from_lm_eval(data: Mapping[str, Any]) -> dict[str, TaskResult]:
    """Task results out of a results object of lm-evaluation-harness.

    Raises:
        UserError: A task has a result, but none that can be used in its main metric.
    """
    tasks = benchmark_of_task()
    return {task: _task_result(task, tasks[task], data) for task in data["results"] if task in tasks}


def _task_result(task: str, benchmark: Benchmark, data: Mapping[str, Any]) -> TaskResult:
    row, counts = data["results"][task], (data.get("n-samples") or {}).get(task)
    if not isinstance(row, Mapping) or benchmark.metric not in row:
        raise UserError(f"{task}: the results have no {benchmark.metric!r}; there are {', '.join(row)}")
    value = row[benchmark.metric]
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{task}: {benchmark.metric} is {value!r}, which is no number")
    if not isinstance(counts, Mapping) or not counts.get("effective"):
        raise UserError(f"{task}: the results do not say how many items were run (n-samples)")
    name, _, chosen = benchmark.metric.partition(",")
    error = row.get(f"{name}_stderr,{chosen}")
    known = error / benchmark.scale if isinstance(error, int | float) and math.isfinite(error) else None
    return TaskResult(value / benchmark.scale, counts["effective"], known, counts.get("original"))


SETTINGS = ("model_name", "model_source", "chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn")
"""What results of one table must have in common."""


def read_results_file(path: Path, *members: str) -> dict[str, Any]:
    """Reads one results file of lm-evaluation-harness.

    Args:
        path: The file.
        *members: Objects that it must hold beside `results`.

    Raises:
        UserError: It is none.
    """
    members = ("results", *members)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(data.get(name), dict) for name in members):
            raise ValueError(f"no object with {' and '.join(f'`{name}`' for name in members)}")
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is no results file of lm-eval: {error}") from None
    return data


def read_results(path: Path) -> Skills:
    """Reads what lm-eval wrote: a results file, or a folder in which every task's newest result counts.

    Raises:
        UserError: There is nothing of the kind, or the files are of different models or settings.
    """
    files = [path] if path.is_file() else sorted(path.rglob("results_*.json"), key=lambda file: file.name)
    results: dict[str, TaskResult] = {}
    settings: dict[str, Any] = {}
    for file in files:
        data = read_results_file(file)
        found = from_lm_eval(data)
        for name in SETTINGS if found else ():
            if settings.setdefault(name, data.get(name)) != data.get(name):
                raise UserError(
                    f"{path} mixes results with {name} {settings[name]!r} and {data.get(name)!r} ({file.name}); "
                    "name the results file, or a folder of one model and setting"
                )
        results |= found
    if not results:
        raise UserError(f"{path}: no results of retained skills (results_*.json of lm_eval --output_path)")
    # The smoke suite counts only where there is nothing else; the two never meet in one table.
    return skills(results, mini=all(benchmark_of_task()[task].mini for task in results))


def grid(found: Skills) -> Grid:
    """The third axis as a table."""
    title = "smoke suite: not the reference benchmarks, and not to be compared with them" if found.mini else "Skills"
    shown = Grid(["benchmark", "capability", ">n", "metric", ">raw", ">chance", ">score"], title=title)
    for name, row in found.scores.items():
        kind = row.benchmark
        part = f" ({len(kind.tasks) - len(row.lacking)} of {len(kind.tasks)} tasks)" if row.lacking else ""
        metric = kind.metric.partition(",")[0]
        cells = (kind.capability, str(row.n), metric, f"{row.raw:.1f}", f"{100 * kind.chance:.1f}")
        shown.rows.append([name + part, *cells, _score(row.score, row.error)])
    shown.rows.append([])
    for capability, score in found.capabilities.items():
        members = [one for one in benchmarks(mini=found.mini).values() if one.capability == capability]
        got = sum(one.name in found.scores for one in members)
        part = "" if got == len(members) else f" ({got} of {len(members)})"
        shown.rows.append(["", capability + part, "", "", "", "", f"{score:.1f}"])
    shown.rows.append([])
    total = "-" if found.total is None else _score(found.total, found.error)
    shown.rows.append(["all" if found.complete else "partial (see below)", "", "", "", "", "", total])
    if found.paper is not None:
        paper = [score for score in found.scores.values() if score.benchmark.paper]
        of = sum(benchmark.paper for benchmark in benchmarks().values())
        shown.rows.append([f"of the paper's, {len(paper)} of {of}", "", "", "", "", "", f"{found.paper:.1f}"])
    shown.notes = [
        "score: 0 is guessing, 100 is perfect; +- one standard error",
        *(f"partial: {gap}" for gap in found.gaps),
    ]
    return shown


def _score(value: float, error: float | None) -> str:
    return f"{value:.1f}" + ("" if error is None else f" +-{error:.1f}")
