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
    for path in _archives(args.paths):
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
    for (game, score, why), episodes in _explained(result).items():
        print(f"{game}: {len(episodes)} episodes differ in {score}, which is upstream's defect: {why}")
    unexplained = [difference for difference in result.differences if not difference["explained"]]
    for difference in unexplained[: args.most]:
        print(
            f"{difference['episode']}: {difference['score']}: ours {difference['ours']!r}, "
            f"recorded {difference['recorded']!r}"
        )
    if len(unexplained) > args.most:
        print(f"... and {len(unexplained) - args.most} more differences (--most, --json)")
    for error in result.errors:
        print(f"playpen-eval replay: {error}", file=sys.stderr)
    return 1 if result.failed else 0


def _archives(paths: list[Path]) -> list[Path]:
    """The paths, with the archives in a folder in place of a folder that holds some."""
    found = []
    for path in paths:
        found += (sorted(path.glob("*.tar.gz")) if path.is_dir() else []) or [path]
    return found


def _explained(result: Replay) -> dict[tuple[str, str, str], set[str]]:
    """Game, score and why -> the episodes that differ in nothing else than is known of upstream."""
    groups: dict[tuple[str, str, str], set[str]] = {}
    for difference in result.differences:
        if difference["explained"]:
            key = (difference["game"], difference["score"].rpartition("/")[2], difference["explained"])
            groups.setdefault(key, set()).add(difference["episode"])
    return groups


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
        print(f"{name}: clemscore {ours}, published {published}; {run['columns']} columns of results.csv compared")
