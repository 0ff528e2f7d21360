"""A partner's replies in a file, so that a second run meets the same partner without asking it again."""
# pyright: reportMissingImports=false

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playpen_eval.episode import Observation
from playpen_eval.errors import UserError
from playpen_eval.instances import digest

if TYPE_CHECKING:
    from playpen_eval.run import Reply
    from playpen_eval.train.players import Asked, Failure, Player

_BEGIN = b'{"key": "'


class ReplyCache:
    """Replies by what was asked, one a line of a JSONL file: `key` (a digest of what it follows from) and `reply`.

    Several processes may share the file. What one of them wrote first is what all of them say.
    """

    def __init__(self, path: Path, model: str, temperature: float, max_tokens: int):
        """Opens or creates the file.

        Args:
            path: The file.
            model: Name of the model; replies of another one are not taken.
            temperature: As for the model.
            max_tokens: Limit of a reply unless the game sets one.

        Raises:
            UserError: The file cannot be written, or is none of ours.
        """
        self.path = path
        self._asked_of = (model, temperature)
        self._max_tokens = max_tokens
        self._replies: dict[str, str] = {}
        self._line = 0
        if path.exists() and not path.is_file():
            raise UserError(f"the partner's replies go to a file, and {path} is none")
        try:
            self._file = path.open("a+b")
        except OSError as error:
            raise UserError(f"cannot write the partner's replies to {path}: {error}") from None
        self._file.seek(0)
        try:
            with self._locked():
                self._read()
        except UserError:
            self._file.close()
            raise

    def key(self, observation: Observation) -> str:
        """What a reply is found by: the messages, the model, its temperature and the limit of tokens."""
        limit = observation.max_tokens or self._max_tokens
        return digest([*self._asked_of, limit, observation.messages])

    def get(self, key: str) -> str | None:
        """The reply; None if there is none yet."""
        return self._replies.get(key)

    def add(self, key: str, reply: str) -> str:
        """Notes a reply, unless another process was faster; returns the one that stands."""
        with self._locked():
            self._read()
            if key not in self._replies:
                self._file.write(json.dumps({"key": key, "reply": reply}).encode() + b"\n")
                self._file.flush()
                self._line += 1
                self._replies[key] = reply
        return self._replies[key]

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _read(self) -> None:
        """Takes in what was written since; a half-written last line of ours (of a killed process) is cut off."""
        for line in self._file.readlines():
            self._line += 1
            try:
                row = json.loads(line)
                key, reply = row["key"], row["reply"]
                if not (isinstance(key, str) and isinstance(reply, str)):
                    raise TypeError
            except (ValueError, TypeError, KeyError, RecursionError):
                if not line.endswith(b"\n") and _BEGIN.startswith(line[: len(_BEGIN)]):
                    self._line -= 1
                    self._file.truncate(self._file.tell() - len(line))
                    self._file.seek(0, 2)
                    return
                where = f"{self.path}:{self._line}"
                raise UserError(
                    f"{where} is no reply of a partner; remove the line or name another --partner-cache"
                ) from None
            if not line.endswith(b"\n"):
                self._file.write(b"\n")
            self._replies.setdefault(key, reply)

    def reply(self, ask: Reply) -> Reply:
        """A player that answers one by one, through the cache."""

        async def answer(observation: Observation) -> str:
            key = self.key(observation)
            known = self.get(key)
            return self.add(key, await ask(observation)) if known is None else known

        return answer

    def player(self, ask: Player) -> Player:
        """A player that answers batches, through the cache. What is no reply is not kept."""

        def answer(asked: Sequence[Asked]) -> list[str | Failure]:
            keys = [self.key(one.observation) for one in asked]
            new = [place for place, key in enumerate(keys) if self.get(key) is None]
            made = dict(zip(new, ask([asked[place] for place in new]), strict=True)) if new else {}
            for place, reply in made.items():
                if isinstance(reply, str):
                    self.add(keys[place], reply)
            return [known if (known := self.get(key)) is not None else made[i] for i, key in enumerate(keys)]

        return answer
