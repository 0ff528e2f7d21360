"""`playpen-eval replay`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playpen_eval.replay import Replay

SUMMARY = "replay recorded clembench runs through our games and compare every score"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", type=Path, help="results folder of clembench, or .tar.gz")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("--rules", choices=["2.0", "3.0"], help="clembench rules (default: those of the recording)")
    parser.add_argument(
        "--clembench",
        type=Path,
        metavar="DIR",
        help="a checkout, for the texts that games keep outside their instances",
    )
    parser.add_argument("--messages", action="store_true", help="show the share of equal messages to players")
    parser.add_argument("--most", type=int, default=20, help="list this many differences (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Prints one line a game; 1 on unexplained differences or unreadable files."""
    from playpen_eval.errors import UserError
    from playpen_eval.recordings import Recording, read_recording
    from playpen_eval.registry import load_games
    from playpen_eval.replay import replay

    recordings = {}
    for path in args.paths:
        try:
            recordings[str(path)] = read_recording(path)
        except UserError as error:  # the other paths are still worth replaying
            recordings[str(path)] = Recording(errors=[str(error)])
    result = replay(recordings, load_games(), args.rules, args.clembench)
    if args.json:
        try:
            args.json.write_text(json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {args.json}: {error}") from None
    _print(result, args.messages)
    for difference in result.differences[: args.most]:
        why = f" (upstream: {difference['explained']})" if difference["explained"] else ""
        print(
            f"{difference['episode']}: {difference['score']}: ours {difference['ours']!r}, "
            f"recorded {difference['recorded']!r}{why}"
        )
    if len(result.differences) > args.most:
        print(f"... and {len(result.differences) - args.most} more differences (--most, --json)")
    for error in result.errors:
        print(f"playpen-eval replay: {error}", file=sys.stderr)
    return 1 if result.failed else 0


def _print(result: Replay, messages: bool) -> None:
    width = max([len(name) for name in result.games], default=0)
    for name, row in sorted(result.games.items(), key=lambda item: (not item[1].available, item[0])):
        if not row.available:
            print(f"{name:{width}}  {row.episodes:4} episodes, not replayed: this game is not in the project")
            continue
        shown = f", {row.messages_equal} of {row.messages} messages equal" if messages else ""
        print(
            f"{name:{width}}  {row.episodes:4} episodes: {row.equal} equal, {row.explained} explained, "
            f"{row.different} different, {row.unscored} unscored{shown}"
        )
    for name, run in result.runs.items():
        ours = "not computed, games are missing" if run["clemscore"] is None else f"{run['clemscore']:.2f}"
        published = "none" if run["published"] is None else f"{run['published']:.2f}"
        print(f"{name}: clemscore {ours}, published {published}")
