"""`playpen-eval report`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playpen_eval.grid import Grid
    from playpen_eval.runs import Run

SUMMARY = "the figures of runs: logs of Inspect, output of lm-eval, clembench results, stored reports"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a log of Inspect or a folder of logs, output of lm_eval with samples, clembench results or a .tar.gz, "
        "a folder of `playpen-eval run`, or a file that `report --json` wrote",
    )
    parser.add_argument("--against", action="append", default=[], metavar="RESULTS", help="stored or published results")
    parser.add_argument("--gate", action="append", default=[], metavar="RULES", help="levels such as 'aborted <= 5%%'")
    add_choices(parser)
    add_outputs(parser, csv=True)


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Declares which episodes count."""
    parser.add_argument("--split", action="append", default=[], metavar="SPLIT", help="only episodes of this split")
    parser.add_argument("--game", action="append", default=[], metavar="GAME", help="only this game; may be repeated")


def add_outputs(parser: argparse.ArgumentParser, *, csv: bool = False) -> None:
    """Declares what is written beside the table in the terminal."""
    parser.add_argument("--json", metavar="FILE", help="write JSON (- for standard output, instead of tables)")
    parser.add_argument("--markdown", metavar="FILE", help="write Markdown")
    parser.add_argument("--html", metavar="FILE", help="write one page with plots and transcripts")
    parser.add_argument(
        "--transcripts", type=int, default=20, metavar="N", help="of each game in the page (default: %(default)s)"
    )
    if csv:
        parser.add_argument("--csv", metavar="FILE", help="write clembench's results.csv")
    parser.add_argument("--allow-problems", action="store_true", help="let a gate pass though a run has problems")
    parser.add_argument("--junit", metavar="FILE", help="write the verdicts of --gate as JUnit XML")


def run(args: argparse.Namespace) -> int:
    """Prints the tables and writes the files."""
    from playpen_eval.errors import UserError
    from playpen_eval.report import report_grids, summarise_run
    from playpen_eval.report.against import against_grid, load_results
    from playpen_eval.report.clembench_csv import results_csv
    from playpen_eval.report.stored import results_text, to_results

    check_outputs(args)
    if args.gate and len(args.runs) > 1:
        raise UserError(f"a gate of levels decides about one run, not {len(args.runs)}")
    stored = {name: load_results(name) for name in args.against}
    summaries = [summarise_run(one) for one in read_runs(args.runs, args.split, args.game)]
    grids = [grid for summary in summaries for grid in report_grids(summary)]
    grids += [against_grid(summary, entries) for entries in stored.values() for summary in summaries]
    result = None
    if args.gate:
        from playpen_eval.compare.gate import check_levels

        [summary] = summaries
        result = check_levels(summary, args.gate, allow_problems=args.allow_problems)

    def page() -> str:
        from playpen_eval.report.html import report_html

        return report_html(summaries, args.transcripts)

    write_outputs(args, grids, lambda: results_text(to_results(summaries)), page, result)
    if args.csv:
        write_text(args.csv, results_csv(summaries))
    return result.exit_code if result else 0


def check_outputs(args: argparse.Namespace) -> None:
    """Refuses what would only fail after the work is done.

    Raises:
        UserError: A folder to write to does not exist, or arguments do not fit together.
    """
    from playpen_eval.errors import UserError

    for name in ("json", "markdown", "html", "csv", "junit"):
        path = getattr(args, name, None)
        if path and path != "-" and not Path(path).resolve().parent.is_dir():
            raise UserError(f"--{name} {path}: the folder {Path(path).parent} does not exist")
        if path and path != "-" and Path(path).is_dir():
            raise UserError(f"--{name} {path} is a folder; name a file")
    if args.transcripts < 0:
        raise UserError(f"--transcripts must be 0 or more, not {args.transcripts}")
    if args.junit and not args.gate:
        raise UserError("--junit writes the verdicts of --gate; name rules")


def read_runs(paths: Sequence[str], splits: Sequence[str], games: Sequence[str]) -> list[Run]:
    """Reads runs, showing which one takes its time."""
    from rich.console import Console

    from playpen_eval.report.summary import select
    from playpen_eval.runs import read_run

    found = []
    for path in paths:
        with Console(stderr=True).status(f"reading {path}"):
            found.append(select(read_run(path), splits=splits, games=games))
    return found


def write_outputs(
    args: argparse.Namespace, grids: Sequence[Grid], data: Callable[[], str], page: Callable[[], str], gate: Any
) -> None:
    """Writes what was asked for, and prints the tables unless JSON goes to standard output.

    Args:
        args: The arguments.
        grids: The tables.
        data: Makes the JSON.
        page: Makes the HTML.
        gate: Verdicts, if there are rules.
    """
    from playpen_eval.grid import show

    if args.json:
        write_text(args.json, data())
    if args.markdown:
        parts = [gate.markdown()] if gate else []
        write_text(args.markdown, "\n".join([*parts, *(grid.markdown() for grid in grids)]))
    if args.html:
        write_text(args.html, page())
    if args.junit:
        write_text(args.junit, gate.junit())
    if args.json != "-":
        show(*grids)
        if gate:
            print("\n".join(["", *(f"{rule.verdict}: {rule.text}: {rule.reason}" for rule in gate.rules)]))


def write_text(path: str, text: str) -> None:
    """Writes a file, or to standard output for `-`.

    Raises:
        UserError: The file cannot be written.
    """
    from playpen_eval.errors import UserError

    if path == "-":
        sys.stdout.write(text)
        return
    try:
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error}") from None
