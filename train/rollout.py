"""Rollouts: all episodes of a batch in lockstep, the learner's tokens as they were sampled, one row per seat.

The learner's context is only ever appended to: its prompt, what it sampled, what the template puts around the others'
words. A context that the game rewrites (an exchange that is forgotten) becomes a row of its own.

A reply that the token limit cut off is closed with the end token, which then carries no loss, and goes to the game as
it is; an evaluation does the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from playpen_eval.episode import Episode, Observation
from playpen_eval.errors import UserError
from playpen_eval.game import Game
from playpen_eval.players import MAX_TOKENS

from .chat import Chat
from .players import Asked, Failure, Player, number
from .rewards import Shaping, turn_credit
from .rows import Row, RowMeta
from .sampler import Sample, Sampler

FAILED = "failed"
"""Kind of an episode that a partner's server or the infrastructure ended; it has no reward."""


@dataclass(frozen=True)
class Settings:
    """How a batch is played.

    Attributes:
        max_new_tokens: Limit of a reply of the learner unless the game sets one.
        temperature: Of the learner; 0 for greedy.
        max_context: Tokens of a seat's row; where the longest reply might not fit, the episode is the learner's abort.
        seed: Names the batch; the same seed and players give the same rows.
        shaping: From outcomes to rewards.
        player: Name of the learner, for the rows.
        partner: Name of the partner, for the rows.
    """

    max_new_tokens: int = MAX_TOKENS
    temperature: float = 1.0
    max_context: int | None = None
    seed: str = "0"
    shaping: Shaping = field(default_factory=Shaping)
    player: str = "learner"
    partner: str = "self"


def seating(
    game: Game, mode: Literal["fixed", "alternating", "self"], index: int, role: str | None = None
) -> tuple[str, ...]:
    """The learner's seats in one episode.

    Args:
        game: The game.
        mode: `fixed`: one role. `alternating`: each role in turn. `self`: all of them.
        index: Number of the episode among those of the game; all of one group need the same.
        role: The role of `fixed`; by default the game's own choice.
    """
    if mode == "self":
        return game.roles
    if mode == "alternating":
        return (game.roles[index % len(game.roles)],)
    if mode != "fixed":
        raise UserError(f"unknown seating {mode!r}; use fixed, alternating or self")
    if role is not None and role not in game.roles:
        raise UserError(f"{game.name} has no role {role!r}; it has {', '.join(game.roles)}")
    return (role or game.learner,)


@dataclass(slots=True)
class _Line:
    """Tokens of one context."""

    prompt_ids: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    turn_of: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)

    def heard(self, ids: Sequence[int]) -> None:
        self._extend(ids, 0, -1, None)

    def said(self, ids: Sequence[int], logprobs: Sequence[float] | None, turn: int) -> None:
        self._extend(ids, 1, len(self.turns), logprobs)
        self.turns.append(turn)

    def _extend(self, ids: Sequence[int], mask: int, turn: int, logprobs: Sequence[float] | None) -> None:
        self.ids.extend(ids)
        self.mask.extend([mask] * len(ids))
        self.turn_of.extend([turn] * len(ids))
        self.logprobs.extend(logprobs if logprobs is not None else [0.0] * len(ids))


class _Seat:
    """What the learner in one role of one episode has read and said, as tokens."""

    def __init__(self, chat: Chat, turns: int):
        self._chat = chat
        self.line = _Line()
        self.forgotten: list[_Line] = []
        self.told = True
        self._messages = 0
        self._turn = turns
        self._next: list[int] = []

    def prompt(self, observation: Observation) -> list[int]:
        """The context to answer in."""
        new = observation.messages[self._messages :]
        self._next = self._chat.suffix_ids(new) if self._messages else self._chat.prompt_ids(new)
        return self.line.prompt_ids + self.line.ids + self._next

    def take(self, observation: Observation, sample: Sample, remember: bool) -> None:
        """Adds the exchange to the context, or to those that were forgotten."""
        ids, logprobs = sample
        self.told = self.told and logprobs is not None
        if remember:
            line = self.line
            if self._messages:
                line.heard(self._next)
            else:
                line.prompt_ids = self._next
            self._messages = len(observation.messages) + 1
        else:
            line = _Line(self.line.prompt_ids + self.line.ids + self._next)
            self.forgotten.append(line)
        line.said(ids, logprobs, self._turn)
        if not ids or ids[-1] not in self._chat.stops:
            line.heard([self._chat.end])
        self._turn += 1


class _Play:
    """One episode with the learner's seats."""

    def __init__(self, episode: Episode, seats: tuple[str, ...], chat: Chat, seed: str):
        self.episode = episode
        self.seed = seed
        self.seats = {role: _Seat(chat, sum(turn.role == role for turn in episode.turns)) for role in seats}
        self.failure: str | None = None
        self.at_fault: str | None = None

    @property
    def running(self) -> bool:
        return self.episode.outcome is None and self.failure is None

    def turn_seed(self) -> str:
        return f"{self.seed}/{len(self.episode.turns)}"

    def stop(self, failure: Failure) -> None:
        self.failure = failure.reason
        self.at_fault = self.episode.role if failure.fault else None


