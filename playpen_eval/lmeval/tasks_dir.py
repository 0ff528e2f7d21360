"""Writes the folder for lm-evaluation-harness's `--include_path`: one task per game, one per role, and the groups.

The harness finds tasks as files only. They are generated, so that a new game needs no edit anywhere, into a cache
folder that is named by its content: an unchanged set of games keeps its path, and another set never overwrites it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.game import Game
from playpen_eval.instances import digest
from playpen_eval.lmeval.skill_tasks import skill_files
from playpen_eval.registry import AXES, axis_games, named_folders, scan
from playpen_eval.skills.data import data_folder

TEMPLATE = "_game_template_yaml"
PARTNER = "scripted"
"""Who takes the other roles in the tasks of a single role."""

AGGREGATED = ("played", "quality", "success")
"""Metrics that a group averages over its games, each game counting the same."""

log = logging.getLogger("lm_eval.playpen")


def write_tasks_dir(games: Mapping[str, Game] | None = None, skip: frozenset[str] = frozenset()) -> Path:
    """Writes the task files; safe to call from several processes at once.

    Args:
        games: The games; all that can be found if not given. Folders that cannot be loaded are logged and left out.
        skip: Reference benchmarks that their groups leave out.

    Returns:
        The folder, in the user's cache.

    Raises:
        UserError: The cache cannot be written.
    """
    if games is None:
        found = scan()
        games = found.games
        for folder, why in found.broken.items():
            log.warning("no tasks for the game in %s: %s", folder, why)
    files = dict(_static_files())
    for game in games.values():
        files.update(_task_files(game))
    for axis in AXES:
        if members := axis_games(axis, games):
            files[f"playpen_{axis}.yaml"] = _group(f"playpen_{axis}", members)
    if importlib.util.find_spec("lm_eval"):  # the reference benchmarks are made from its own task files
        files.update((name, _yaml(content)) for name, content in skill_files(skip))
    folder = cache_home() / "playpen-eval" / "tasks" / digest(files)[:16]
    try:
        for name, text in files.items():
            _write(folder / name, text)
    except OSError as error:
        raise UserError(
            f"cannot write task files: {error}; set XDG_CACHE_HOME to a folder that can be written"
        ) from None
    return folder


def cache_home() -> Path:
    """The user's cache folder; a relative XDG_CACHE_HOME is ignored, as its specification asks."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".cache"


def _static_files() -> Iterator[tuple[str, str]]:
    for parent in importlib.import_module("playpen_eval.tasks").__path__:
        root = Path(parent) / "lmeval"
        for path in sorted(root.rglob("*")):
            if path.is_file() and (path.suffix in (".yaml", ".py") or path.name.endswith("_yaml")):
                yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def _task_files(game: Game) -> Iterator[tuple[str, str]]:
    name = f"playpen_{game.name}"
    yield f"{name}.yaml", _task(game, name)
    if len(game.roles) > 1:
        for role in game.roles:
            yield f"{name}_{role}.yaml", _task(game, f"{name}_{role}", role)


def _task(game: Game, name: str, role: str | None = None) -> str:
    what = {"playpen_game": game.name}
    metadata: dict[str, Any] = {"version": game.version}
    if role:
        what["playpen_role"] = role
        metadata["partner"] = PARTNER
    if not game.sizes and (data := data_folder()):
        what["playpen_data"] = str(data)
    if folder := _outside_folder(game):
        what["playpen_games_dir"] = folder
    return _yaml({"include": TEMPLATE, "task": name, "dataset_kwargs": what, "metadata": metadata})


def _outside_folder(game: Game) -> str | None:
    module = sys.modules[type(game).__module__]
    folder = Path(module.__file__ or "").resolve().parent.parent
    return str(folder) if folder in named_folders() else None


def _group(name: str, games: Mapping[str, Game]) -> str:
    # Scores of a group compare only between the same games in the same versions.
    version = digest({game.name: game.version for game in games.values()})[:8]
    return _yaml(
        {
            "group": name,
            "task": [f"playpen_{game}" for game in games],
            "aggregate_metric_list": [{"metric": metric, "weight_by_size": False} for metric in AGGREGATED],
            "metadata": {"version": version},
        }
    )


def _yaml(data: Mapping[str, Any]) -> str:
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in data.items())  # JSON is YAML


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_bytes() == text.encode():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under a name that the harness does not read, then in one step: nobody ever sees half a file.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    with open(handle, "wb") as file:
        file.write(text.encode())
    os.replace(temporary, path)
