"""Before a run with reference benchmarks: which of them it asks for, whether their data are there, the task objects."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from playpen_eval.errors import UserError
from playpen_eval.lmeval.skill_tasks import GROUP, group_name
from playpen_eval.registry import scan
from playpen_eval.skills.catalogue import benchmarks
from playpen_eval.skills.data import check_available, use_folder


class Prepared(NamedTuple):
    """What a run can begin with: the folder of task files, and the benchmarks that it goes on without."""

    folder: Path
    missing: frozenset[str]


def prepare(data: str | None, skip_missing: bool, tasks: Sequence[str] | None = None) -> Prepared:
    """Writes the task files, having looked for the data that they need.

    Args:
        data: Folder of local copies of data sets.
        skip_missing: Leave out what is missing, with a warning, instead of stopping.
        tasks: The tasks that will run, whose data are looked for; None if that is not known.

    Raises:
        UserError: Data of these tasks are missing or broken; names every such benchmark.
    """
    from playpen_eval.lmeval.tasks_dir import write_tasks_dir

    use_folder(data)
    if tasks is None and not skip_missing:
        return Prepared(write_tasks_dir(), frozenset())
    missing = missing_data(None if tasks is None else benchmarks_of(tasks))
    lines = "".join(f"\n  {name}: {error}" for name, error in missing.items())
    if missing and not skip_missing:
        raise UserError(
            f"data of {len(missing)} benchmarks are missing (to go on without: --skip-missing, or in Inspect "
            f"-T skip_missing=true):{lines}"
        )
    if missing:
        print(f"playpen-eval: going on without {len(missing)} benchmarks:{lines}", file=sys.stderr)
    return Prepared(write_tasks_dir(skip=frozenset(missing)), frozenset(missing))


def missing_data(names: Sequence[str] | None = None) -> dict[str, UserError]:
    """Which benchmarks cannot be measured here: name -> why. Looks into the data folder, or asks the hub.

    Args:
        names: The benchmarks to look at; all if not given.

    Raises:
        UserError: The data folder does not exist.
    """
    missing: dict[str, UserError] = {}
    for benchmark in benchmarks().values():
        if names is not None and benchmark.name not in names:
            continue
        try:
            for data in benchmark.data:
                check_available(data)
        except UserError as error:  # a broken copy keeps its own benchmark back, not the others
            missing[benchmark.name] = error
    return missing


def benchmarks_of(tasks: Sequence[str]) -> list[str]:
    """The benchmarks that names or patterns of the harness ask for: of tasks, benchmarks, groups or statscore items."""
    found = []
    for benchmark in benchmarks().values():
        names = {GROUP, f"playpen_{benchmark.capability}", group_name(benchmark), *benchmark.tasks}
        # The same data as a game of one turn; clembench writes eqbench where lm-eval has eq_bench.
        for game in scan().games.values():
            if game.suite == "static" and game.upstream_name.replace("_", "") == benchmark.name.replace("_", ""):
                names |= {"playpen_statscore", f"playpen_{game.name}"}
        if any(fnmatchcase(name, task) for name in names for task in tasks):
            found.append(benchmark.name)
    return found


def load_tasks(names: Sequence[str]) -> dict[str, Any]:
    """The harness's task objects by name, with their data.

    Raises:
        UserError: The data of one are missing or broken.
    """
    from lm_eval.tasks import TaskManager

    from playpen_eval.lmeval.tasks_dir import write_tasks_dir

    for error in missing_data(benchmarks_of(list(names))).values():
        raise error
    manager = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False)
    loaded = manager.load(list(names))["tasks"]
    return {name: loaded[name] for name in names}
