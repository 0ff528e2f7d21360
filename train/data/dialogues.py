"""One seat's side of one episode, as text: what it was told and what it said, turn by turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from playpen_eval.episode import Episode, Message, Observation, Turn
from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance, content
from playpen_eval.instances import digest

from ..chains import UNFINISHED
from ..rewards import turn_credit
from ..rows import RowMeta


class Step(NamedTuple):
    """One turn of the seat.

    Attributes:
        told: Messages since the end of the remembered chat; the last one is the question.
        said: The reply.
        remember: False if the exchange left the seat's history again.
    """

    told: list[Message]
    said: str
    remember: bool


class Fingerprint(NamedTuple):
    """What tells whether two data sets hold the same instance, however they name it.

    Attributes:
        content: Digest of the game's name and the instance's own fields.
        key: Digest of the game's key, which splits must not share; that of a shared kind of key (the target of all
            wordles) is the same for all its games.
    """

    content: str
    key: str


def fingerprint(game: Game, instance: Instance) -> Fingerprint:
    """The fingerprint of an instance; shortened digests, which is enough for equality within a data set."""
    return Fingerprint(digest([game.name, content(instance)])[:32], digest(game.key(instance))[:32])


@dataclass(slots=True)
class Dialogue:
    """One seat of one episode.

    Attributes:
        meta: Where it comes from; `part` is 0.
        print: Fingerprint of the instance.
        faulty_role: Who broke the protocol, if the episode was aborted.
        steps: The seat's turns in order.
        credit: The game's credit for each of them.
        asked: What the seat was told last, if the play was stopped when it had to answer.
    """

    meta: RowMeta
    print: Fingerprint
    faulty_role: str | None
    steps: list[Step]
    credit: list[float]
    asked: list[Message] = field(default_factory=list)

    @property
    def tells(self) -> bool:
        """Whether the episode tells anything about the seat: nobody else broke the protocol."""
        return self.meta.kind != "aborted" or self.faulty_role == self.meta.seat

    def contexts(self) -> Iterator[tuple[list[Message], Step]]:
        """Each turn with the whole chat that the seat had before it, its question included."""
        line: list[Message] = []
        for step in self.steps:
            context = line + step.told
            yield context, step
            if step.remember:
                line = [*context, {"role": "assistant", "content": step.said}]

    def chats(self) -> Iterator[tuple[int, list[Message], list[int], list[float]]]:
        """What becomes a row: part, messages, places of what the seat said, the credit of those.

        First the remembered chat, which ends with the seat's last words, then each forgotten exchange. Of a play that
        was stopped, the last one ends with what was asked: the state that the seat's last words led to.
        """
        line: list[Message] = []
        said: list[int] = []
        credit: list[float] = []
        forgotten = []
        for step, paid in zip(self.steps, self.credit, strict=True):
            context = [*line, *step.told, {"role": "assistant", "content": step.said}]
            if step.remember:
                line = context
                said.append(len(line) - 1)
                credit.append(paid)
            else:
                forgotten.append((context, [len(context) - 1], [paid]))
        if self.asked and forgotten:
            forgotten.append(([*line, *self.asked], [], []))
        else:
            line = line + self.asked
        if said:
            yield 0, line, said, credit
        for part, (context, place, paid) in enumerate(forgotten, 1):
            yield part, context, place, paid

    def to_dict(self) -> dict[str, Any]:
        """JSON data; `from_dict` is the inverse."""
        return {
            "meta": dataclasses.asdict(self.meta),
            "print": list(self.print),
            "faulty_role": self.faulty_role,
            "steps": [list(step) for step in self.steps],
            "credit": self.credit,
            "asked": self.asked,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Dialogue:
        """Builds a dialogue from `to_dict` data.

        Raises:
            UserError: It is none.
        """
        try:
            return cls(
                RowMeta(**data["meta"]),
                Fingerprint(*data["print"]),
                data["faulty_role"],
                [Step(*step) for step in data["steps"]],
                data["credit"],
                data["asked"],
            )
        except (KeyError, TypeError) as error:
            raise UserError(f"no dialogue ({type(error).__name__}: {error})") from None


class SeatLog:
    """Takes down what one seat is told and says while its episode is played."""

    __slots__ = ("_known", "steps")

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._known = 0

    def take(self, observation: Observation, turn: Turn, told: str | None = None) -> None:
        """Adds a turn.

        Args:
            observation: What the seat knew.
            turn: The turn that it made of it.
            told: The question's text if it was another one than the game asks now.
        """
        new = observation.messages[self._known :]
        if told is not None:
            new[-1] = {"role": "user", "content": told}
        self.steps.append(Step(new, turn.reply, turn.remember))
        if turn.remember:
            self._known = len(observation.messages) + 1

    def unanswered(self, episode: Episode, role: str) -> list[Message]:
        """What the seat was told since its latest turn; nothing if it is not its turn."""
        return episode.observe().messages[self._known :] if episode.role == role else []


def dialogues(
    episode: Episode,
    logs: Mapping[str, SeatLog],
    print_: Fingerprint,
    name: str,
    players: Mapping[str, str],
    source: str,
) -> list[Dialogue]:
    """The sides of an episode; one that still runs is taken as stopped, its kind is `unfinished`.

    Args:
        episode: The episode.
        logs: Seat -> what it was told and said. Seats that were never asked are left out.
        print_: Fingerprint of the instance.
        name: Name of the episode within the data set.
        players: Role -> who played it.
        source: Where it comes from.
    """
    outcome, instance = episode.outcome, episode.instance
    found = []
    for role, log in logs.items():
        if not log.steps:
            continue
        others = sorted({player for other, player in players.items() if other != role})
        meta = RowMeta(
            game=episode.game.name,
            version=episode.game.version,
            instance=instance["id"],
            experiment=instance["experiment"],
            split=instance["split"],
            seat=role,
            kind=outcome.kind if outcome else UNFINISHED,
            score=outcome.score if outcome else None,
            episode=name,
            player=players[role],
            partner=", ".join(others) or "none",
            source=source,
        )
        faulty, credit = outcome.faulty_role if outcome else None, turn_credit(episode, role)
        found.append(Dialogue(meta, print_, faulty, log.steps, credit, log.unanswered(episode, role)))
    return found


def replayed(
    game: Game,
    instance: Instance,
    replies: Sequence[str],
    seats: Sequence[str],
    told: Sequence[str | None] | None = None,
) -> tuple[Episode, dict[str, SeatLog]]:
    """Plays known replies again.

    Args:
        game: The game.
        instance: The instance.
        replies: All replies, in order.
        seats: The roles whose side is wanted.
        told: For each reply the text that was answered, None for that of the game.

    Raises:
        UserError: The episode ends before the replies do, or they before it.
    """
    episode = Episode(game, instance)
    logs = {seat: SeatLog() for seat in seats}
    for place, reply in enumerate(replies):
        if episode.outcome is not None:
            raise UserError(f"the game ends after {place} of {len(replies)} replies")
        log = logs.get(episode.role or "")
        observation = episode.observe() if log else None
        episode.act(reply)
        if log and observation:
            log.take(observation, episode.turns[-1], told[place] if told else None)
    if episode.outcome is None:
        raise UserError(f"the {episode.role} is still to move after all {len(replies)} replies")
    return episode, logs
