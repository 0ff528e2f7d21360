"""Fixtures that several test files use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Each worker of pytest-xdist has one core; read by torch when it is loaded, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with clembench's data files and recorded runs, which is no part of the project."""
    named = os.environ.get("PLAYPEN_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} with clembench's data and recordings (PLAYPEN_SHARED names another one)")
    return folder
