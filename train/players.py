"""Who plays beside the learner, or for a data set: scripts, scripts that err, models. All answer whole batches."""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from playpen_eval.drivers import lockstep
from playpen_eval.endpoint import ContextFullError, Endpoint, EndpointError
from playpen_eval.episode import Episode, Observation
from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance
from playpen_eval.players import MAX_TOKENS, STYLES, scripted, scripted_reply

from .chat import Chat
from .sampler import Sampler


class Asked(NamedTuple):
    """One question to a player.

    Attributes:
        observation: What the role to move knows.
        seed: Names this turn among all turns of a run; the only source of randomness.
    """

    observation: Observation
    seed: str


@dataclass(frozen=True, slots=True)
class Failure:
    """No reply, for a reason that is not the player's text: a server is gone, a context is full.

    Attributes:
        reason: One sentence for people.
        fault: True if it is the player's own limit (a full context), False if nobody's.
    """

    reason: str
    fault: bool = False


Player = Callable[[Sequence[Asked]], Sequence[str | Failure]]
"""Answers a batch, in order."""


def number(seed: str) -> int:
    """A seed for libraries that want a number; the same for the same text everywhere."""
    return zlib.crc32(seed.encode())


def scripted_player(style: str = STYLES[0]) -> Player:
    """A player that answers by the game's script."""
    return lambda asked: [scripted_reply(one.observation, style) for one in asked]


class Slips:
    """Wrong replies in the right form: what the best script said in the same role on other instances."""

    def __init__(self, games: Iterable[tuple[Game, Sequence[Instance]]], sample: int = 50):
        """Plays up to `sample` instances of each game; instances of the split that the data come from."""
        self._pools: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
        found: dict[tuple[str, str, tuple[str, ...]], dict[str, None]] = defaultdict(dict)
        for game, instances in games:
            episodes = [Episode(game, instance) for instance in instances[:sample]]
            lockstep(episodes, scripted())
            for episode in episodes:
                for turn in episode.turns:
                    found[game.name, turn.role, _form(turn.reply)][turn.reply] = None
        self._pools = {key: list(replies) for key, replies in found.items()}

    def draw(self, game: str, role: str, right: str, rng: Random) -> str:
        """A reply of the same form as the right one but with other content; the right one if there is none."""
        pool = self._pools.get((game, role, _form(right)), [])
        others = len(pool) - (right in pool)
        if not others:
            return right
        while (drawn := rng.choice(pool)) == right:
            pass
        return drawn


def _form(reply: str) -> tuple[str, ...]:
    """What stands before the colons, line by line: replies of one form are usually taken for the same kind of move."""
    return tuple(line.partition(":")[0] if ":" in line else "" for line in reply.split("\n")[:8])


def erring_player(rate: float, slips: Slips | None, style: str = STYLES[0]) -> Player:
    """A scripted player that errs in a share of its turns.

    Args:
        rate: Share of turns, in [0, 1].
        slips: Wrong replies in the right form; None to break the protocol instead.
        style: How it plays otherwise.
    """

    def reply(one: Asked) -> str:
        rng = Random(f"err/{one.seed}")
        observation = one.observation
        if rng.random() >= rate:
            return scripted_reply(observation, style)
        if slips is None:
            return scripted_reply(observation, "breaker")
        return slips.draw(observation.game.name, observation.role, scripted_reply(observation, style), rng)

    return lambda asked: [reply(one) for one in asked]


def sampler_player(
    sampler: Sampler,
    chat: Chat,
    *,
    max_new_tokens: int = MAX_TOKENS,
    temperature: float = 0.0,
    max_context: int | None = None,
) -> Player:
    """A local model that is not trained: a frozen copy of the learner, or another model.

    Args:
        sampler: Generates.
        chat: The template and tokenizer of that model.
        max_new_tokens: Limit of a reply unless the game sets one.
        temperature: 0 for greedy.
        max_context: Tokens of prompt and reply together that the model takes.
    """

    def play(asked: Sequence[Asked]) -> list[str | Failure]:
        replies: list[str | Failure] = [""] * len(asked)
        prompts = [chat.prompt_ids(one.observation.messages) for one in asked]
        groups: dict[int, list[int]] = defaultdict(list)
        for place, one in enumerate(asked):
            limit = one.observation.max_tokens or max_new_tokens
            if max_context is not None and len(prompts[place]) + limit > max_context:
                replies[place] = Failure(f"the context of {max_context} tokens is full", fault=True)
            else:
                groups[limit].append(place)
        for limit, places in groups.items():
            made = sampler.generate(
                [prompts[place] for place in places],
                max_new_tokens=limit,
                temperature=temperature,
                seed=number(asked[places[0]].seed),
            )
            for place, sample in zip(places, made, strict=True):
                replies[place] = chat.text(sample.ids)
        return replies

    return play


def endpoint_player(endpoint: Endpoint, concurrency: int = 16) -> Player:
    """A model behind an OpenAI-compatible endpoint, asked in parallel.

    A question without a usable answer, after the endpoint's own tries, is a `Failure` that is nobody's fault.

    Args:
        endpoint: Where to ask. Its connections are opened anew for every batch.
        concurrency: Questions at a time.
    """

    async def ask_all(asked: Sequence[Asked]) -> list[str | Failure]:
        slots = asyncio.Semaphore(concurrency)
        client = Endpoint(
            endpoint.model,
            endpoint.base_url,
            endpoint.temperature,
            endpoint.max_tokens,
            endpoint.attempts,
            endpoint.timeout,
            endpoint.usage,
        )

        async def ask(one: Asked) -> str | Failure:
            async with slots:
                try:
                    return await client.reply(one.observation)
                except ContextFullError as error:
                    return Failure(str(error), fault=True)
                except EndpointError as error:
                    return Failure(str(error))

        try:
            return list(await asyncio.gather(*map(ask, asked)))
        finally:
            await client.close()

    return lambda asked: asyncio.run(ask_all(asked))


def check_rate(name: str, rate: float) -> None:
    """Raises a `UserError` unless a rate lies in [0, 1]."""
    if not 0 <= rate <= 1:
        raise UserError(f"{name} must lie between 0 and 1, not {rate}")
