"""`playpen-eval check`."""

from __future__ import annotations

import argparse
import json

SUMMARY = "test that a game keeps what every game promises (purity, bounds, splits, secrets, hostile replies)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("games", nargs="*", metavar="GAME")
    parser.add_argument("--all", action="store_true", help="check every game")
    parser.add_argument("--replies", type=int, default=2000, help="hostile replies per game (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the hostile replies (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Prints one line a check; 1 if any failed."""
    from playpen_eval.check import Budget, run_checks
    from playpen_eval.errors import UserError, require
    from playpen_eval.registry import load_games, shipped_games

    if bool(args.games) == args.all:
        raise UserError("name the games to check, or give --all")
    if args.replies < 1:
        raise UserError(f"--replies must be at least 1, not {args.replies}")
    require("hypothesis", "dev")
    games = load_games(*args.games) if args.games else shipped_games()
    budget = Budget(replies=args.replies, seed=args.seed)
    results: dict[str, list[dict]] = {}
    for name, game in games.items():
        results[name] = []
        for result in run_checks(game, budget):
            results[name].append(result._asdict())
            if not args.json:
                verdict = "ok" if result.failure is None else f"FAILED: {result.failure}"
                print(f"{name:20} {result.check:36} {result.seconds:6.2f} s  {verdict}", flush=True)
    failed = sum(row["failure"] is not None for rows in results.values() for row in rows)
    if args.json:
        print(json.dumps(results, indent=1))
    else:
        print(f"{len(games)} games, {sum(map(len, results.values()))} checks, {failed} failed")
    return 1 if failed else 0
