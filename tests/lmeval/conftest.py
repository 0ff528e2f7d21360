"""Every test here has small games of its own, and a cache that holds nothing from before."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from playpen_eval.registry import ENV


@pytest.fixture(scope="session")
def games_dir(tmp_path_factory) -> Path:
    from support import RELAY

    folder = tmp_path_factory.mktemp("games")
    (folder / "relay").mkdir()
    (folder / "relay" / "game.py").write_text(RELAY)
    return folder


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@functools.cache  # the harness asks a dozen programs about the machine, pip among them: two seconds
def _environment() -> dict[str, Any]:
    from lm_eval.loggers.utils import add_env_info

    found: dict[str, Any] = {}
    add_env_info(found)
    return found


@pytest.fixture(autouse=True)
def _surroundings(games_dir, cache_dir, monkeypatch):
    monkeypatch.setenv(ENV, str(games_dir))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_dir))
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: results.update(_environment()))
