"""The side of `bench_games.py` that starts a peer: its virtual environment, and a process that plays when asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import peers
from plays import Unavailable

REQUIREMENTS = {
    "textarena": ["textarena==0.7.4"],
    "clemcore": ["clemcore==3.7.2", "nltk", "numpy"],
}


class Sample(NamedTuple):
    """One repetition."""

    episodes: int
    steps: int
    cpu_s: float

    @property
    def us_per_step(self) -> float:
        return 1e6 * self.cpu_s / self.steps


def make_venv(root: Path, peer: str) -> Path:
    """The Python of the peer's virtual environment, which is made if it is not there.

    Args:
        root: Folder of all such environments.
        peer: Key of `REQUIREMENTS`.

    Raises:
        Unavailable: It cannot be made.
    """
    requirements = REQUIREMENTS[peer]
    folder = root / requirements[0].replace("==", "-")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    complete = folder / "complete.txt"
    if complete.is_file() and complete.read_text(encoding="utf-8").split() == requirements:
        return python
    print(f"making a virtual environment with {' '.join(requirements)} ...", file=sys.stderr)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            why = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            tried = " ".join(command[1:4])
            raise Unavailable(f"{tried} failed in {folder}: {''.join(why)}; --venvs names another folder")
    complete.write_text("\n".join(requirements) + "\n", encoding="utf-8")
    return python


class Peer:
    """A peer in a process of its own, which plays when it is asked to."""

    def __init__(self, python: Path, name: str, setup: dict[str, Any]):
        self.name = name
        # Isolated: neither this project nor the user's packages may be found.
        self.process = subprocess.Popen(
            [str(python), "-I", peers.__file__, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._ask(setup)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError as error:
            line = json.dumps({"error": str(error)})
        answer = json.loads(line or '{"error": "its process ended without an answer"}')
        if "error" in answer:
            raise Unavailable(f"{self.name}: {answer['error']}")
        return answer

    def measuring(self, mode: str) -> Callable[[int], Sample]:
        """Measures one of the peer's modes."""

        def measure(episodes: int) -> Sample:
            answer = self._ask({"mode": mode, "episodes": episodes})
            return Sample(episodes, answer["steps"], answer["cpu_s"])

        return measure

    def close(self) -> None:
        """Ends the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
