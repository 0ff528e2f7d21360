"""Every test here has small games of its own and an empty cache."""

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


@pytest.fixture(autouse=True)
def _surroundings(games_dir, tmp_path, monkeypatch):
    monkeypatch.setenv(ENV, str(games_dir))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
