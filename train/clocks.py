"""Clocks for the parts of a rollout, for the log: who answers, and the chat template."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .chat import Chat
from .players import Asked, Player


class Clock:
    """Adds up time.

    Attributes:
        seconds: So far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts the time inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start


class TimedPlayer(Clock):
    """A player with a clock."""

    def __init__(self, player: Player):
        super().__init__()
        self._player = player

    def __call__(self, asked: Sequence[Asked]) -> Any:
        """As the player."""
        with self.running():
            return self._player(asked)


class TimedChat(Clock):
    """A chat template with a clock, for one batch: all episodes of a group begin with the same prompt."""

    def __init__(self, chat: Chat):
        super().__init__()
        self._chat = chat
        self._prompts: dict[tuple[tuple[str, str], ...], list[int]] = {}

    @property
    def end(self) -> int:
        """As the template's."""
        return self._chat.end

    @property
    def stops(self) -> set[int]:
        """As the template's."""
        return self._chat.stops

    def prompt_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """As `Chat.prompt_ids`."""
        with self.running():
            key = tuple((message["role"], message["content"]) for message in messages)
            if key not in self._prompts:
                self._prompts[key] = self._chat.prompt_ids(messages)
            return list(self._prompts[key])

    def suffix_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """As `Chat.suffix_ids`."""
        with self.running():
            return self._chat.suffix_ids(messages)

    def text(self, ids: Sequence[int]) -> str:
        """As `Chat.text`."""
        with self.running():
            return self._chat.text(ids)
