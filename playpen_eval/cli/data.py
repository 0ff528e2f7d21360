"""`playpen-eval data`."""
# The folder train/ is mapped into the package (see playpen_eval/__init__.py), which type checkers cannot follow.
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SUMMARY = "data sets for training out of recordings, logs, fresh play and behaviour policies; and whether they leak"
ACTIONS = ("make", "policy", "check", "show")


class _ActionOrGame(argparse._SubParsersAction):
    """Takes a game in place of an action, too: `data GAME` is short for `data policy GAME`."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.choices: Any = None  # or argparse refuses every other word

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        known = values[0] in self._name_parser_map
        super().__call__(parser, namespace, values if known else ["policy", *values], option_string)
        # A mistyped action looks like a game with options that `policy` has not; `run` tells which it is.
        namespace.stray = [] if known else vars(namespace).pop(argparse._UNRECOGNIZED_ARGS_ATTR, [])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parsers = parser.add_subparsers(dest="action", required=True, metavar="ACTION", action=_ActionOrGame)
    add_make_arguments(parsers.add_parser("make", help="make a data set and its manifest"))
    _add_policy_arguments(
        parsers.add_parser("policy", help="episodes by a behaviour policy; `data GAME` is short for `data policy GAME`")
    )
    check = parsers.add_parser("check", help="exit with 1 if a data set shares instances with an evaluation set")
    check.add_argument("data", metavar="DATA", help="a .jsonl or .parquet file")
    check.add_argument(
        "other", metavar="SET", help="a split, clembench:DIR@v2.0, a file of instances, a run, or another data set"
    )
    check.add_argument("--json", action="store_true", help="print JSON")
    show = parsers.add_parser("show", help="what is in a data set: counts, and records to look at")
    show.add_argument("data", type=Path, metavar="DATA")
    show.add_argument("--examples", type=int, default=0, metavar="N", help="print the first N records")
    show.add_argument("--json", action="store_true", help="print JSON")


def add_make_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `make`."""
    parser.add_argument(
        "sources",
        nargs="*",
        type=Path,
        metavar="SOURCE",
        help="clembench results (a folder or .tar.gz), an Inspect log, lm-eval output, a folder of `playpen-eval run`",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".jsonl or .parquet")
    parser.add_argument(
        "--format",
        default="sft",
        metavar="KIND",
        help="sft: whole chats (default); prefixes: one record per turn; pairs, turn-pairs: for DPO; kto: with labels",
    )
    parser.add_argument("--games", nargs="+", metavar="GAME", default=[], help="of the sources only these games")
    parser.add_argument("--clembench", type=Path, metavar="DIR", help="a checkout, for texts that recordings lack")
    parser.add_argument("--allow-heldout", action="store_true", help="also games that are held out from training")
    parser.add_argument("--allow-validation", action="store_true", help="also instances of the validation split")
    parser.add_argument("--seed", default="0", help="any text (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the manifest instead of a table")

    play = parser.add_argument_group("fresh play, instead of sources")
    play.add_argument("--play", nargs="+", metavar="GAME", default=[], help="play these games, or `all` to train on")
    play.add_argument("--player", default="scripted", help="scripted, scripted:breaker, hf:DIR, or a served model")
    play.add_argument("--base-url", metavar="URL", help="where the model is served, such as http://127.0.0.1:8000/v1")
    play.add_argument("--partner", default="self", help="who takes the other seats: self (default), or as --player")
    play.add_argument("--partner-base-url", metavar="URL", help="default: --base-url")
    play.add_argument("--chat-template", metavar="T", help="for hf:DIR: minimal, or a .jinja file (default: its own)")
    play.add_argument("--error-rate", type=float, default=0.0, metavar="P", help="share of turns a script errs in")
    play.add_argument(
        "--error", default="slip", choices=("slip", "breaker"), help="slip: a wrong reply in the right form (default)"
    )
    play.add_argument("--instances", default="train", help="a split, FILE.jsonl, or a folder (default: %(default)s)")
    play.add_argument("--limit", type=int, metavar="N", help="only the first N instances of each game")
    play.add_argument("--repeats", type=int, default=1, metavar="N", help="episodes of each instance (default: 1)")
    play.add_argument("--temperature", type=float, default=1.0, help="of models (default: %(default)s)")
    play.add_argument("--max-tokens", type=int, default=300, help="of one reply (default: %(default)s)")
    play.add_argument("--batch", type=int, default=256, help="episodes side by side (default: %(default)s)")

    keep = parser.add_argument_group("which dialogues")
    keep.add_argument("--seats", nargs="+", metavar="ROLE", default=[], help="`learner`, or roles (default: all)")
    keep.add_argument("--outcomes", nargs="+", metavar="KIND", default=[], help="success, lose, aborted (default: all)")
    keep.add_argument("--min-score", type=float, metavar="S", help="least score in [0, 1]; 1 for perfect ones only")
    keep.add_argument("--top", type=int, metavar="K", help="of each instance and seat only the K best players")
    keep.add_argument("--ranking", nargs="+", metavar="PLAYER", default=[], help="best first (default: by clemscore)")
    keep.add_argument("--balance", metavar="N", help="at most N dialogues per game; `min`: as the smallest game has")

    pairs = parser.add_argument_group("pairs")
    pairs.add_argument("--no-aborted", action="store_true", help="aborted episodes are no negatives")
    pairs.add_argument("--negatives", type=int, metavar="N", help="for each positive (default: all)")
    pairs.add_argument(
        "--cap",
        action="append",
        default=[],
        metavar="[GAME=]N",
        help="pairs per game (default: the paper's, 10000; 1000 for wordle and wordle_withclue); may be repeated",
    )
    pairs.add_argument("--cap-first-turns", action="store_true", help="caps count pairs of first turns only, as paper")
    pairs.add_argument(
        "--branch", type=int, metavar="K", help="fresh play: answer a turn of each seat K more times, pair best, worst"
    )
    pairs.add_argument("--branch-budget", type=int, metavar="N", help="copies of episodes in all")
    pairs.add_argument("--continuations", type=int, default=1, metavar="N", help="plays after each reply (default: 1)")

    worth = parser.add_argument_group("rewards")
    worth.add_argument("--value", default="score", help="score (default), success, none: what an episode is worth")
    worth.add_argument("--abort", type=float, default=0.0, help="reward of an abort (default: 0)")
    worth.add_argument("--credit", type=float, default=0.0, help="weight of the games' per-turn rewards (default: 0)")


