"""The reference benchmarks, as `tasks/benchmarks.yaml` lists them."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError, unknown
from playpen_eval.skills.data import DataSet

CAPABILITIES = ("general", "formal", "planning", "causal", "logic", "commonsense", "executive", "socio_emotional")
"""Groups of benchmarks: general; formal linguistic; the others are functional."""


@dataclass(frozen=True)
class Leaf:
    """One task of lm-evaluation-harness.

    Attributes:
        name: Its name there.
        include: The task file that it is made from: `lm_eval:...` below lm_eval/tasks, else below tasks/lmeval.
        data: Its data set, with the one configuration that it reads.
        settings: What it changes in the task file.
    """

    name: str
    include: str
    data: DataSet
    settings: Mapping[str, Any]

    @property
    def config(self) -> str | None:
        """The configuration of the data set."""
        return self.data.configs[0] if self.data.configs else None


@dataclass(frozen=True)
class Benchmark:
    """One benchmark; tasks/benchmarks.yaml explains the fields.

    Attributes:
        name: Its name.
        capability: One of `CAPABILITIES`.
        kind: `choice`, `generate` or `game`.
        metric: Its main metric in lm-eval's results.
        chance: What guessing scores, in [0, 1].
        leaves: The tasks that are made for it; empty for a game and in the smoke suite, whose tasks are there.
        paper: True for the thirteen of the Playpen paper.
        mini: True for the smoke suite.
        scale: A perfect result in the metric.
        lowest: The lowest value of an item, where a perfect one is 1.
        weight: How tasks add up, `size` or `equal`.
        shots: Examples in the prompt.
        items: Number of items; None if not known.
        max_tokens: The longest reply that is asked for; 0 where only likelihoods are.
        repeated: True if the tasks hold the same items in other words.
        note: What a reader of its number should know.
    """

    name: str
    capability: str
    kind: str
    metric: str
    chance: float
    leaves: tuple[Leaf, ...] = ()
    paper: bool = False
    mini: bool = False
    scale: float = 1.0
    lowest: float = 0.0
    weight: str = "size"
    shots: int = 0
    items: int | None = None
    max_tokens: int = 0
    repeated: bool = False
    note: str = ""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of its tasks in lm-evaluation-harness."""
        return tuple(leaf.name for leaf in self.leaves) or (f"playpen_{self.name}",)

    @property
    def data(self) -> tuple[DataSet, ...]:
        """Its data sets, each with all the configurations that are read."""
        return _merged(leaf.data for leaf in self.leaves)


def benchmarks(*, mini: bool = False) -> dict[str, Benchmark]:
    """The benchmarks by name, in the order of the file.

    Args:
        mini: Those of the smoke suite instead.
    """
    return {name: benchmark for name, benchmark in _read().items() if benchmark.mini == mini}


@functools.cache
def _read() -> dict[str, Benchmark]:
    import yaml

    [folder] = importlib.import_module("playpen_eval.tasks").__path__
    text = (Path(folder) / "benchmarks.yaml").read_text(encoding="utf-8")
    # Every start reads this file; the C loader takes a seventh of the time.
    rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {row["name"]: _benchmark(row) for row in rows}


def find_benchmark(name: str) -> Benchmark:
    """One benchmark by name.

    Raises:
        UserError: No such benchmark.
    """
    if name not in _read():
        raise unknown("benchmark", name, _read())
    return _read()[name]


@functools.cache
def benchmark_of_task() -> dict[str, Benchmark]:
    """Task of lm-evaluation-harness -> the benchmark that it belongs to, those of the smoke suite included."""
    return {task: benchmark for benchmark in _read().values() for task in benchmark.tasks}


def harness_file(path: str) -> Path:
    """A task file of the installed lm-evaluation-harness, found without importing it.

    Args:
        path: Below lm_eval/tasks.

    Raises:
        UserError: lm-eval is not installed, or this version of it has no such file.
    """
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("lm_eval is not installed; run: pip install 'playpen-eval[lm-eval]'")
    file = Path(spec.submodule_search_locations[0]) / "tasks" / path
    if not file.is_file():
        raise UserError(f"this lm-eval has no task file {path}; install the version that playpen-eval[lm-eval] names")
    return file


def data_sets(*names: str) -> dict[str, DataSet]:
    """The data sets of some benchmarks, or of all, by id."""
    chosen = [find_benchmark(name) for name in names] or list(benchmarks().values())
    return {data.id: data for data in _merged(leaf.data for benchmark in chosen for leaf in benchmark.leaves)}


def _merged(data: Iterator[DataSet]) -> tuple[DataSet, ...]:
    found: dict[str, DataSet] = {}
    for one in data:
        known = found.get(one.id, one)
        found[one.id] = replace(known, configs=tuple(dict.fromkeys((*known.configs, *one.configs))))
    return tuple(found.values())


def _benchmark(row: dict[str, Any]) -> Benchmark:
    fields = {name: value for name, value in row.items() if name not in ("tasks", "data")}
    return Benchmark(**fields, leaves=tuple(_leaves(row)) if "tasks" in row else ())


def _leaves(row: dict[str, Any]) -> Iterator[Leaf]:
    tasks = row["tasks"]
    for combination in itertools.product(*tasks.get("names", [])):
        filled = _fill({"data": row["data"], **tasks, "names": None}, combination)
        data = filled["data"]
        configs = (filled["config"],) if "config" in filled else ()
        data_set = DataSet(
            data["id"],
            tuple(data["splits"]),
            tuple(data["columns"]),
            configs,
            data.get("revision"),
            data.get("licence"),
            data["source"],
        )
        yield Leaf(f"playpen_{filled['name']}", filled["include"], data_set, filled.get("settings", {}))


def _fill(value: Any, names: tuple[str, ...]) -> Any:
    """Fills the placeholders of all texts in a structure."""
    if isinstance(value, dict):
        return {key: _fill(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_fill(part, names) for part in value]
    return value.format(*names) if isinstance(value, str) and names else value
