"""`playpen-eval loop`."""
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "evaluate, train, evaluate, compare: the stages of a config, each an ordinary command"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("config", metavar="CONFIG", help="a .yaml file, or one that comes with the package: laptop")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="a loop there is continued")
    parser.add_argument("--seed", type=int, metavar="N", help="instead of the config's")
    parser.add_argument("--redo", action="store_true", help="delete and redo stages that have changed in the config")
    parser.add_argument("--dry-run", action="store_true", help="check the config and print the commands")


def run(args: argparse.Namespace) -> int:
    """Runs the stages."""
    from playpen_eval.train.loop import command, run_loop
    from playpen_eval.train.plan import load_plan

    plan = load_plan(args.config, args.output, args.seed)
    if args.dry_run:
        print("\n".join(command(step) for stage in plan for step in stage.steps))
        return 0
    run_loop(plan, args.output, redo=args.redo)
    return 0