def _add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("game", metavar="GAME", help="a game that has behaviour policies")
    parser.add_argument("--policy", metavar="NAME", help="mix: as the data of the game's paper; its README has others")
    parser.add_argument("-n", "--episodes", type=int, metavar="N", help="how many episodes")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=".jsonl or .parquet")
    parser.add_argument("--seed", default="0", help="any text (default: %(default)s)")
    parser.add_argument("--split", default="train", help="of which instances are generated (default: %(default)s)")
    parser.add_argument(
        "--instances", metavar="SET", help="instead: a split for the shipped ones, FILE.jsonl, or a folder"
    )
    parser.add_argument("--experiments", nargs="+", metavar="NAME", default=[], help="only these (default: all)")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted making of this file")
    parser.add_argument("--allow-heldout", action="store_true", help="also a game that is held out from training")
    parser.add_argument("--allow-validation", action="store_true", help="also instances of the validation split")
    parser.add_argument("--json", action="store_true", help="print the manifest instead of a table")


def run(args: argparse.Namespace) -> int:
    """Does one of the actions."""
    return {"make": _make, "policy": _policy, "check": _check, "show": _show}[args.action](args)


def _policy(args: argparse.Namespace) -> int:
    from playpen_eval.errors import UserError, unknown
    from playpen_eval.registry import load_game, scan
    from playpen_eval.train.data.behaviour import Behaviour, make_from_policy
    from playpen_eval.train.data.options import policy

    if args.game not in scan().games and not any(folder.name == args.game for folder in scan().broken):
        raise unknown("action or game", args.game, {*ACTIONS, *scan().games})
    game = load_game(args.game)
    if args.stray:
        raise UserError(f"unknown arguments {' '.join(args.stray)!r}; see playpen-eval data policy --help")
    if args.policy is None:
        raise UserError(f"--policy NAME is missing; {game.name} has {', '.join(game.policies) or 'none'}")
    if args.episodes is None or args.output is None:
        raise UserError("-n N and -o FILE are needed: how many episodes, and where to write them")
    behaviour = Behaviour(
        game, args.policy, args.episodes, args.split, args.instances, tuple(args.experiments), args.seed
    )
    with _progress("episodes") as tell:
        manifest = make_from_policy(args.output, behaviour, policy(args), resume=args.resume, progress=tell)
    if args.json:
        print(json.dumps(manifest, indent=1, allow_nan=False))
        return 0
    _print_counts(manifest, f"{args.output}: {manifest['records']} records")
    figures = manifest["figures"]
    print(
        f"return {figures['mean_return']:.3f} (sd {figures['sd_return']:.2f}), "
        f"success {figures['success_rate']:.1%}, {figures['mean_turns']:.2f} turns"
    )
    return 0


