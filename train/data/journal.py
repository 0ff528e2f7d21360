"""Episodes that were played for a data set that is not finished yet: an interrupted play goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from playpen_eval.errors import UserError


def lock(file: IO[Any], data: Path) -> None:
    """Keeps other processes from making the same data set, until the file is closed.

    Raises:
        UserError: One does.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"another process is making {data}; choose another -o or wait") from None


class Journal:
    """A file beside the data set: what is being made, then the replies of one episode a line.

    Attributes:
        path: The file.
        replies: Name of the episode -> its replies, from before.
    """

    def __init__(self, data: Path, identity: Mapping[str, Any]):
        """Opens or creates the journal of a data set.

        Args:
            data: The data set's file.
            identity: What is being made; JSON data.

        Raises:
            UserError: It is the journal of something else, or another process writes to it.
        """
        self.path = data.with_name(data.name + ".journal")
        self.replies: dict[str, list[str]] = {}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = self.path.open("a+", encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error}") from None
        lock(self._file, data)
        self._read(json.loads(json.dumps(identity)))

    def _read(self, identity: dict[str, Any]) -> None:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # a killed process leaves half a line
            os.truncate(self.path, whole)
        lines = content[:whole].splitlines()
        if not lines:
            self._write(identity)
            return
        try:
            before = json.loads(lines[0])
            self.replies = dict(json.loads(line) for line in lines[1:])
        except (ValueError, TypeError) as error:
            raise UserError(f"{self.path} is broken ({error}); remove it to play anew") from None
        if before != identity:
            differing = sorted(name for name in {*before, *identity} if before.get(name) != identity.get(name))
            raise UserError(
                f"{self.path} is of an interrupted play with another {', '.join(differing)}; remove it or choose "
                "another -o"
            )

    def add(self, name: str, replies: Sequence[str]) -> None:
        """Writes a finished episode through to the file."""
        self._write([name, list(replies)])

    def _write(self, data: Any) -> None:
        self._file.write(json.dumps(data) + "\n")
        self._file.flush()

    def close(self, *, finished: bool) -> None:
        """Releases the file; removes it if the data set is there."""
        self._file.close()
        if finished:
            self.path.unlink(missing_ok=True)
