"""`playpen-eval list`."""

from __future__ import annotations

import argparse
import json
import sys

SUMMARY = "list the games: roles, experiments, instances per split"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Prints the games; 1 if a folder could not be loaded."""
    from playpen_eval.instances import SPLITS, load_instances
    from playpen_eval.registry import scan

    found = scan()
    rows = []
    for game in found.games.values():
        rows.append(
            {
                "game": game.name,
                "version": game.version,
                "summary": game.summary,
                "roles": list(game.roles),
                "learner": game.learner,
                "held_out": game.held_out,
                "experiments": list(game.experiments),
                "splits": {split: len(load_instances(game, split).instances) for split in SPLITS if game.sizes[split]},
            }
        )
    broken = {str(folder): why for folder, why in found.broken.items()}
    if args.json:
        print(json.dumps({"games": rows, "broken": broken}, indent=2))
    else:
        _print(rows)
    for folder, why in broken.items():
        print(f"playpen-eval list: {folder} cannot be loaded: {why}", file=sys.stderr)
    return 1 if broken else 0


def _print(rows: list[dict]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("game", "version", "roles (learner *)", "experiments", "train / validation / test", box=None)
    for row in rows:
        roles = ", ".join(role + "*" * (role == row["learner"]) for role in row["roles"])
        sizes = " / ".join(str(row["splits"].get(split, 0)) for split in ("train", "validation", "test"))
        kind = " (held out)" if row["held_out"] else ""
        table.add_row(row["game"] + kind, str(row["version"]), roles, ", ".join(row["experiments"]), sizes)
    Console().print(table)
