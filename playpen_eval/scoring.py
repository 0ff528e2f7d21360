"""From outcomes to the numbers that are reported: played, quality, clemscore, each with an interval.

Definitions and rounding follow clembench's evaluation: `played` is the share of episodes that were not aborted,
`quality` the mean score of those, and the clemscore their product, over games as macro averages.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from playpen_eval.game import Outcome
from playpen_eval.statistics import Interval, mean_interval


class EpisodeScore(NamedTuple):
    """What an episode adds to the numbers.

    Attributes:
        kind: `success`, `lose` or `aborted`.
        score: In [0, 1]; None when aborted.
        partner_fault: True if a partner, not the learner, broke the protocol. Such an episode says nothing about
            the learner: it is counted, and left out of everything else.
    """

    kind: str
    score: float | None
    partner_fault: bool = False


@dataclass(frozen=True)
class GameScore:
    """The figures of one game; percentages lie in [0, 100], and so do quality and clemscore but in EQ-Bench.

    Intervals are of 95%. Those of shares, and of scores that are all 0 or 100, are Clopper and Pearson's; of other
    scores, and of all where some instance was played several times, are the bootstrap of `statistics.mean_interval`.

    Attributes:
        n: Episodes that count.
        success: Episodes won.
        lose: Episodes lost.
        aborted: Episodes in which the learner broke the protocol.
        partner_aborted: Episodes left out because a partner broke the protocol.
        played: Percentage of episodes that were not aborted.
        quality: Mean score of the episodes played; None if none was.
        clemscore: played x quality / 100, which is the mean score with aborted episodes counting 0; 0 if nothing was
            played, None if nothing counts.
        success_interval: Interval of the percentage of episodes won; like the others None if nothing counts or
            intervals were left out.
        aborted_interval: Interval of the percentage of episodes aborted.
        played_interval: Interval of `played`.
        quality_interval: Interval of `quality`; None if nothing was played.
        clemscore_interval: Interval of `clemscore`.
    """

    n: int
    success: int
    lose: int
    aborted: int
    partner_aborted: int
    played: float | None
    quality: float | None
    clemscore: float | None
    success_interval: Interval | None = None
    aborted_interval: Interval | None = None
    played_interval: Interval | None = None
    quality_interval: Interval | None = None
    clemscore_interval: Interval | None = None


def episode_score(outcome: Outcome, learner_roles: Iterable[str] | None = None) -> EpisodeScore:
    """What an outcome means for the learner.

    Args:
        outcome: The episode's outcome.
        learner_roles: The roles that the learner played; None if it played all of them.
    """
    fault = outcome.faulty_role is not None and learner_roles is not None and outcome.faulty_role not in learner_roles
    return EpisodeScore(outcome.kind, outcome.score, fault)


def summarise(
    scores: Sequence[EpisodeScore],
    clusters: Sequence[Hashable] | None = None,
    *,
    lowest: float = 0.0,
    intervals: bool = True,
) -> GameScore:
    """The figures of one game.

    Args:
        scores: One entry per episode.
        clusters: What each was an episode of, where instances were played several times.
        lowest: The lowest score possible (`Game.lowest_score`), for the intervals. Should a score be lower, it is that.
        intervals: False to leave the intervals out (they need scipy, which takes a second to load).
    """
    kept = [index for index, score in enumerate(scores) if not score.partner_fault]
    counted = [scores[index] for index in kept]
    kinds = [score.kind for score in counted]
    qualities = [100 * score.score for score in counted if score.score is not None]
    n = len(counted)
    played = 100 * len(qualities) / n if n else None
    quality = math.fsum(qualities) / len(qualities) if qualities else None
    figures = GameScore(
        n=n,
        success=kinds.count("success"),
        lose=kinds.count("lose"),
        aborted=kinds.count("aborted"),
        partner_aborted=len(scores) - n,
        played=played,
        quality=quality,
        clemscore=None if played is None else played * (quality or 0.0) / 100,
    )
    if not intervals or not n:
        return figures
    bounds = (min(100 * lowest, 0.0, *qualities), 100.0)
    groups = [index if clusters is None else clusters[index] for index in kept]
    played_groups = [group for group, score in zip(groups, counted) if score.score is not None]
    return replace(
        figures,
        success_interval=mean_interval([100.0 * (kind == "success") for kind in kinds], groups),
        aborted_interval=mean_interval([100.0 * (kind == "aborted") for kind in kinds], groups),
        played_interval=mean_interval([100.0 * (kind != "aborted") for kind in kinds], groups),
        quality_interval=mean_interval(qualities, played_groups, bounds=bounds) if qualities else None,
        clemscore_interval=mean_interval([100 * (score.score or 0.0) for score in counted], groups, bounds=bounds),
    )


def standard_error(values: Sequence[float], clusters: Sequence[object] | None = None) -> float | None:
    """Standard error of a mean.

    Args:
        values: One per episode.
        clusters: What an episode was an episode of; repeated plays of one instance are not independent of each other.

    Returns:
        The error, robust against clusters; None below two clusters.
    """
    mean = math.fsum(values) / len(values) if values else 0.0
    sums: dict[object, float] = {}
    for index, value in enumerate(values):
        cluster = clusters[index] if clusters is not None else index
        sums[cluster] = sums.get(cluster, 0.0) + value - mean
    n = len(sums)
    if n < 2:
        return None
    return math.sqrt(math.fsum(total * total for total in sums.values()) * n / (n - 1)) / len(values)


def round_half_even(value: float, digits: int = 2) -> float:
    """Rounds as numpy does (scale, round, unscale), which clembench's tables need; Python's round differs."""
    scale = 10.0**digits
    return round(value * scale) / scale


class ClemScore(NamedTuple):
    """The aggregate over games.

    Attributes:
        clemscore: round(played / 100 x quality, 2); None where no game was played at all.
        played: Macro average of % played.
        quality: Macro average of quality over the games that have one.
    """

    clemscore: float | None
    played: float | None
    quality: float | None


def clemscore(games: Mapping[str, tuple[float | None, float | None]]) -> ClemScore:
    """Aggregates (played, quality) of several games exactly as clembench does.

    A game whose episodes were all aborted counts with 0 in % played and drops out of the quality average.
    """
    played = _mean([round_half_even(p) for p, _ in games.values() if p is not None])
    quality = _mean([round_half_even(q) for _, q in games.values() if q is not None])
    if played is None or quality is None:
        return ClemScore(None, played, quality)
    return ClemScore(round_half_even(played / 100 * quality), played, quality)


def clemscore_error(
    games: Mapping[str, Sequence[EpisodeScore]], instances: Mapping[str, Sequence[object]]
) -> float | None:
    """Standard error of the clemscore over games, by linearisation (delta method), ignoring the rounding.

    Args:
        games: Game -> its episodes.
        instances: Game -> what each of them was an episode of; plays of one instance are a cluster.

    Returns:
        The error; None where there is no clemscore, or some game has fewer than two instances.
    """
    counted = {
        name: [
            (score, cluster) for score, cluster in zip(scores, instances[name], strict=True) if not score.partner_fault
        ]
        for name, scores in games.items()
    }
    scored = {name: summarise([score for score, _ in part], intervals=False) for name, part in counted.items() if part}
    played = [score.played for score in scored.values() if score.played is not None]
    quality = [score.quality for score in scored.values() if score.quality is not None]
    if not quality:
        return None
    mean_played, mean_quality = math.fsum(played) / len(played), math.fsum(quality) / len(quality)
    variance = 0.0
    for name, game in scored.items():
        # How much each episode moves the product: by being played, and by its score if it was.
        moves = []
        for score, _ in counted[name]:
            move = mean_quality / 100 * 100 * (score.score is not None) / len(played)
            if score.score is not None and game.quality is not None and game.played:
                away = (100 * score.score - game.quality) / (game.played / 100)
                move += mean_played / 100 * away / len(quality)
            moves.append(move)
        error = standard_error(moves, [cluster for _, cluster in counted[name]])
        if error is None:
            return None
        variance += error**2
    return math.sqrt(variance)


def _mean(values: Sequence[float]) -> float | None:
    return round_half_even(math.fsum(values) / len(values)) if values else None