def _make(args: argparse.Namespace) -> int:
    from playpen_eval.errors import UserError
    from playpen_eval.train.data import options

    if bool(args.sources) == bool(args.play):
        raise UserError("name sources, or games to --play")
    recipe, policy = options.recipe(args), options.policy(args)
    if args.sources:
        from playpen_eval.train.data.make import make_from_sources

        request = options.request(args, policy)
        with _progress("dialogues") as tell:
            manifest = make_from_sources(args.output, args.sources, request, recipe, lambda: tell(1))
    else:
        from playpen_eval.train.data.make import make_from_play

        play = options.fresh_play(args, policy)
        with _progress("episodes") as tell:
            manifest = make_from_play(args.output, play, policy, recipe, options.branching(args, recipe), tell)
    if args.json:
        print(json.dumps(manifest, indent=1, allow_nan=False))
    else:
        _print_counts(manifest, f"{args.output}: {manifest['records']} records")
        _print_left_out(manifest)
    return 0


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """A bar on stderr; it is told steps, or once the number of all as a negative number."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def tell(steps: int) -> None:
            progress.update(task, total=-steps) if steps < 0 else progress.advance(task, steps)

        yield tell


def _print_counts(counted: dict[str, Any], title: str) -> None:
    from playpen_eval.grid import Grid, show

    ends = ["success", "lose", "aborted"]
    if any("unfinished" in game["kinds"] for game in counted["games"].values()):
        ends.append("unfinished")
    columns = ("records", "episodes", "instances", "learned turns", *ends)
    table = Grid(["game", *(f">{column}" for column in columns)], title=title)
    for name, game in counted["games"].items():
        kinds = [str(game["kinds"].get(kind, 0)) for kind in ends]
        counts = [str(game[key]) for key in ("records", "episodes", "instances", "learned_turns")]
        table.rows.append([name, *counts, *kinds])
    show(table)


def _print_left_out(manifest: dict[str, Any]) -> None:
    import sys

    for name in ("left_out", "failed"):
        for reason, count in manifest.get(name, {}).items():
            print(f"{'left out' if name == 'left_out' else 'failed'}: {count} episodes ({reason})", file=sys.stderr)
    for problem in manifest.get("problems", []):
        print(problem, file=sys.stderr)
    if manifest["not_for_evaluation"]:
        print(f"do not evaluate on: {', '.join(manifest['not_for_evaluation'])}", file=sys.stderr)


def _check(args: argparse.Namespace) -> int:
    from playpen_eval.train.data.leaks import by_game, compare

    found = compare(args.data, args.other)
    if args.json:
        counts = {name: getattr(found, name) for name in ("first", "second", "blind", "missing")}
        print(json.dumps(counts | {"leaks": [leak._asdict() for leak in found.leaks]}, indent=1))
        return 1 if found.leaks else 0
    print(f"{args.data}: {found.first} instances; {args.other}: {found.second}; shared: {len(found.leaks)}")
    for game, kinds in by_game(found.leaks).items():
        print(f"  {game}: " + ", ".join(f"{count} by {kind}" for kind, count in kinds.items() if count))
    for leak in found.leaks[:10]:
        print(f"    {leak.kind}: {leak.id}" + (f" = {leak.other}" if leak.id != leak.other else ""))
    if len(found.leaks) > 10:
        print(f"    and {len(found.leaks) - 10} more (--json has all)")
    for game, why in found.missing.items():
        print(f"  {game}: not compared ({why})")
    if found.blind:
        print(f"of {found.blind} instances only the id is known; the same content under another id is not found")
    return 1 if found.leaks else 0


def _show(args: argparse.Namespace) -> int:
    from playpen_eval.errors import UserError
    from playpen_eval.train.data.files import read_records
    from playpen_eval.train.data.manifest import Tally, read_manifest, sha256_of

    tally, examples = Tally(), []
    for number, record in enumerate(read_records(args.data), 1):
        try:
            tally.add(record)
        except (KeyError, TypeError) as error:
            raise UserError(f"{args.data}: record {number} is not of a data set ({error!r})") from None
        if len(examples) < args.examples:
            examples.append(record)
    manifest = read_manifest(args.data)
    changed = manifest is not None and manifest.get("sha256") != sha256_of(args.data)
    found = {"data": str(args.data), "records": tally.records, "games": tally.games(), "splits": tally.splits()}
    if args.json:
        print(json.dumps({**found, "changed": changed, "manifest": manifest, "examples": examples}, indent=1))
        return 0
    _print_counts(found, f"{args.data}: {tally.records} records of {', '.join(tally.splits())}")
    for example in examples:
        print(json.dumps(example, indent=1, ensure_ascii=True))
    if manifest is None:
        print("there is no manifest")
    elif changed:
        print("the file is not the one that its manifest describes")
    return 0
