"""The reference benchmarks as task files: one for each task of the catalogue, and the groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.skills.catalogue import CAPABILITIES, Benchmark, Leaf, benchmarks, harness_file
from playpen_eval.skills.data import data_folder, local_files

GROUP = "playpen_retained_skills"
MINI = f"{GROUP}_mini"


def skill_files(skip: frozenset[str] = frozenset()) -> Iterator[tuple[str, dict[str, Any]]]:
    """File names and contents.

    Args:
        skip: Benchmarks to leave out of the groups, as their data are missing.

    Raises:
        UserError: lm-eval is not installed, or does not have a task file that a benchmark is made from.
    """
    for benchmark in benchmarks().values():
        for leaf in benchmark.leaves:
            yield f"{leaf.name}.yaml", _task(leaf)
    kept = [benchmark for benchmark in benchmarks().values() if benchmark.name not in skip]
    for benchmark in kept:
        if len(benchmark.leaves) > 1:
            yield f"{group_name(benchmark)}.yaml", _group(group_name(benchmark), benchmark.tasks)
    capabilities = {
        capability: [group_name(benchmark) for benchmark in kept if benchmark.capability == capability]
        for capability in CAPABILITIES
    }
    capabilities = {name: members for name, members in capabilities.items() if members}
    for capability, members in capabilities.items():
        yield f"playpen_{capability}.yaml", _group(f"playpen_{capability}", members)
    yield f"{GROUP}.yaml", _group(GROUP, [f"playpen_{capability}" for capability in capabilities])
    yield f"{MINI}.yaml", _group(MINI, [f"playpen_mini_{capability}" for capability in CAPABILITIES])


def group_name(benchmark: Benchmark) -> str:
    """The harness's name of a benchmark: of its only task, or of the group of them."""
    return benchmark.tasks[0] if len(benchmark.tasks) == 1 else f"playpen_{benchmark.name}"


def _group(name: str, members: Any) -> dict[str, Any]:
    # No aggregate: the harness can only average one metric over all tasks, which would drop every other benchmark.
    return {"group": name, "task": list(members), "metadata": {"version": 1}}


def _task(leaf: Leaf) -> dict[str, Any]:
    return {"include": _included(leaf.include), "task": leaf.name, **_source(leaf), **leaf.settings}


def _included(include: str) -> str:
    path = include.removeprefix("lm_eval:")
    return include if path == include else str(harness_file(path))


def _source(leaf: Leaf) -> Mapping[str, Any]:
    """Where the harness gets the data from: the hub, or local copies if there is a folder of them."""
    if data_folder() is None:
        more = {"dataset_kwargs": {"revision": leaf.data.revision}} if leaf.data.revision else {}
        return {"dataset_path": leaf.data.id, "dataset_name": leaf.config, **more}
    try:
        files = local_files(leaf.data) or {}
    except UserError:  # missing or unusable: no reason to do without all other tasks
        # The task is there, and fails if it is run, with the path that was looked for.
        expected = Path(str(data_folder())) / leaf.data.id / (leaf.config or "default")
        files = {(leaf.config, split): expected / f"{split}.jsonl" for split in leaf.data.splits}
    kind = "parquet" if all(path.suffix == ".parquet" for path in files.values()) else "json"
    return {
        "dataset_path": kind,
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {split: str(path) for (_, split), path in files.items()}},
    }
