"""`playpen-eval compare`."""

from __future__ import annotations

import argparse
import json

from playpen_eval.cli.report import add_choices, add_outputs, check_outputs, read_runs, write_outputs

SUMMARY = "what changed between runs, paired by instance, and whether to ship: intervals, tests, a gate for CI"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="BEFORE and AFTER, or more; see `playpen-eval report`")
    parser.add_argument(
        "--gate",
        action="append",
        default=[],
        metavar="RULES",
        help="rules such as 'unseen_games >= -2; aborted <= 5%%', or a file of them; exit status 0 pass, "
        "1 regression, 2 not enough evidence or unusable input",
    )
    parser.add_argument(
        "--allow", default="", metavar="WHAT", help="go on though these differ: instances,precision,settings"
    )
    parser.add_argument(
        "--most", type=int, default=10, metavar="N", help="list the N most changed episodes (default: 10)"
    )
    add_choices(parser)
    add_outputs(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the tables, writes the files, and decides."""
    from playpen_eval.compare import Comparison, compare, compare_several
    from playpen_eval.compare.tables import comparison_grids, several_grids, several_to_dict, to_dict
    from playpen_eval.errors import UserError

    if len(args.runs) < 2:
        raise UserError(f"only {args.runs[0]} to compare; name BEFORE and AFTER")
    if args.gate and len(args.runs) > 2:
        raise UserError(f"a gate decides between two runs, not {len(args.runs)}")
    check_outputs(args)
    runs = read_runs(args.runs, args.split, args.game)
    allow = [name for name in args.allow.split(",") if name]
    result = None
    if len(runs) == 2:
        found = compare(*runs, allow=allow)
        grids = comparison_grids(found, args.most)
        if args.gate:
            from playpen_eval.compare.gate import gate

            result = gate(found, args.gate, allow_problems=args.allow_problems)
    else:
        found = compare_several(runs, allow=allow)
        grids = several_grids(found)

    def data() -> str:
        whole = to_dict(found) if isinstance(found, Comparison) else several_to_dict(found)
        return json.dumps(whole | ({"gate": result.to_dict()} if result else {}), allow_nan=False) + "\n"

    def page() -> str:
        from playpen_eval.report.html import comparison_html

        return comparison_html(found, args.transcripts, result)

    write_outputs(args, grids, data, page, result)
    return result.exit_code if result else 0
