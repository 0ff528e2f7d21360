"""Reads instances from a clembench checkout, in its own layout."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance

RULES = ("2.0", "3.0")
"""clembench versions whose rules our games know: the code of mid-2025 and that of April 2026."""


def rules_name(version: str) -> str:
    """The value of an instance's `rules` field for a clembench version such as "2.0"."""
    if version not in RULES:
        raise UserError(f"clembench version {version!r} is not supported; known: {', '.join(RULES)}")
    return f"clembench-{version}"


def parse_source(source: str) -> tuple[Path, str | None]:
    """Splits `clembench:DIR[@vX.Y]` into the folder and the version, None for the newest."""
    path = source.removeprefix("clembench:")
    version = re.search(r"@v?(\d+(?:\.\d+)*)$", path)
    if version:
        path = path[: version.start()]
    return Path(path).expanduser(), version[1] if version else None


def read_json(path: Path) -> Any:
    """Reads a JSON file; a missing or broken one is a `UserError` that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from None


def game_specs(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """All game specifications of a checkout, with the folder of each."""
    for path in sorted(root.glob("*/clemgame.json")) + sorted(root.glob("*/*/clemgame.json")):
        specs = read_json(path)
        for spec in specs if isinstance(specs, list) else [specs]:
            if isinstance(spec, dict):
                yield path.parent, spec


def _as_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _version(stem: str) -> str:
    """The version in a file name: instances_v2.0_en and instances_v2 are both of 2.0."""
    version = stem.rpartition("_v")[2].removesuffix("_en")
    return version if "." in version else f"{version}.0"


def game_folder(root: Path, game: str) -> tuple[Path, dict[str, Any]]:
    """The folder of a game in a checkout, and its specification.

    Args:
        root: The checkout.
        game: clembench's game name.

    Raises:
        UserError: No such checkout or game.
    """
    if not root.is_dir():
        raise UserError(f"clembench folder {str(root)!r} does not exist")
    for folder, spec in game_specs(root):
        if spec.get("game_name") == game:
            return folder, spec
    raise UserError(f"no game {game!r} in the clembench folder {str(root)!r}")


def instance_file(root: Path, game: str, version: str | None) -> tuple[Path, str]:
    """The instance file of a game and its version.

    Args:
        root: The checkout.
        game: clembench's game name.
        version: Such as "2.0"; None for the newest.

    Raises:
        UserError: No such folder, game or version.
    """
    folder, spec = game_folder(root, game)
    stem = spec.get("instances", "instances")
    files = {_version(path.stem): path for path in (folder / "in").glob(f"{stem}_v*.json")}
    plain = folder / "in" / f"{stem}.json"
    if plain.is_file() and spec.get("benchmark"):
        numbered = [tag for tag in spec["benchmark"] if tag[:1].isdigit()]  # "static_1.0" names a set, no version
        files.setdefault(max(numbered, key=_as_number, default=RULES[-1]), plain)
    if not files:
        raise UserError(f"no instance files of {game!r} in {folder / 'in'}")
    chosen = version or max(files, key=_as_number)
    if chosen not in files:
        raise UserError(f"{folder / 'in'} has no version {chosen!r} of {game!r}; it has {', '.join(sorted(files))}")
    return files[chosen], chosen


def load_checkout(game: Game, source: str) -> tuple[str, list[Instance]]:
    """Loads all instances of one game, in clembench's order.

    Returns:
        The name of the set (`clembench-2.0`) and its instances, which play by clembench's rules.
    """
    root, version = parse_source(source)
    path, version = instance_file(root, game.upstream_name, version)
    data = read_json(path)
    try:
        rows = [
            translate(game, {**experiment, "folder": str(path.parent.parent)}, instance, version)
            for experiment in data["experiments"]
            for instance in experiment["game_instances"]
        ]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} is no instance file of {game.name!r} that is understood: {error!r}") from None
    return rules_name(version), rows


def instance_id(game: str, rules: str, experiment: str, game_id: Any) -> str:
    """Our id of one of clembench's instances."""
    return f"{game}/{rules}/{experiment}/{game_id}"


def translate(game: Game, experiment: dict[str, Any], instance: dict[str, Any], version: str) -> Instance:
    """One of clembench's instances as ours, with the id `GAME/clembench-2.0/EXPERIMENT/GAME_ID`."""
    rules = rules_name(version)
    name = experiment["name"]
    translated = game.from_clembench(
        {key: value for key, value in experiment.items() if key != "game_instances"}, instance, version
    )
    return {
        "id": instance_id(game.name, rules, name, instance["game_id"]),
        "experiment": name,
        "split": rules,
        "rules": rules,
        **translated,
    }


@functools.lru_cache(maxsize=256)
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A response pattern of clembench's data, compiled once."""
    return re.compile(pattern, flags)


def checked_pattern(pattern: Any, name: str, groups: Iterable[str] = ()) -> str:
    """A response pattern of an instance, if replies can be read with it.

    Args:
        pattern: The value in the data.
        name: Its name there.
        groups: Named groups that it must have.

    Raises:
        UserError: It is missing (as in the oldest versions), no regular expression, or lacks a group.
    """
    try:
        missing = set(groups) - compiled(pattern).groupindex.keys()
        problem = f"it has no group {', '.join(sorted(missing))}" if missing else ""
    except (TypeError, re.error) as error:
        problem = str(error)
    if problem:
        raise UserError(f"{name} {pattern!r} cannot be used: {problem}; instances before version 1.5 are not played")
    return pattern
