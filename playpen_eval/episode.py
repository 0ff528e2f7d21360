"""The only protocol between a game and whoever plays it: observe, act, outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, View

FORMAT = 1
"""Version of the JSON that `Episode.to_json` makes."""


Message = dict[str, str]
"""One chat message, as chat templates and chat APIs take it: `role` (user or assistant) and `content`."""


class Turn(NamedTuple):
    """One ask and its reply.

    Attributes:
        role: Who was asked.
        text: What the role was told.
        reply: What it said, unchanged.
        remember: False if the exchange left the role's history again.
        reward: Credit by role for what happened since the previous ask.
    """

    role: str
    text: str
    reply: str
    remember: bool
    reward: Mapping[str, float]


class Observation(NamedTuple):
    """What the role to move knows.

    Attributes:
        role: The role to move.
        messages: The role's whole chat, the last message being the one to answer. A fresh copy.
        max_tokens: Upper limit for this reply; None for that of the run.
        game: The game played.
        view: The instance's fields that the role is told; scripted players read them. Not to be changed.
    """

    role: str
    messages: list[Message]
    max_tokens: int | None
    game: Game
    view: View


class Episode:
    """One play of one instance; its whole state is `(game, version, instance, replies)`.

    Attributes:
        game: The game.
        instance: The instance; never changed.
        turns: The transcript so far.
        outcome: None while the episode runs.
    """

    __slots__ = ("_ask", "_chats", "_play", "_views", "game", "instance", "outcome", "turns")

    def __init__(self, game: Game, instance: Instance, replies: Iterable[str] = ()):
        self.game = game
        self.instance = instance
        self.turns: list[Turn] = []
        self.outcome: Outcome | None = None
        self._chats: dict[str, list[tuple[str, str]]] = {role: [] for role in game.roles}
        self._views: dict[str, View] = {}
        self._ask: Ask | None = None
        self._play = game.play(instance)
        self._advance(None)
        for reply in replies:
            self.act(reply)

    @property
    def role(self) -> str | None:
        """The role to move, or None when the episode is over."""
        return self._ask.role if self._ask else None

    @property
    def owed(self) -> Mapping[str, float]:
        """Credit by role for what happened since the latest turn's ask: of the open ask, or else of the outcome."""
        if self._ask:
            return self._ask.reward
        return self.outcome.reward if self.outcome else {}

    @property
    def replies(self) -> list[str]:
        """All replies so far, in order."""
        return [turn.reply for turn in self.turns]

    def history(self, role: str) -> list[Message]:
        """The chat that a role remembers: everything answered and not forgotten. A fresh copy."""
        messages: list[Message] = []
        for text, reply in self._chats[role]:
            messages.append({"role": "user", "content": text})
            messages.append({"role": "assistant", "content": reply})
        return messages

    def observe(self) -> Observation:
        """What the role to move is told. Pure: calling it changes nothing.

        Raises:
            RuntimeError: The episode is over.
        """
        ask = self._ask
        if ask is None:
            raise RuntimeError("the episode is over, nobody is to move")
        messages = self.history(ask.role)
        messages.append({"role": "user", "content": ask.text})
        view = self._views.get(ask.role)
        if view is None:
            view = self._views[ask.role] = MappingProxyType(self.game.view(self.instance, ask.role))
        return Observation(ask.role, messages, ask.max_tokens, self.game, view)

    def act(self, reply: str) -> None:
        """Gives the reply of the role to move. Any text ends or continues the episode.

        Raises:
            RuntimeError: The episode is over.
            TypeError: The reply is not a string.
        """
        ask = self._ask
        if ask is None:
            raise RuntimeError("the episode is over, no reply is expected")
        if not isinstance(reply, str):
            raise TypeError(f"a reply is a string, not {type(reply).__name__}")
        self.turns.append(Turn(ask.role, ask.text, reply, ask.remember, ask.reward))
        if ask.remember:
            self._chats[ask.role].append((ask.text, reply))
        self._advance(reply)

    def _advance(self, reply: str | None) -> None:
        try:
            self._ask = self._play.send(reply)  # type: ignore[arg-type] - the first send takes None
        except StopIteration as stop:
            if not isinstance(stop.value, Outcome):
                raise TypeError(f"{self.game.name}: play() must return an Outcome, not {stop.value!r}") from None
            self._ask, self.outcome = None, stop.value
        except Abort as abort:
            self._ask, self.outcome = None, Outcome.aborted(abort.role, abort.reason)
        role = self._ask.role if self._ask else self.outcome and self.outcome.faulty_role
        if role is not None and role not in self._chats:
            raise ValueError(f"{self.game.name}: unknown role {role!r}; it has {self.game.roles}")
        if self._ask is not None and self._ask.preface:
            self._chats[self._ask.role].extend(self._ask.preface)

    def copy(self) -> Episode:
        """An independent episode in the same state, made by replaying the replies."""
        return Episode(self.game, self.instance, self.replies)

    def to_json(self) -> dict[str, Any]:
        """The episode as JSON data, at any point; `from_json` continues it."""
        return {
            "format": FORMAT,
            "game": self.game.name,
            "version": self.game.version,
            "instance": self.instance,
            "replies": self.replies,
            "outcome": self.outcome.to_dict() if self.outcome else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], game: Game) -> Episode:
        """Rebuilds an episode and checks that it still plays as it did.

        Args:
            data: What `to_json` made.
            game: The game of that name.

        Raises:
            ValueError: The data is of another format, game or version, or ends differently now.
        """
        for name, expected in (("format", FORMAT), ("game", game.name), ("version", game.version)):
            if data.get(name) != expected:
                raise ValueError(f"the episode has {name} {data.get(name)!r}, expected {expected!r}")
        episode = cls(game, data["instance"])
        for reply in data["replies"]:
            if episode.outcome is not None:
                break
            episode.act(reply)
        outcome = episode.outcome.to_dict() if episode.outcome else None
        if outcome != data["outcome"] or len(episode.turns) < len(data["replies"]):
            played = f"{len(episode.turns)} of {len(data['replies'])} replies"
            raise ValueError(
                f"{game.name}: after {played} the outcome is now {outcome}, not {data['outcome']}; "
                "a rule was changed without raising the game's version"
            )
        return episode
