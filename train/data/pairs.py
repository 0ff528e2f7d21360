"""Preference pairs: of whole dialogues and of single turns, matched on instance, version and seat.

As in the Playpen paper (its 1.6): chosen is a success, rejected a lose or an abort; a dialogue pair shares its first
prompt, a turn pair the whole history up to the turn where the two part. Both sides end at the seat's last words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from playpen_eval.episode import Message

from .dialogues import Dialogue

CAP = 10_000
CAPS = {"wordle": 1_000, "wordle_withclue": 1_000}
"""Pairs per game in the paper: 10,000, of wordle without and with a clue 1,000."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A preference.

    Attributes:
        side: The dialogue of the chosen side, for what it says about instance and seat.
        prompt: What both sides share.
        chosen: The better messages.
        rejected: The worse ones.
        turn: The seat's turn at which they part; 0 for a dialogue pair.
        worth: Scores of the two episodes, or mean rewards of the two replies; None where aborted.
        players: Who played the two sides.
        chosen_learn: Places in `chosen` of what the seat said.
        rejected_learn: Places in `rejected` of what the seat said.
    """

    side: Dialogue
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    turn: int
    worth: tuple[float | None, float | None]
    players: tuple[str, str]
    chosen_learn: list[int]
    rejected_learn: list[int]

    @classmethod
    def of_turn(
        cls,
        side: Dialogue,
        context: list[Message],
        said: tuple[str, str],
        turn: int,
        worth: tuple[float | None, float | None],
        players: tuple[str, str],
    ) -> Pair:
        """A pair of two replies (chosen, rejected) to the same chat."""
        chosen, rejected = ([{"role": "assistant", "content": text}] for text in said)
        return cls(side, context, chosen, rejected, turn, worth, players, [0], [0])


@dataclass(frozen=True)
class Pairing:
    """How pairs are made.

    Attributes:
        turns: Pairs of single turns instead of whole dialogues.
        aborted: Aborted episodes count as rejected.
        negatives: Rejected sides for each chosen one; None for all.
        cap: Pairs per game.
        caps: Game -> another cap.
        first_turns_only: The cap counts pairs of the first turn only, as the paper's does; others are not limited.
        seed: Which pairs are kept.
    """

    turns: bool = False
    aborted: bool = True
    negatives: int | None = None
    cap: int = CAP
    caps: Mapping[str, int] = field(default_factory=lambda: dict(CAPS))
    first_turns_only: bool = False
    seed: str = "0"

    def limit(self, game: str) -> int:
        """Pairs of a game."""
        return self.caps.get(game, self.cap)


def make_pairs(sides: Iterable[Dialogue], pairing: Pairing) -> list[Pair]:
    """All pairs that the caps allow; which ones are kept depends on the seed alone."""
    groups: dict[tuple[str, int, str, str], tuple[list[Dialogue], list[Dialogue]]] = defaultdict(lambda: ([], []))
    for side in sides:
        meta = side.meta
        better, worse = groups[meta.game, meta.version, meta.instance, meta.seat]
        if meta.kind == "success":
            better.append(side)
        elif side.tells and (meta.kind == "lose" or pairing.aborted):
            worse.append(side)
    return capped((pair for better, worse in groups.values() for pair in _of_group(better, worse, pairing)), pairing)


def capped(pairs: Iterable[Pair], pairing: Pairing) -> list[Pair]:
    """As many of each game as its cap allows, drawn evenly from the instances."""
    by_game: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_game[pair.side.meta.game].append(pair)
    return [pair for game, pairs in by_game.items() for pair in _capped(game, pairs, pairing)]


def _of_group(better: Sequence[Dialogue], worse: Sequence[Dialogue], pairing: Pairing) -> Iterator[Pair]:
    seen: set[tuple[str, ...]] = set()
    for good in better:
        rng = Random(f"pairs/{pairing.seed}/{good.meta.episode}/{good.meta.seat}")
        made = 0
        for bad in rng.sample(worse, len(worse)):
            if pairing.negatives is not None and made == pairing.negatives:
                break
            pair = (_turn_pair if pairing.turns else _dialogue_pair)(good, bad)
            if pair is None:
                continue
            text = tuple(message["content"] for part in (pair.prompt, pair.chosen, pair.rejected) for message in part)
            if text in seen:  # greedy players repeat each other
                continue
            seen.add(text)
            made += 1
            yield pair


def _dialogue_pair(good: Dialogue, bad: Dialogue) -> Pair | None:
    """The remembered chats, if they begin with the same prompt and are not the same."""
    (part, chosen, said, _), (other, rejected, said_too, _) = next(good.chats()), next(bad.chats())
    start = said[0]
    if part or other or start != said_too[0] or chosen[:start] != rejected[:start] or chosen == rejected:
        return None
    return Pair(
        good,
        chosen[:start],
        chosen[start:],
        rejected[start:],
        0,
        (good.meta.score, bad.meta.score),
        (good.meta.player, bad.meta.player),
        [place - start for place in said],
        [place - start for place in said_too],
    )


def _turn_pair(good: Dialogue, bad: Dialogue) -> Pair | None:
    """The first turn at which the replies to the same chat differ."""
    for turn, ((context, chosen), (other, rejected)) in enumerate(zip(good.contexts(), bad.contexts())):
        if context != other:
            return None  # somebody else's words were different first
        if chosen.said != rejected.said:
            players = (good.meta.player, bad.meta.player)
            worth = (good.meta.score, bad.meta.score)
            return Pair.of_turn(good, context, (chosen.said, rejected.said), turn, worth, players)
    return None


def _capped(game: str, pairs: list[Pair], pairing: Pairing) -> list[Pair]:
    free = [pair for pair in pairs if pairing.first_turns_only and pair.turn > 0]
    counted = [pair for pair in pairs if not (pairing.first_turns_only and pair.turn > 0)]
    if len(counted) > pairing.limit(game):
        counted = evenly(counted, pairing.limit(game), pairing.seed)
    return counted + free


def evenly(items: Sequence, limit: int, seed: str) -> list:
    """Draws up to `limit` dialogues or pairs, one of each instance before the second of any; order is kept.

    Args:
        items: Dialogues, or pairs.
        limit: How many.
        seed: Which ones.
    """
    places = list(range(len(items)))
    Random(f"evenly/{seed}").shuffle(places)
    rounds: Counter[str] = Counter()
    ranked = []
    for place in places:
        item = items[place]
        instance = (item.side if isinstance(item, Pair) else item).meta.instance
        ranked.append((rounds[instance], len(ranked), place))
        rounds[instance] += 1
    return [items[place] for place in sorted(place for _, _, place in sorted(ranked)[:limit])]
