"""Every test here has small games of its own, and a cache that holds nothing from before."""

from __future__ import annotations

from pathlib import Path

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


@pytest.fixture(autouse=True)
def _surroundings(games_dir, cache_dir, monkeypatch):
    monkeypatch.setenv(ENV, str(games_dir))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_dir))
    # It describes the machine by a dozen programs, pip among them: two seconds.
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
