"""What the checks share: episodes to look at, and how a failure is said."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance
from playpen_eval.instances import SPLITS, load_instances
from playpen_eval.players import scripted_reply


class CheckFailedError(AssertionError):
    """A game does not keep what every game promises."""


@dataclass(frozen=True)
class Budget:
    """How much to try.

    Attributes:
        replies: Hostile replies per game.
        seconds: CPU time after which no further round of random replies begins; the first is always played.
        instances: Instances per game in the checks that replay episodes many times.
        seed: Of the hostile replies.
    """

    replies: int = 2000
    seconds: float = math.inf
    instances: int = 6
    seed: int = 0


def ensure(condition: object, message: str, *details: Any) -> None:
    """Raises `CheckFailedError` unless the condition holds; details are shown after the message."""
    if not condition:
        raise CheckFailedError(": ".join([message, *(_short(detail) for detail in details)]))


def _short(detail: Any) -> str:
    text = detail if isinstance(detail, str) else repr(detail)
    return text if len(text) <= 600 else text[:600] + "..."


def splits(game: Game) -> dict[str, list[Instance]]:
    """The shipped splits of a game."""
    found = {split: load_instances(game, split).instances for split in SPLITS if game.sizes.get(split)}
    if not found:
        raise UserError(f"{game.name} declares no split with instances")
    return found


def samples(game: Game, count: int) -> list[Instance]:
    """Some instances of every split, the experiments mixed."""
    parts = list(splits(game).values())
    return [instance for part in parts for instance in part[: -(-count // len(parts))]][:count]


def play_scripted(game: Game, instance: Instance, breaker: str | None = None) -> Episode:
    """An episode of best players; `breaker` names the role that breaks the protocol instead."""
    episode = Episode(game, instance)
    for _ in range(game.max_turns(instance)):
        if episode.outcome is not None:
            break
        observation = episode.observe()
        episode.act(scripted_reply(observation, "breaker" if observation.role == breaker else "best"))
    ensure(episode.outcome is not None, "an episode lasts longer than max_turns()", instance["id"])
    return episode


def reply_lists(game: Game, instance: Instance) -> Iterator[Sequence[str]]:
    """Replies of quite different episodes of an instance, each to its end."""
    yield game.solution(instance)
    yield game.solution(instance, last=True)
    yield play_scripted(game, instance).replies
    for role in game.roles:
        yield play_scripted(game, instance, breaker=role).replies


def state(episode: Episode) -> Any:
    """Everything that can be seen of an episode, as JSON data."""
    observation = None
    if episode.outcome is None:
        seen = episode.observe()
        observation = [seen.role, [dict(message) for message in seen.messages], seen.max_tokens]
    turns = [[*turn[:4], dict(turn.reward)] for turn in episode.turns]
    return [turns, observation, episode.outcome.to_dict() if episode.outcome else None]
