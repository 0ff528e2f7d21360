"""Two ways to bring episodes to their end: in lockstep (batches) and asynchronously (one by one)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from playpen_eval.episode import Episode, Observation
from playpen_eval.game import Outcome

Generate = Callable[[Sequence[Observation]], Sequence[str]]
"""Answers a batch of observations, in order."""


def lockstep(episodes: Sequence[Episode], generate: Generate) -> None:
    """Plays all episodes to their end with one call of `generate` per round of asks.

    Args:
        episodes: Fresh or unfinished episodes; they are changed in place.
        generate: Called with the observations of all episodes that still run.

    Raises:
        ValueError: `generate` returned another number of replies than it was asked for.
    """
    live = [episode for episode in episodes if episode.outcome is None]
    while live:
        replies = generate([episode.observe() for episode in live])
        if len(replies) != len(live):
            raise ValueError(f"generate() returned {len(replies)} replies for {len(live)} observations")
        for episode, reply in zip(live, replies, strict=True):
            episode.act(reply)
        live = [episode for episode in live if episode.outcome is None]


def by_role(seats: Mapping[str, Generate], default: Generate) -> Generate:
    """Joins several players to one: each role's observations go to its seat in one batch.

    Args:
        seats: Role -> player.
        default: Player of every other role.
    """

    def generate(observations: Sequence[Observation]) -> list[str]:
        groups: dict[int, tuple[Generate, list[int]]] = {}
        for index, observation in enumerate(observations):
            seat = seats.get(observation.role, default)
            groups.setdefault(id(seat), (seat, []))[1].append(index)
        replies = [""] * len(observations)
        for seat, indices in groups.values():
            batch = seat([observations[index] for index in indices])
            for index, reply in zip(indices, batch, strict=True):
                replies[index] = reply
        return replies

    return generate


async def play_async(episode: Episode, reply: Callable[[Observation], Awaitable[str]]) -> Outcome:
    """Plays one episode to its end, awaiting each reply."""
    while episode.outcome is None:
        episode.act(await reply(episode.observe()))
    return episode.outcome
