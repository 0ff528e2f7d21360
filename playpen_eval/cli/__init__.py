"""The command line. Each command is a module of its own with SUMMARY, add_arguments() and run()."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from playpen_eval.errors import UserError

COMMANDS = (
    "list",
    "play",
    "run",
    "generate",
    "check",
    "replay",
    "tasks-dir",
    "lm-eval",
    "skills",
    "report",
    "compare",
    "data",
    "nano",
    "train",
    "loop",
)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from playpen_eval import __version__

        print(f"playpen-eval {__version__}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="playpen-eval", description="Dialogue games as multi-turn tasks for Inspect AI and lm-evaluation-harness."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    parser.add_argument(
        "--games-dir",
        action="append",
        metavar="DIR",
        default=[],
        help="also find games in this folder (one folder with a game.py per game); may be repeated",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"playpen_eval.cli.{name.replace('-', '_')}")
        command = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit status: 0 for success, 1 if the command found something wrong, 2 for bad input, 130 after Ctrl-C.
    """
    args = _parser().parse_args(argv)
    if args.games_dir:
        from playpen_eval.registry import ENV

        # The environment carries the folders on to the harnesses and their worker processes.
        os.environ[ENV] = os.pathsep.join([*args.games_dir, *filter(None, [os.environ.get(ENV)])])
    try:
        status = args.run(args)
        sys.stdout.flush()  # here, where a reader that went away can still be handled
        return status
    except UserError as error:
        print(f"playpen-eval {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"playpen-eval {args.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output (head, less) went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
