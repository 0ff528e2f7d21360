"""Stockfish as a function from position to move: fixed nodes, one thread, a fresh hash for every move.

The client of python-chess is not used: its thread keeps a program alive until somebody closes the engine, and nobody
knows which episode is the last. Here the engine ends with the pipe.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator

from playpen_eval.errors import UserError

_LOCK = threading.Lock()


def find() -> str | None:
    """The engine on PATH; Debian keeps games in a folder of their own, which may not be on it."""
    return shutil.which("stockfish") or shutil.which("stockfish", path="/usr/games")


def engine_name() -> str:
    """What the engine calls itself, as "Stockfish 15.1".

    Raises:
        UserError: There is none.
    """
    with _LOCK:
        return _engine(os.getpid()).name


def require(name: str) -> None:
    """Asks for one engine by name.

    Raises:
        UserError: There is none or another one.
    """
    found = engine_name()
    if found != name:
        raise UserError(
            f"the instance is to be played against {name!r}, but {found!r} is installed; make new instances"
        )


def best_move(fen: str, nodes: int) -> str:
    """The engine's move in UCI."""
    with _LOCK:
        return _engine(os.getpid()).best_move(fen, nodes)


@functools.lru_cache(maxsize=1)
def _engine(_pid: int) -> _Engine:
    """One engine for each process; one that was forked must not share its parent's pipe."""
    path = find()
    if path is None:
        raise UserError(
            "stockfish is not on PATH; install it (Debian: apt-get install stockfish) or play the game chess, "
            "whose opponent needs no engine"
        )
    return _Engine(path)


class _Engine:
    def __init__(self, path: str):
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([path], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        self.name = "unnamed"
        for line in self._ask("uci", until="uciok"):
            if line.startswith("id name "):
                self.name = line.removeprefix("id name ")
        list(self._ask("setoption name Threads value 1\nsetoption name Hash value 1\nisready", until="readyok"))

    def best_move(self, fen: str, nodes: int) -> str:
        list(self._ask("ucinewgame\nisready", until="readyok"))
        *_, last = self._ask(f"position fen {fen}\ngo nodes {nodes}", until="bestmove")
        return last.split()[1]

    def _ask(self, command: str, *, until: str) -> Iterator[str]:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("the engine was started without pipes")
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._gone() from None
        for line in self._process.stdout:
            yield line.rstrip()
            if line.startswith(until):
                return
        raise self._gone()

    def _gone(self) -> UserError:
        _engine.cache_clear()  # the next move gets a new engine
        return UserError(f"stockfish ended by itself with exit status {self._process.wait()}")
