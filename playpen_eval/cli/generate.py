"""`playpen-eval generate`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playpen_eval.game import Game, Instance

SUMMARY = "make instances: more of a split than is shipped, or the shipped files themselves"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("games", nargs="+", metavar="GAME")
    parser.add_argument("--split", default="train", help="train, validation or test (default: %(default)s)")
    parser.add_argument("--experiment", help="only this experiment (default: all, n instances of each)")
    parser.add_argument("--seed", default="1", help='any text; the shipped sets have "0" (default: %(default)s)')
    parser.add_argument("-n", type=int, default=10, help="instances per experiment (default: %(default)s)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="write here instead of to standard output: FILE.jsonl, or a folder for a file each",
    )
    parser.add_argument(
        "--allow-held-out", action="store_true", help="make train instances of a game that is held out from training"
    )
    parser.add_argument("--ship", action="store_true", help="write the game's own instances/ files and nothing else")


def run(args: argparse.Namespace) -> int:
    """Writes instances as JSON lines."""
    from playpen_eval.errors import UserError
    from playpen_eval.instances import SPLITS, make_split
    from playpen_eval.registry import load_games

    games = load_games(*args.games).values()
    if args.ship:
        for game in games:
            module = sys.modules[type(game).__module__]
            folder = Path(str(module.__file__)).parent / "instances"
            for split in SPLITS:
                if game.sizes.get(split):
                    _write(folder / f"{game.name}-{split}.jsonl", make_split(game, split))
        return 0
    if args.n < 1:
        raise UserError(f"-n must be at least 1, not {args.n}")
    folder = args.output if args.output and args.output.suffix != ".jsonl" else None
    if len(args.games) > 1 and folder is None:
        raise UserError(f"{len(args.games)} games make a file each: name a folder with --output")
    made = {game.name: _instances(game, args) for game in games}
    for name, instances in made.items():
        if args.output:
            _write(folder / f"{name}.jsonl" if folder else args.output, instances)
        else:
            sys.stdout.writelines(json.dumps(instance, ensure_ascii=False) + "\n" for instance in instances)
    return 0


def _instances(game: Game, args: argparse.Namespace) -> list[Instance]:
    from playpen_eval.errors import UserError
    from playpen_eval.instances import generate

    if args.split == "train" and game.held_out and not args.allow_held_out:
        raise UserError(
            f"{game.name} is held out from training: use --split validation or test, or --allow-held-out if figures of "
            "unseen games are not wanted"
        )
    instances = []
    for experiment in [args.experiment] if args.experiment else game.experiments:
        stream = generate(game, args.split, experiment, args.seed)
        drawn = [instance for _, instance in zip(range(args.n), stream, strict=False)]
        if len(drawn) < args.n:
            raise UserError(
                f"{game.name}: {args.split}/{experiment} has content for {len(drawn)} distinct instances, not {args.n}"
            )
        instances += drawn
    return instances


def _write(path: Path, instances: list[dict]) -> None:
    from playpen_eval.errors import UserError

    text = "".join(json.dumps(instance, ensure_ascii=False) + "\n" for instance in instances)
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error}") from None
    print(f"{path}: {len(instances)} instances", file=sys.stderr)
