"""`playpen-eval tasks-dir`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

SUMMARY = "write games and benchmarks as lm-evaluation-harness tasks; prints the folder for --include_path"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--data", metavar="DIR", help="local copies of data sets (default: PLAYPEN_DATA, else the hub)")
    parser.add_argument("--skip-missing", action="store_true", help="leave benchmarks without data out of the groups")


def run(args: argparse.Namespace) -> int:
    """Prints the folder alone, so that a shell can insert it."""
    print(prepare(args.data, args.skip_missing))
    return 0


def prepare(data: str | None, skip_missing: bool, tasks: Sequence[str] | None = None) -> Path:
    """Writes the task files, having looked for the data that they need.

    Args:
        data: Folder of local copies.
        skip_missing: Leave out what is missing, with a warning, instead of stopping.
        tasks: The tasks that will run, whose data are looked for; None if that is not known.

    Raises:
        UserError: Data of these tasks are missing; names every such data set.
    """
    from playpen_eval.errors import UserError
    from playpen_eval.lmeval.skill_tasks import benchmarks_of, missing_data
    from playpen_eval.lmeval.tasks_dir import write_tasks_dir
    from playpen_eval.skills.data import ENV

    if data:
        os.environ[ENV] = data  # for the worker processes of the harness, too
    if tasks is None and not skip_missing:
        return write_tasks_dir()
    missing = missing_data(None if tasks is None else benchmarks_of(list(tasks)))
    lines = "".join(f"\n  {name}: {error}" for name, error in missing.items())
    if missing and not skip_missing:
        raise UserError(f"data of {len(missing)} benchmarks are missing (--skip-missing goes on without):{lines}")
    if missing:
        print(f"playpen-eval: going on without {len(missing)} benchmarks:{lines}", file=sys.stderr)
    return write_tasks_dir(skip=frozenset(missing))