def play(
    episodes: Sequence[Episode],
    seats: Sequence[tuple[str, ...]],
    sampler: Sampler,
    chat: Chat,
    settings: Settings,
    partner: Player | None = None,
    on_round: Callable[[int], None] = lambda running: None,
) -> list[Row]:
    """Plays a batch to its end.

    Args:
        episodes: Fresh or unfinished episodes; they are changed in place.
        seats: For each episode the learner's roles; all roles for self-play.
        sampler: The learner.
        chat: Its template and tokenizer.
        settings: Limits, seed, rewards.
        partner: Takes the other roles.
        on_round: Called before each round with the number of episodes that go on.

    Returns:
        For each episode and seat one row with `part` 0, in order, followed by those of its forgotten exchanges. A
        seat that was never asked, or only forgot, has the end token with mask 0 as its row: trainers want one row
        for every rollout.

    Raises:
        UserError: A role is nobody's.
    """
    for episode, roles in zip(episodes, seats, strict=True):
        others = set(episode.game.roles) - set(roles)
        if others and partner is None:
            raise UserError(f"{episode.game.name}: nobody plays {', '.join(sorted(others))}; give a partner")
    plays = [
        _Play(episode, roles, chat, f"{settings.seed}/{index}")
        for index, (episode, roles) in enumerate(zip(episodes, seats, strict=True))
    ]
    rounds = 0
    while live := [one for one in plays if one.running]:
        on_round(len(live))
        # Partners answer until everybody waits for the learner, whose batches are the larger the fewer they are.
        while partner and (waiting := [one for one in live if one.running and one.episode.role not in one.seats]):
            _partner_round(waiting, partner)
        _learn_round([one for one in live if one.running], sampler, chat, settings, rounds)
        rounds += 1
    return [row for index, one in enumerate(plays) for row in _rows(one, chat, settings, index)]


def _learn_round(plays: Sequence[_Play], sampler: Sampler, chat: Chat, settings: Settings, rounds: int) -> None:
    groups: dict[int, list[tuple[_Play, Observation, list[int]]]] = defaultdict(list)
    for one in plays:
        observation = one.episode.observe()
        prompt = one.seats[observation.role].prompt(observation)
        limit = observation.max_tokens or settings.max_new_tokens
        # As in an evaluation there must be room for the longest reply; here with an end token after it.
        if settings.max_context is not None and len(prompt) + limit + 1 > settings.max_context:
            one.stop(Failure(f"the context of {settings.max_context} tokens is full", fault=True))
            continue
        groups[limit].append((one, observation, prompt))
    for limit, asked in sorted(groups.items(), key=lambda group: group[0]):
        samples = sampler.generate(
            [prompt for _, _, prompt in asked],
            max_new_tokens=limit,
            temperature=settings.temperature,
            seed=number(f"{settings.seed}/{rounds}/{limit}"),
        )
        for (one, observation, _), sample in zip(asked, samples, strict=True):
            one.episode.act(chat.text(sample.ids))
            one.seats[observation.role].take(observation, sample, one.episode.turns[-1].remember)


def _partner_round(plays: Sequence[_Play], partner: Player) -> None:
    replies = partner([Asked(one.episode.observe(), one.turn_seed()) for one in plays])
    for one, reply in zip(plays, replies, strict=True):
        one.stop(reply) if isinstance(reply, Failure) else one.episode.act(reply)


def _rows(one: _Play, chat: Chat, settings: Settings, index: int) -> list[Row]:
    episode, name = one.episode, f"{settings.seed}/{index}"
    outcome = episode.outcome
    kind = outcome.kind if outcome else "aborted" if one.at_fault else FAILED
    fault = outcome.faulty_role if outcome else one.at_fault
    rows = []
    for role, seat in one.seats.items():
        credit = turn_credit(episode, role)
        tokens = sum(sum(line.mask) for line in (seat.line, *seat.forgotten))
        reward = settings.shaping.reward(kind, outcome.score if outcome else None, fault, role, credit, tokens)
        for part, line in enumerate((seat.line, *seat.forgotten)):
            if not line.ids:
                line.prompt_ids = line.prompt_ids or [chat.end]
                line.heard([chat.end])
            meta = RowMeta.of(episode, role, kind, name, part=part, player=settings.player, partner=settings.partner)
            credits = [credit[turn] for turn in line.turns]
            logprobs = line.logprobs if seat.told else None
            # An empty line was given one token that nobody learns from.
            spoke = reward if line.turns or seat.forgotten else None
            rows.append(Row(line.prompt_ids, line.ids, line.mask, line.turn_of, spoke, meta, credits, logprobs))
    return rows


def one_part_each(rows: Sequence[Row], seed: str) -> list[Row]:
    """One row per seat for trainers that take no more: of a seat that forgets, any one of its parts.

    Each turn of such a seat is then trained equally often over many episodes.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.meta.episode, row.meta.seat), []).append(row)
    chosen = []
    for (episode, seat), parts in groups.items():
        spoken = [row for row in parts if row.turn_rewards] or parts[:1]
        chosen.append(Random(f"{seed}/{episode}/{seat}").choice(spoken))
    return chosen
