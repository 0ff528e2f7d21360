"""`playpen-eval list`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playpen_eval.game import Game

SUMMARY = "list the games: roles, experiments, instances per split"


MOST_SHOWN = 5
"""Experiments that people are shown by name; --json has all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Prints the games; 1 if a folder could not be loaded."""
    from playpen_eval.registry import scan

    found = scan()
    broken = {str(folder): why for folder, why in found.broken.items()}
    rows = []
    for game in found.games.values():
        try:
            rows.append(_row(game))
        except Exception as error:  # one game's generator must not hide the other games
            broken[game.name] = f"{type(error).__name__}: {error}"
    if args.json:
        print(json.dumps({"games": rows, "broken": broken}, indent=2))
    else:
        _print(rows)
    for where, why in broken.items():
        print(f"playpen-eval list: {where} cannot be loaded: {why}", file=sys.stderr)
    return 1 if broken else 0


def _row(game: Game) -> dict[str, Any]:
    from playpen_eval.instances import SPLITS, load_instances

    return {
        "game": game.name,
        "version": game.version,
        "summary": game.summary,
        "roles": list(game.roles),
        "learner": game.learner,
        "held_out": game.held_out,
        "experiments": list(game.experiments),
        "splits": {split: len(load_instances(game, split).instances) for split in SPLITS if game.sizes.get(split)},
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from playpen_eval.grid import show

    table = Table(box=None, pad_edge=False)
    table.add_column("game", no_wrap=True)
    for heading in ("v.", "roles (* learner)", "experiments"):
        table.add_column(heading, overflow="fold")
    table.add_column("train/validation/test", no_wrap=True)
    for row in rows:
        roles = ", ".join(role + "*" * (role == row["learner"]) for role in row["roles"])
        sizes = "/".join(str(row["splits"].get(split, 0)) for split in ("train", "validation", "test"))
        sizes = sizes if row["splits"] else "not shipped"
        kind = " (held out)" if row["held_out"] else ""
        names = row["experiments"]
        shown = ", ".join(names) if len(names) <= MOST_SHOWN else f"{len(names)}: {names[0]}, ..., {names[-1]}"
        table.add_row(row["game"], str(row["version"]) + kind, roles, shown, sizes)
    show(table)
