"""From outcomes to the numbers that are reported: played, quality, clemscore, each with an interval.

Definitions and rounding follow clembench's evaluation: `played` is the share of episodes that were not aborted,
`quality` the mean score of those, and the clemscore their product, over games as macro averages.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from playpen_eval.game import Outcome

CONFIDENCE = 0.95


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


class Interval(NamedTuple):
    """A 95% confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class GameScore:
    """The figures of one game; percentages and qualities lie in [0, 100].

    Attributes:
        n: Episodes that count.
        success: Episodes won.
        lose: Episodes lost.
        aborted: Episodes in which the learner broke the protocol.
        partner_aborted: Episodes left out because a partner broke the protocol.
        played: Percentage of episodes that were not aborted.
        played_interval: Wilson interval of `played`.
        quality: Mean score of the episodes played; None if none was.
        quality_interval: Percentile bootstrap over episodes; None below two episodes.
        clemscore: played x quality / 100; 0 if nothing was played, None if nothing counts.
    """

    n: int
    success: int
    lose: int
    aborted: int
    partner_aborted: int
    played: float | None
    played_interval: Interval | None
    quality: float | None
    quality_interval: Interval | None
    clemscore: float | None


def episode_score(outcome: Outcome, learner_roles: Iterable[str] | None = None) -> EpisodeScore:
    """What an outcome means for the learner.

    Args:
        outcome: The episode's outcome.
        learner_roles: The roles that the learner played; None if it played all of them.
    """
    fault = outcome.faulty_role is not None and learner_roles is not None and outcome.faulty_role not in learner_roles
    return EpisodeScore(outcome.kind, outcome.score, fault)


def summarise(scores: Sequence[EpisodeScore], clusters=None, *, intervals: bool = True) -> GameScore:
    """The figures of one game.

    Args:
        scores: One entry per episode.
        intervals: False to leave the intervals out (they need scipy, which takes a second to load).
    """
    counted = [score for score in scores if not score.partner_fault]
    kinds = [score.kind for score in counted]
    qualities = [100 * score.score for score in counted if score.score is not None]
    n = len(counted)
    played = 100 * len(qualities) / n if n else None
    quality = math.fsum(qualities) / len(qualities) if qualities else None
    return GameScore(
        n=n,
        success=kinds.count("success"),
        lose=kinds.count("lose"),
        aborted=kinds.count("aborted"),
        partner_aborted=len(scores) - n,
        played=played,
        played_interval=_wilson(len(qualities), n) if intervals and n else None,
        quality=quality,
        quality_interval=_bootstrap(qualities) if intervals and len(qualities) > 1 else None,
        clemscore=None if played is None else played * (quality or 0.0) / 100,
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


def _wilson(successes: int, n: int) -> Interval:
    from scipy.stats import binomtest

    low, high = binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(100 * float(low), 100 * float(high))


def _bootstrap(values: Sequence[float]) -> Interval:
    import numpy as np

    rng = np.random.default_rng(0)
    # Sorted, so that the order of the episodes does not matter.
    means = rng.choice(np.sort(values), size=(2000, len(values))).mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(high))


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
