"""`playpen-eval nano`."""

# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "make a tiny model with random weights that can learn the practice games on a laptop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to save it; must be new or empty")
    parser.add_argument(
        "--games",
        nargs="+",
        metavar="GAME",
        default=[],
        help="games whose words it knows (default: the practice games)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the weights (default: %(default)s)")
    parser.add_argument("--size", default="small", help="small, medium, large, gpu: 0.1, 0.4, 1.1, 21 million weights")
    parser.add_argument(
        "--short-rules",
        action="store_true",
        help="each line of the games' rules is one token: prompts are several times shorter, training as much faster",
    )


def run(args: argparse.Namespace) -> int:
    """Makes the model and says how to evaluate it."""
    from playpen_eval.train.nano import make_nano

    about = make_nano(args.folder, args.games, args.seed, args.size, short_rules=args.short_rules)
    print(f"{args.folder}: {about['weights']:,} weights, {about['tokens']:,} tokens, seed {about['seed']}")
    print(f"inspect eval playpen/{about['games'][0]} --model playpen-local/{args.folder}")
    return 0
