"""Branching at a turn: the same turn answered again in copies of an episode, each played to its end.

One turn of each seat, not every turn: the number of copies grows with the number of episodes and no faster.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from playpen_eval.episode import Episode

from ..rewards import Shaping, turn_credit
from .dialogues import Dialogue, SeatLog
from .files import batched
from .fresh import Cast, TextPlay, advance, play_out
from .pairs import Pair

_BATCH = 64


@dataclass(frozen=True)
class Branching:
    """How to branch.

    Attributes:
        copies: Copies of each episode and seat, besides the episode itself.
        budget: Copies in all, later ones for `continuations` included; None for no limit.
        continuations: Plays to the end after each distinct reply; their mean is what the reply is worth.
        margin: Pairs are made of replies whose worth differs by more than this.
        seed: Which turn is branched, and what is drawn in the copies.
        shaping: What an episode is worth.
    """

    copies: int = 4
    budget: int | None = None
    continuations: int = 1
    margin: float = 0.0
    seed: str = "0"
    shaping: Shaping = field(default_factory=Shaping)


@dataclass
class Spent:
    """What branching did.

    Attributes:
        copies: Copies that were begun.
        pruned: Copies given up because another one had the same reply.
        equal: Seats without a pair: all replies were the same, or worth the same.
    """

    copies: int = 0
    pruned: int = 0
    equal: int = 0


@dataclass
class _Branch:
    """One seat's turn with the replies tried there; `plays` are the episodes after each of them."""

    play: TextPlay
    side: Dialogue
    turn: int
    before: list[str]
    plays: dict[str, list[TextPlay]]
    copies: list[TextPlay] = field(default_factory=list)


def branch(
    played: Iterable[tuple[TextPlay, list[Dialogue]]],
    cast: Cast,
    settings: Branching,
    spent: Spent,
    failed: Counter[str],
) -> Iterator[Pair]:
    """Branches one turn of each seat of finished episodes, until the budget is used up.

    Args:
        played: What `fresh` yields.
        cast: Who plays on.
        settings: How.
        spent: Takes the counts; the budget holds for all calls with the same object.
        failed: Takes the reasons why copies could not be played.

    Yields:
        The best and the worst reply to the same question, where they are not worth the same.
    """
    for group in batched(((play, side) for play, sides in played for side in sides), _BATCH):
        branches = [found for play, side in group if (found := _begin(play, side, settings, spent))]
        advance([copy for one in branches for copy in one.copies], cast, settings.seed)
        for one in branches:
            _prune(one, spent, failed)
            _continue(one, settings, spent)
        play_out([play for one in branches for plays in one.plays.values() for play in plays], cast, settings.seed)
        for one in branches:
            pair = _pair(one, settings, failed)
            if pair:
                yield pair
            else:
                spent.equal += 1
        if _room(settings, spent, 1) < 1:
            return


def _room(settings: Branching, spent: Spent, wanted: int) -> int:
    return wanted if settings.budget is None else min(wanted, settings.budget - spent.copies)


def _begin(play: TextPlay, side: Dialogue, settings: Branching, spent: Spent) -> _Branch | None:
    """Copies of the episode up to one of the seat's turns."""
    room = _room(settings, spent, settings.copies)
    if room < 1:
        return None
    episode, seat = play.episode, side.meta.seat
    own = [place for place, turn in enumerate(episode.turns) if turn.role == seat]
    turn = Random(f"branch/{settings.seed}/{play.name}/{seat}").randrange(len(own))
    one = _Branch(play, side, turn, episode.replies[: own[turn]], {side.steps[turn].said: [play]})
    one.copies = [_copy(one, one.before, number, spent) for number in range(room)]
    return one


def _copy(one: _Branch, replies: list[str], number: int, spent: Spent) -> TextPlay:
    spent.copies += 1
    play, seat = one.play, one.side.meta.seat
    episode = Episode(play.episode.game, play.episode.instance, replies)
    return TextPlay(episode, f"{play.name}/{seat}/{number}", play.print, play.roles, {seat: SeatLog()})


def _prune(one: _Branch, spent: Spent, failed: Counter[str]) -> None:
    for copy in one.copies:
        if copy.failure is not None:
            failed[copy.failure] += 1
        elif copy.episode.turns[-1].reply in one.plays:
            spent.pruned += 1
        else:
            one.plays[copy.episode.turns[-1].reply] = [copy]


def _continue(one: _Branch, settings: Branching, spent: Spent) -> None:
    """Further plays after each reply, where one is not enough."""
    if len(one.plays) < 2:
        return
    number = settings.copies
    for said, plays in one.plays.items():
        for _ in range(_room(settings, spent, settings.continuations - 1)):
            number += 1
            plays.append(_copy(one, [*one.before, said], number, spent))


def _pair(one: _Branch, settings: Branching, failed: Counter[str]) -> Pair | None:
    seat, worth = one.side.meta.seat, defaultdict(list)
    for said, plays in one.plays.items():
        for play in plays:
            if play.failure is not None:
                failed[play.failure] += 1
            elif (value := _worth(play, seat, settings.shaping)) is not None:
                worth[said].append(value)
    means = {said: sum(values) / len(values) for said, values in worth.items()}
    if not means:
        return None
    best, worst = max(means, key=lambda said: means[said]), min(means, key=lambda said: means[said])
    if means[best] - means[worst] <= settings.margin:
        return None
    context = next(context for place, (context, _) in enumerate(one.side.contexts()) if place == one.turn)
    player = one.side.meta.player
    return Pair.of_turn(one.side, context, (best, worst), one.turn, (means[best], means[worst]), (player, player))


def _worth(play: TextPlay, seat: str, shaping: Shaping) -> float | None:
    outcome = play.episode.outcome
    if outcome is None:
        return None
    credit = turn_credit(play.episode, seat)
    return shaping.reward(outcome.kind, outcome.score, outcome.faulty_role, seat, credit, 0)
