"""`playpen-eval train`."""
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

SUMMARY = (
    "train a model on games: SFT, DPO, KTO, GRPO, PPO, MC returns, ILQL, SFT on its own successes (rft, online-bc)"
)

METHODS = ("sft", "dpo", "kto", "grpo", "rft", "mc", "ilql", "ppo", "online-bc")
PLAYING = ("grpo", "rft", "ppo", "online-bc")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--model", metavar="M", help="folder or name of a model, or an adapter (default: the recipe's)")
    parser.add_argument("--recipe", metavar="R", help="one that comes with the package, or a .yaml file")
    parser.add_argument(
        "--data",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="sft, dpo, kto, mc, ilql: may be repeated",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="model, checkpoints and log")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="another value of the recipe"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in the folder from its last checkpoint")
    parser.add_argument("--allow-heldout", action="store_true", help="also games that are kept to test generalisation")


def run(args: argparse.Namespace) -> int:
    """Trains."""
    from playpen_eval.errors import UserError
    from playpen_eval.train.recipe_files import load_config

    overrides = [*args.overrides, *(["allow_heldout=true"] if args.allow_heldout else [])]
    config: Any = load_config(args.method, args.recipe, overrides)
    plays = args.method in PLAYING
    if plays and args.data:
        raise UserError(f"{args.method} plays its own episodes and takes no --data")
    if not plays and not args.data:
        raise UserError(f"{args.method} needs --data FILE; playpen-eval data makes some")
    options = {"resume": args.resume, "again": _again(args)}
    if args.method == "sft":
        from playpen_eval.train import sft

        log = sft.train(config, args.model, args.data, args.output, **options)
    elif args.method == "dpo":
        from playpen_eval.train import dpo

        log = dpo.train(config, args.model, args.data, args.output, **options)
    elif args.method == "kto":
        from playpen_eval.train import dpo

        log = dpo.train_kto(config, args.model, args.data, args.output, **options)
    elif args.method == "mc":
        from playpen_eval.train import mc

        log = mc.train(config, args.model, args.data, args.output, **options)
    elif args.method == "ilql":
        from playpen_eval.train import ilql

        log = ilql.train(config, args.model, args.data, args.output, **options)
    elif args.method == "grpo":
        from playpen_eval.train import grpo

        log = grpo.train(config, args.model, args.output, **options)
    elif args.method == "ppo":
        from playpen_eval.train import ppo

        log = ppo.train(config, args.model, args.output, **options)
    elif args.method == "online-bc":
        from playpen_eval.train import online_bc

        log = online_bc.train(config, args.model, args.output, **options)
    else:
        from playpen_eval.train import rft

        log = rft.train(config, args.model, args.output, **options)
    _tell(args.output, log)
    return 0


def _again(args: argparse.Namespace) -> str:
    """The command that continues this run."""
    words = ["playpen-eval", *(word for folder in args.games_dir for word in ("--games-dir", folder))]
    words += ["train", args.method, "--output", str(args.output), "--resume"]
    for name, values in (("model", [args.model]), ("recipe", [args.recipe]), ("data", args.data)):
        words += [word for value in values if value is not None for word in (f"--{name}", str(value))]
    words += [word for override in args.overrides for word in ("--set", override)]
    return shlex.join(words + (["--allow-heldout"] if args.allow_heldout else []))


def _tell(output: Path, log: list[dict[str, Any]]) -> None:
    """What there is now, on stderr; of several processes one speaks."""
    from accelerate import PartialState

    if not PartialState().is_main_process:
        return
    if not log:
        print(f"{output} was finished before", file=sys.stderr)
        return
    last = next((entry for entry in reversed(log) if "train_runtime" in entry), {})
    took = f", {last['train_runtime']:.0f} s" if last else ""
    print(f"{output}: trained for {log[-1]['step']} steps{took}", file=sys.stderr)
