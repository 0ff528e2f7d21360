"""`playpen-eval lm-eval`."""
# The folder train/ is mapped into the package (see playpen_eval/__init__.py), which type checkers cannot follow.
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError

SUMMARY = "run lm-evaluation-harness with our tasks; takes its arguments, and --data, --skip-missing, --mini, --percent"

COMMANDS = ("run", "ls", "validate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments: all that follow are the harness's own."""
    # Else argparse takes options for its own until it has seen the first word, and --help always.
    parser.prefix_chars = "\0"
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="arguments of lm_eval")


def run(args: argparse.Namespace) -> int:
    """Hands over to the harness's command line."""
    from playpen_eval.errors import require

    require("lm_eval", "lm-eval")
    from lm_eval.__main__ import cli_evaluate

    from playpen_eval.lmeval.prepare import prepare

    own, rest = own_arguments(args.rest)
    prepared = prepare(own.data, own.skip_missing, own.tasks)
    before = sys.argv
    if _loads_a_folder(rest) and find_spec("torch") and find_spec("transformers"):
        from playpen_eval.train.value_model import register

        register()
    with arguments([*rest, *_samples(own, prepared.missing)], prepared.folder) as argv:
        sys.argv = ["lm_eval", *argv]
        try:
            cli_evaluate()
        finally:
            sys.argv = before
    return 0


def _loads_a_folder(rest: Sequence[str]) -> bool:
    """Whether a model may be one of ours; torch takes seconds to import, and servers of models need none."""
    return any("pretrained" in word or word in ("--config", "-C") or word.startswith("--config=") for word in rest)


def own_arguments(rest: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Takes our options out of the harness's arguments, and looks up which tasks will run."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data")
    parser.add_argument("--skip-missing", action="store_true")
    parser.add_argument("--mini", action="store_true")
    parser.add_argument("--percent", type=float)
    own, rest = parser.parse_known_args(list(rest))
    look = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    look.add_argument("--tasks", "-t", nargs="*", default=[])
    look.add_argument("--config", "-C")
    look.add_argument("--limit", "-L")
    given = look.parse_known_args(rest)[0]
    listed = given.tasks or (_read_config(given.config).get("tasks") if given.config else None) or []
    own.tasks = [
        name for names in ([listed] if isinstance(listed, str) else listed) for name in names.split(",") if name
    ]
    if own.mini:
        from playpen_eval.lmeval.skill_tasks import MINI

        if own.tasks:
            raise UserError(f"--mini stands for --tasks; leave out {', '.join(own.tasks)}")
        own.tasks = [MINI]
        rest = [*(rest or ["run"]), "--tasks", MINI]
    if own.percent is not None and given.limit is not None:
        raise UserError("--percent and --limit exclude each other")
    return own, rest


def _samples(own: argparse.Namespace, missing: Collection[str]) -> list[str]:
    """The harness's option for a fixed subset of the benchmarks that will run."""
    if own.percent is None:
        return []
    from playpen_eval.lmeval.prepare import benchmarks_of
    from playpen_eval.skills.subsets import subset

    names = [name for name in benchmarks_of(own.tasks) if name not in missing]
    if not names:
        raise UserError("--percent is for reference benchmarks; --tasks names none (playpen_retained_skills, ...)")
    return ["--samples", json.dumps(subset(names, own.percent))]


@contextmanager
def arguments(rest: Sequence[str], folder: Path) -> Iterator[list[str]]:
    """The harness's arguments with our folder among its task folders.

    Args:
        rest: What the user gave.
        folder: Our task files.

    Raises:
        UserError: A second folder for a command that takes one.
    """
    command, rest = (rest[0], rest[1:]) if rest and rest[0] in COMMANDS else ("run", rest)
    if not rest or set(rest) & {"-h", "--help"}:
        yield [command, *(rest or ["--help"])]
        return
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--include_path")
    parser.add_argument("--config", "-C")
    given, others = parser.parse_known_args(list(rest))
    if command != "run" or not (given.include_path or given.config):
        if given.include_path:
            raise UserError(
                f"lm_eval {command} takes one --include_path and ours is {str(folder)!r}; "
                f"call lm_eval {command} itself for {given.include_path!r}"
            )
        yield [command, *rest, "--include_path", str(folder)]
        return
    # The option takes one folder; only a configuration file may list several.
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "config.yaml"
        path.write_text(_config(given.config, given.include_path, folder), encoding="utf-8")
        yield [command, "--config", str(path), *others]


def _read_config(path: str) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"cannot read --config {path}: {error}") from None
    if not isinstance(config, dict):
        raise UserError(f"--config {path} is no mapping of option names to values")
    return config


def _config(path: str | None, include: str | None, folder: Path) -> str:
    import yaml

    config = _read_config(path) if path else {}
    listed = include or config.get("include_path") or []
    return yaml.safe_dump({**config, "include_path": [str(folder), *([listed] if isinstance(listed, str) else listed)]})
