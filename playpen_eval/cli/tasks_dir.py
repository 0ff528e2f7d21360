"""`playpen-eval tasks-dir`."""

from __future__ import annotations

import argparse

SUMMARY = "write games and benchmarks as lm-evaluation-harness tasks; prints the folder for --include_path"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--data", metavar="DIR", help="local copies of data sets (default: PLAYPEN_DATA, else the hub)")
    parser.add_argument("--skip-missing", action="store_true", help="leave benchmarks without data out of the groups")


def run(args: argparse.Namespace) -> int:
    """Prints the folder alone, so that a shell can insert it."""
    from playpen_eval.lmeval.prepare import prepare

    print(prepare(args.data, args.skip_missing).folder)
    return 0
