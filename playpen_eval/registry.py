"""Finds games by path: one folder with a game.py is one game (or a family of games that share their rules).

Folders are looked for in the package itself, in the folders of the environment variable PLAYPEN_GAMES_DIR
(`--games-dir` sets it), and in packages named by entry points of the group `playpen_eval.games`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from playpen_eval.errors import UserError, unknown
from playpen_eval.game import Game

ENV = "PLAYPEN_GAMES_DIR"

AXES = {
    "unseen_instances": ("playpen", False),
    "unseen_games": ("playpen", True),
    "statscore": ("static", True),
    "practice_instances": ("practice", False),
    "practice_games": ("practice", True),
    "practice_skills": ("practice_skills", False),
    "lmrl": ("lmrl", False),
}
"""What there is a clemscore over: a suite, and whether its held-out games are meant. The first two are questions asked
of every checkpoint; the third is clembench's figure for reference tests; the last three ask the three questions of
models that are trained on a laptop."""


@dataclass
class Found:
    """What a scan of the game folders brought.

    Attributes:
        games: Name -> game.
        broken: Folder -> why it could not be loaded.
    """

    games: dict[str, Game] = field(default_factory=dict)
    broken: dict[Path, str] = field(default_factory=dict)


def _builtin() -> list[tuple[str, Path]]:
    package = importlib.import_module("playpen_eval.games")
    return [(package.__name__, Path(path)) for path in package.__path__]


def named_folders() -> list[Path]:
    """The folders that the environment variable names."""
    return [Path(part).expanduser().resolve() for part in os.environ.get(ENV, "").split(os.pathsep) if part]


def _outside(found: Found) -> list[tuple[str, Path]]:
    """Folders of games that are not ours, each under a package name of its own so that relative imports work."""
    paths = named_folders()
    for path in paths:
        if not path.is_dir():
            raise UserError(f"games folder {str(path)!r} does not exist (from --games-dir or {ENV})")
    for point in entry_points(group="playpen_eval.games"):
        try:
            paths += [Path(part) for part in importlib.import_module(point.value).__path__]
        except Exception as error:  # whatever a plugin raises must not take the other games down
            found.broken[Path(point.value)] = f"entry point {point.name}: {type(error).__name__}: {error}"
    packages = []
    for path in dict.fromkeys(paths):
        name = "playpen_eval_games_" + hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [str(path)]
            sys.modules[name] = package
        packages.append((name, path))
    return packages


def _games_in(module: types.ModuleType) -> list[type[Game]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Game)
        and value.__module__ == module.__name__
        and "name" in value.__dict__
    ]


@functools.lru_cache(maxsize=8)
def _scan(_env: str) -> Found:
    found = Found()
    for package, directory in _builtin() + _outside(found):
        for path in sorted(directory.glob("*/game.py")):
            folder = path.parent
            try:
                classes = _games_in(importlib.import_module(f"{package}.{folder.name}.game"))
                if not classes:
                    raise UserError("its game.py defines no subclass of Game with a name")
                for game in classes:
                    if not getattr(game, "roles", ()):
                        raise UserError(f"the game {game.name!r} has no roles")
                    if game.name in found.games:
                        raise UserError(f"another folder already defines a game called {game.name!r}")
                    found.games[game.name] = game()
            except (Exception, SystemExit) as error:  # as above
                found.broken[folder] = f"{type(error).__name__}: {error}"
    return found


def scan() -> Found:
    """All games that can be found now, and the folders that could not be loaded."""
    return _scan(os.environ.get(ENV, ""))


def axis_games(axis: str, games: Mapping[str, Game] | None = None) -> dict[str, Game]:
    """The games of one axis.

    Args:
        axis: One of `AXES`.
        games: Where to choose from; all that can be found if not given.
    """
    found = scan().games if games is None else games
    return {name: game for name, game in found.items() if (game.suite, game.held_out) == AXES[axis]}


def load_game(name: str) -> Game:
    """One game by name.

    Raises:
        UserError: No such game, or its folder is broken.
    """
    found = scan()
    if name in found.games:
        return found.games[name]
    for folder, why in found.broken.items():
        if name == folder.name:
            raise UserError(f"game {name!r} cannot be loaded from {folder}: {why}")
    raise unknown("game", name, found.games)


def load_games(*names: str) -> dict[str, Game]:
    """Several games by name, or every game.

    Args:
        *names: The games; none for all.

    Raises:
        UserError: An unknown name; or a folder is broken, whose games would be missing without a word among all.
    """
    if names:
        return {name: load_game(name) for name in names}
    found = scan()
    if found.broken:
        lines = [f"\n  {folder}: {why}" for folder, why in found.broken.items()]
        raise UserError("some game folders cannot be loaded:" + "".join(lines))
    return dict(found.games)


def shipped_games() -> dict[str, Game]:
    """Every game whose instances are shipped; the others need data that a user has to fetch.

    Raises:
        UserError: As for `load_games`.
    """
    return {name: game for name, game in load_games().items() if game.sizes}
