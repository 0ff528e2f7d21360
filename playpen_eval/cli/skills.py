"""`playpen-eval skills`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playpen_eval.skills.catalogue import Benchmark

SUMMARY = "retained skills: the reference benchmarks, their data, subsets of them, and the aggregate of results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parsers = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = parsers.add_parser("list", help="the benchmarks: capability, metric, chance, data, licence, cost")
    listing.add_argument("--json", action="store_true", help="print JSON")
    fetch = parsers.add_parser("fetch", help="copy data sets from the hub into a folder for --data")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="a benchmark, the id of a data set, or `all`")
    fetch.add_argument("--data", type=Path, required=True, metavar="DIR")
    check = parsers.add_parser("check", help="say which benchmarks can be measured on this machine; 1 if not all")
    check.add_argument("--data", type=Path, metavar="DIR", help="local copies (default: PLAYPEN_DATA, else the hub)")
    subset = parsers.add_parser("subset", help="print the ids of a fixed subset, for lm_eval --samples")
    subset.add_argument("names", nargs="*", metavar="BENCHMARK", help="default: all")
    subset.add_argument("--percent", type=float, default=10.0, help="share of every task (default: %(default)s)")
    subset.add_argument("--data", type=Path, metavar="DIR", help="local copies (default: PLAYPEN_DATA, else the hub)")
    subset.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the ids there, and show the cost")
    table = parsers.add_parser("table", help="the third axis from what lm_eval --output_path wrote")
    table.add_argument("results", type=Path, metavar="FILE_OR_DIR")
    table.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Does one of the actions."""
    if getattr(args, "data", None) and args.action != "fetch":
        from playpen_eval.skills.data import use_folder

        use_folder(args.data)
    return {"list": _list, "fetch": _fetch, "check": _check, "subset": _subset, "table": _table}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from playpen_eval.skills.catalogue import benchmarks

    if args.json:
        print(json.dumps([_row(benchmark) for benchmark in benchmarks().values()], indent=1))
        return 0
    from rich.table import Table

    from playpen_eval.grid import show

    table = Table(box=None, pad_edge=False)
    for heading in ("benchmark", "capability", "kind", "metric", "chance", "items", "tokens", "data set", "licence"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in ("chance", "items", "tokens") else "left")
    for benchmark in benchmarks().values():
        row = _row(benchmark)
        sets = [data["id"] for data in row["data"]] or ["our own"]
        licence = row["data"][0]["licence"] or "unchecked" if row["data"] else "MIT"
        name = benchmark.name + ("" if benchmark.paper else " *")
        numbers = (f"{100 * benchmark.chance:.0f}%", str(row["items"] or "?"), str(benchmark.max_tokens or "-"))
        table.add_row(
            name, benchmark.capability, benchmark.kind, benchmark.metric.partition(",")[0], *numbers, sets[0], licence
        )
        for more in sets[1:]:
            table.add_row("", "", "", "", "", "", "", more, licence)
    table.caption = (
        "tokens: the longest reply to one item; *: not among the paper's thirteen\n"
        "no data set is pinned to a revision; `unchecked`: see its page; --json has notes and sources"
    )
    show(table)
    return 0


def _row(benchmark: Benchmark) -> dict[str, Any]:
    from dataclasses import asdict

    fields = {key: value for key, value in asdict(benchmark).items() if key != "leaves"}
    return fields | {"tasks": list(benchmark.tasks), "data": [asdict(data) for data in benchmark.data]}


def _fetch(args: argparse.Namespace) -> int:
    from playpen_eval.errors import unknown
    from playpen_eval.skills.catalogue import benchmarks, data_sets
    from playpen_eval.skills.data import MissingDataError, fetch

    every, wanted = data_sets(), {}
    for name in args.names:
        if name == "all":
            wanted |= every
        elif name in benchmarks():
            wanted |= data_sets(name)
        elif name in every:
            wanted[name] = every[name]
        else:
            raise unknown("benchmark or data set", name, [*benchmarks(), *every, "all"])
    failed = 0
    for data in wanted.values():
        try:
            files = fetch(data, args.data)
        except MissingDataError as error:  # the others are still worth having
            failed += 1
            print(error)
        else:
            print(f"{data.id}: {len(files)} files in {args.data / data.id} (licence: {data.licence or 'see its page'})")
    return 1 if failed else 0


def _check(args: argparse.Namespace) -> int:
    from playpen_eval.lmeval.prepare import missing_data
    from playpen_eval.skills.catalogue import benchmarks

    missing = missing_data()
    for name in benchmarks():
        print(f"{name:24} {missing.get(name, 'ok')}")
    return 1 if missing else 0


def _subset(args: argparse.Namespace) -> int:
    from playpen_eval.skills.subsets import subset, widths

    found = subset(args.names, args.percent)
    text = json.dumps(found)
    if args.output is None:
        print(text)
        return 0
    try:
        args.output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        from playpen_eval.errors import UserError

        raise UserError(f"cannot write {args.output}: {error}") from None
    for name, (n, width) in widths(found).items():
        print(f"{name:24} {n:6} items, 95% interval of its score at most +-{width:.1f} points")
    return 0


def _table(args: argparse.Namespace) -> int:
    from playpen_eval.grid import show
    from playpen_eval.skills.aggregate import grid, read_results

    found = read_results(args.results)
    if args.json:
        print(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    else:
        show(grid(found))
    return 0
