"""`playpen-eval tasks-dir`."""

from __future__ import annotations

import argparse

SUMMARY = "write the games as lm-evaluation-harness tasks; prints the folder for --include_path"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments: none."""


def run(args: argparse.Namespace) -> int:
    """Prints the folder alone, so that a shell can insert it."""
    from playpen_eval.lmeval.tasks_dir import write_tasks_dir

    print(write_tasks_dir())
    return 0
