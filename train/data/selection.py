"""Which dialogues are kept: outcome, top players, balance over games."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from playpen_eval.errors import UserError
from playpen_eval.scoring import EpisodeScore, clemscore, summarise

from .dialogues import Dialogue
from .pairs import evenly


@dataclass(frozen=True)
class Selection:
    """What is kept, in this order.

    Attributes:
        kinds: Outcomes; all if empty.
        min_score: Least score of an episode that was played to its end; 1 keeps perfect ones only.
        top: For each instance, version and seat only the dialogues of the best so many players that have any left. The
            paper keeps 1 (referencegame) to 100 (wordle), depending on how many successes there are.
        ranking: Players from best to worst; by default by their clemscore over all dialogues read.
        balance: At most so many dialogues per game; 0 for as many as the game with the fewest has; None for all.
        seed: Which ones are kept.
    """

    kinds: Collection[str] = ()
    min_score: float | None = None
    top: int | None = None
    ranking: Sequence[str] = ()
    balance: int | None = None
    seed: str = "0"


def ranked_players(sides: Sequence[Dialogue]) -> list[str]:
    """Players from best to worst by clemscore over what they played here; ties in alphabetical order."""
    scores: dict[str, dict[str, dict[str, EpisodeScore]]] = defaultdict(lambda: defaultdict(dict))
    for side in sides:
        meta = side.meta
        score = EpisodeScore(meta.kind, meta.score, not side.tells)
        # One entry for an episode, not one for each seat; the seat that is to blame for an abort counts.
        before = scores[meta.player][meta.game].get(meta.episode)
        if before is None or before.partner_fault:
            scores[meta.player][meta.game][meta.episode] = score
    totals: dict[str, float] = {}
    for player, games in scores.items():
        found = {name: summarise(list(entries.values()), intervals=False) for name, entries in games.items()}
        total = clemscore({name: (one.played, one.quality) for name, one in found.items()}).clemscore
        totals[player] = total or 0.0
    return sorted(totals, key=lambda player: (-totals[player], player))


def select(sides: Sequence[Dialogue], selection: Selection) -> list[Dialogue]:
    """The dialogues to keep, in their order.

    Raises:
        UserError: The ranking lacks a player whose dialogues would have to be ranked.
    """
    kept = [side for side in sides if _fits(side, selection)]
    if selection.top is not None:
        kept = _top(kept, selection.top, list(selection.ranking) or ranked_players(sides))
    if selection.balance is not None:
        kept = _balanced(kept, selection.balance, selection.seed)
    return kept


def _fits(side: Dialogue, selection: Selection) -> bool:
    kind, score = side.meta.kind, side.meta.score
    if selection.kinds and (kind not in selection.kinds or not side.tells):
        return False
    return selection.min_score is None or (score is not None and score >= selection.min_score)


def _top(sides: Sequence[Dialogue], top: int, ranking: list[str]) -> list[Dialogue]:
    places = {player: place for place, player in enumerate(ranking)}
    missing = sorted({side.meta.player for side in sides} - places.keys())
    if missing:
        raise UserError(f"the ranking has no {', '.join(missing)}; it has {', '.join(ranking)}")
    players: dict[tuple[str, int, str, str], set[str]] = defaultdict(set)
    for side in sides:
        players[_slot(side)].add(side.meta.player)
    best = {slot: sorted(there, key=places.__getitem__)[:top] for slot, there in players.items()}
    return [side for side in sides if side.meta.player in best[_slot(side)]]


def _slot(side: Dialogue) -> tuple[str, int, str, str]:
    meta = side.meta
    return meta.game, meta.version, meta.instance, meta.seat


def _balanced(sides: Sequence[Dialogue], limit: int, seed: str) -> list[Dialogue]:
    counts = Counter(side.meta.game for side in sides)
    if not counts:
        return []
    limit = limit or min(counts.values())
    kept: list[Dialogue] = []
    for game in counts:
        kept += evenly([side for side in sides if side.meta.game == game], limit, seed)
    return kept
