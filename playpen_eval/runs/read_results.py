"""Files of stored results, as `playpen-eval report --json` writes them; results/README.md explains the fields."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.runs.collect import Collector, label_of
from playpen_eval.runs.records import (
    EXAMPLES,
    PROBLEMS,
    UNREADABLE,
    InstanceSource,
    Locator,
    Problem,
    Run,
    RunMeta,
)
from playpen_eval.skills.catalogue import benchmark_of_task

FORMAT = "results"
FAMILY, VERSION = "playpen-eval/results/", 1
SCHEMA = f"{FAMILY}{VERSION}"
OUTCOMES = {"W": ("success", False), "L": ("lose", False), "A": ("aborted", False), "P": ("aborted", True)}
"""Letter of an episode -> its kind, and whether a partner broke the protocol."""

_MARK = re.compile(rb'"schema"\s*:\s*"' + re.escape(FAMILY.encode()))
_EDGE = 2000


def is_stored(path: Path) -> bool:
    """Whether a file looks like stored results."""
    if path.suffix != ".json":
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_EDGE)
            # Tools that sort the members put the name of the schema last.
            file.seek(max(0, path.stat().st_size - _EDGE))
            return bool(_MARK.search(head) or _MARK.search(file.read()))
    except OSError:
        return False


def results_folder() -> Path:
    """The folder of the schema and of the published results, in a checkout or in the wheel."""
    [folder, *_] = importlib.import_module("playpen_eval.results").__path__
    return Path(folder)


def load_results_file(path: Path) -> list[dict[str, Any]]:
    """The entries of a file of results; rows of episodes and items are not looked into.

    Raises:
        UserError: It cannot be read, is of another version of the schema, or breaks its rules.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read, or is broken or truncated: {error}") from None
    name = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(name, str) or not name.startswith(FAMILY):
        raise UserError(f'{path} holds no results: it has no "schema": "{SCHEMA}"')
    if name != SCHEMA:
        raise UserError(f"{path} has the schema {name!r}; this version of playpen-eval reads {SCHEMA!r} only")
    schema = json.loads((results_folder() / "schema.json").read_text(encoding="utf-8"))
    # 100,000 rows take a minute to validate; whoever wants them checks each anyway.
    schema["$defs"] |= {"episode_rows": {"type": "array"}, "item_rows": {"type": "array"}}
    error = best_match(Draft202012Validator(schema).iter_errors(data))
    if error is not None:
        where = "/".join(map(str, error.absolute_path)) or "the file"
        raise UserError(f"{path} breaks the schema at {where}: {_short(error.message)}")
    return data["entries"]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"an object has {next(name for name in names if names.count(name) > 1)!r} twice")
    return members


def _short(message: str, most: int = 200) -> str:
    return message if len(message) <= most else f"{message[:most]}..."


def read_stored(path: Path) -> Run:
    """Reads the run of a stored report; its figures are computed anew.

    Raises:
        UserError: The file is broken, or it does not hold exactly one measured entry.
    """
    entries = load_results_file(path)
    measured = [entry for entry in entries if entry["kind"] == "measured"]
    if not measured:
        raise UserError(f"{path} holds published aggregates without episodes; put a run beside them: report --against")
    if len(entries) > 1:
        labels = ", ".join(entry["label"] for entry in entries)
        raise UserError(f"{path} holds several entries ({labels}); store one run in a file to read it as a run")
    [entry] = measured
    found = Collector()
    locator = Locator(FORMAT, str(path), "")
    for label, game in entry["games"].items():
        name, roles = game["game"], game["roles"]
        for experiment, part in game["experiments"].items():
            setup = {
                "version": game.get("version"),
                "experiment": experiment,
                "split": game["split"],
                "roles": None if roles is None else tuple(roles),
                "partner": game["partner"],
            }
            before = len(found.episodes)
            for number, row in enumerate(part["episodes"], 1):
                _read_episode(name, row, f"{path}: row {number} of {label}/{experiment}", locator, setup, found)
            expected = part["n"] + part["partner_aborted"]
            found.missing(f"{label}/{experiment}", expected, len(found.episodes) - before)
    for task, rows in entry["items"].items():
        _read_items(task, rows, path, found)
    run = found.run(_meta(path, entry))
    return Run(run.meta, run.episodes, run.items, _merged(entry["problems"], run.problems, path))


def _read_episode(
    game: str, row: Any, where: str, locator: Locator, setup: Mapping[str, Any], found: Collector
) -> None:
    try:
        instance, epoch, letter, score, turns = row
        kind, partner_fault = OUTCOMES[letter]
        if not isinstance(instance, str) or type(epoch) is not int or type(turns) not in (int, type(None)):
            raise ValueError(_short(repr(row)))
    except (ValueError, TypeError, KeyError) as error:
        return found.problem(UNREADABLE, f"{where}: {type(error).__name__}: {error}")
    return found.episode(game, instance, epoch, kind, score, locator, partner_fault=partner_fault, turns=turns, **setup)


def _read_items(task: str, rows: list[Any], path: Path, found: Collector) -> None:
    benchmark = benchmark_of_task().get(task)
    if benchmark is None:
        return found.problem(UNREADABLE, f"{path}: {task} is no task of a reference benchmark")
    for number, row in enumerate(rows, 1):
        try:
            item, epoch, value = row
            if not isinstance(item, str) or type(epoch) is not int:
                raise ValueError(_short(repr(row)))
        except (ValueError, TypeError) as error:
            found.problem(UNREADABLE, f"{path}: row {number} of {task}: {type(error).__name__}: {error}")
        else:
            found.item(benchmark.name, task, item, value, epoch)
    return None


def _meta(path: Path, entry: Mapping[str, Any]) -> RunMeta:
    told = {field.name: entry[field.name] for field in fields(RunMeta) if field.name in entry}
    instances = {game: InstanceSource(one["source"], one["sha256"]) for game, one in entry["instances"].items()}
    others = tuple(entry.get("other_tasks", ()))
    # The format stays that of the log: what was asked, and how, depends on it.
    return RunMeta(**told | {"label": label_of(path), "path": str(path), "instances": instances, "other_tasks": others})


def _merged(stored: list[dict[str, Any]], new: list[Problem], path: Path) -> list[Problem]:
    """The problems that the log had, and those of the stored report itself."""
    problems: dict[str, Problem] = {}
    for one in [*(Problem(row["kind"], row["count"], tuple(row["where"])) for row in stored), *new]:
        if one.kind not in PROBLEMS:
            raise UserError(f"{path} tells of a problem {_short(one.kind)!r}; known: {', '.join(PROBLEMS)}")
        before = problems.get(one.kind, Problem(one.kind, 0, ()))
        where = (*before.where, *one.where)[:EXAMPLES]
        problems[one.kind] = Problem(one.kind, before.count + one.count, where)
    return [problems[kind] for kind in PROBLEMS if kind in problems]
