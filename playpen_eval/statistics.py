"""How sure we are: intervals, paired differences, tests, power and the decision of a gate, on plain data.

Every interval here counts one more instance than there are: for the lower limit one with the worst result there can be,
for the upper limit one with the best. The rest is a bootstrap. For a mean it is the Bayesian one, which makes the
interval Clopper and Pearson's for 0/1 data and Gaffke's for bounded scores (Learned-Miller and Thomas 2019, arXiv
1905.06208), of which no distribution is known with less than nominal coverage; for differences of runs the ordinary
one. Unlike Wilson's interval and the usual bootstraps (percentile, BCa) these keep their level with few instances, rare
events and data that are all equal; tests/bench/simulate_statistics.py prints how they compare.

Draws are seeded and data sorted first: the same data give the same numbers in whatever order they come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from playpen_eval.errors import UserError
from playpen_eval.scoring import CONFIDENCE, Interval

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray

Statistic = Callable[["Array", "Array"], "Array"]
"""From % played and quality (0-100, NaN where nothing was played) to one figure.

Both have one row per stratum, in sorted order; the figure is an aggregate over rows. Quality is on the scale of the
scores that were given.
"""

Decision = Literal["pass", "regression", "not enough evidence"]

DRAWS = 9_999  # one less than a round number: then p <= 0.05 exactly where the 95% interval leaves out 0
_CELLS = 4_000_000  # weights held in memory at a time
_TOLERANCE = 1e-9


class Difference(NamedTuple):
    """What changed from one run to another.

    Attributes:
        before: The figure of the first run.
        after: That of the second.
        effect: after - before.
        interval: Interval of the effect.
        p: Two-sided; below 1 - confidence exactly where the interval leaves out 0.
        n: Instances compared.
    """

    before: float
    after: float
    effect: float
    interval: Interval
    p: float
    n: int

    def detectable(self, power: float = 0.8) -> float:
        return 1.43 * (self.interval.high - self.interval.low) / 2


class McNemar(NamedTuple):
    """Exact McNemar test of two runs' successes on the same instances.

    Attributes:
        gained: Won only by the second run.
        lost: Won only by the first.
        both: Won by both.
        neither: Won by neither.
        p: Two-sided.
    """

    gained: int
    lost: int
    both: int
    neither: int
    p: float


def macro_mean(played: Array, quality: Array) -> Array:
    """Mean over strata of the mean score, aborted episodes counting 0."""
    import numpy as np

    return (played / 100 * np.nan_to_num(quality)).mean(axis=0)


def macro_played(played: Array, quality: Array) -> Array:
    """Mean over strata of % played."""
    return played.mean(axis=0)


def macro_clemscore(played: Array, quality: Array) -> Array:
    """`scoring.clemscore` without its rounding, and 0 where nothing at all was played."""
    import numpy as np

    known = np.maximum((~np.isnan(quality)).sum(axis=0), 1)
    return played.mean(axis=0) / 100 * np.nansum(quality, axis=0) / known


def mean_interval(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    bounds: tuple[float, float] = (0.0, 100.0),
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interval of a mean of bounded values; it never leaves the bounds.

    Args:
        values: One per episode; the interval of none at all is all there is.
        clusters: What each was an episode of: plays of one instance are not independent of each other.
        bounds: The smallest and the largest value possible.
        confidence: Level of the interval.

    Raises:
        UserError: A value lies outside its bounds.
    """
    import numpy as np

    minimum, maximum = bounds
    values = _checked(values, bounds)
    if not values:
        return Interval(minimum, maximum)
    if clusters is None and all(value in bounds for value in values):
        from scipy.stats import binomtest

        exact = binomtest(values.count(maximum), len(values)).proportion_ci(confidence)
        return Interval(*(minimum + (maximum - minimum) * float(limit) for limit in exact))
    rows = _rows([(1.0, value) for value in values], range(len(values)) if clusters is None else clusters)
    rng = np.random.default_rng(0)
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    size, total = _sums(distinct, DRAWS, lambda shape: rng.standard_gamma(counts, shape)).T
    extra = rng.standard_exponential(DRAWS) * rows[:, 0].mean()
    low, high = ((total + bound * extra) / (size + extra) for bound in bounds)
    limits = _limits(low, high, confidence)
    return _around(Interval(max(limits.low, minimum), min(limits.high, maximum)), math.fsum(values) / len(values))


def paired_difference(
    before: Sequence[float | None],
    after: Sequence[float | None],
    strata: Sequence[str],
    statistic: Statistic = macro_mean,
    *,
    clusters: Sequence[Hashable] | None = None,
    bounds=(0.0, 100.0),
    confidence: float = CONFIDENCE,
    draws: int = DRAWS,
) -> Difference:
    """Compares two runs of the same instances by a bootstrap over instances within strata.

    The one more instance (see the module) belongs to the stratum where it moves the figure most: one run aborts it and
    the other reaches the maximum; where scores below 0 are possible, they are at opposite bounds. For clemscores that
    makes wide intervals where few episodes are played.

    Args:
        before: Score of each episode of the first run; None if aborted.
        after: The same episodes in the second run.
        strata: What each belongs to, such as its game.
        statistic: The figure that is compared.
        clusters: The instance of each, where instances were played several times.
        bounds: The smallest and the largest score possible, in all strata.
        confidence: Level of the interval; see `both_sides` for one-sided limits.
        draws: Number of resamples.

    Raises:
        UserError: The lengths differ, there is no episode, or a score lies outside its bounds.
    """
    import numpy as np

    if not len(before) == len(after) == len(strata) == len(strata if clusters is None else clusters):
        raise UserError(f"{len(before)} scores before, {len(after)} after and {len(strata)} strata; pair them first")
    if not strata:
        raise UserError("no episode to compare; the two runs share no instance")
    bounds = (-100.0, 100.0)
    first, second = _checked(before, bounds), _checked(after, bounds)
    tables = _tables(first, second, strata, clusters)
    mirrored = _tables(second, first, strata, clusters)
    # Of a comparison and its mirror image only one is ever computed, so that they agree to the last digit.
    flipped = _order(mirrored) < _order(tables)
    tables = mirrored if flipped else tables

    def effect(sums: Sequence[Array]) -> Array:
        return _figure(statistic, sums, 3) - _figure(statistic, sums, 1)

    rng = np.random.default_rng(0)
    totals, resampled = [], []
    for rows, counts in tables:
        n, shares = counts.sum(), counts / counts.sum()
        totals.append((counts @ rows)[None])
        resampled.append(_sums(rows, draws, lambda shape, n=n, shares=shares: rng.multinomial(n, shares, shape[0])))
    weight = rng.standard_exponential(draws)[:, None]
    plays = [total[0, 0] / counts.sum() for total, (_, counts) in zip(totals, tables)]
    tails = []
    best, worst = (1, bounds[1]), (1, bounds[0]) if bounds[0] < 0 else (0, 0)
    for sign, instance in ((-1, (1, *best, *worst)), (1, (1, *worst, *best))):
        extra = np.outer(plays, instance)
        moved = [sign * effect(_with(totals, index, extra[index]))[0] for index in range(len(tables))]
        most = int(np.argmax(moved))
        tails.append(effect(_with(resampled, most, weight * extra[most])))
    low, high = tails
    limits = _limits(low, high, confidence)
    tail = min((low <= 0).sum(), (high >= 0).sum())
    old, new = (float(_figure(statistic, totals, column)[0]) for column in (1, 3))
    if flipped:
        old, new, limits = new, old, Interval(-limits.high, -limits.low)
    p = min(1.0, 2 * (int(tail) + 1) / (draws + 1))
    number = int(sum(counts.sum() for _, counts in tables))
    return Difference(old, new, new - old, _around(limits, new - old), p, number)


def both_sides(confidence: float) -> float:
    """Level of the two-sided interval whose limits are one-sided limits of the level given: 0.95 -> 0.9."""
    return 2 * confidence - 1


def mcnemar_exact(before_success: Sequence[bool], after_success: Sequence[bool]) -> McNemar:
    """Whether successes became more or fewer: a binomial test of the instances that only one run won.

    Raises:
        UserError: The two do not have the same length, so they are not the same instances.
    """
    from scipy.stats import binomtest

    if len(before_success) != len(after_success):
        raise UserError(f"{len(before_success)} successes before and {len(after_success)} after; pair them first")
    pairs = [(bool(one), bool(other)) for one, other in zip(before_success, after_success, strict=True)]
    gained, lost = pairs.count((False, True)), pairs.count((True, False))
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return McNemar(gained, lost, pairs.count((True, True)), pairs.count((False, False)), p)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p values (Holm 1979), for which the chance of any false finding at all stays below the level.

    Raises:
        UserError: A value is no probability.
    """
    adjusted, largest = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        if not 0 <= p <= 1:
            raise UserError(f"the p value of {name} is {p}; it must lie in [0, 1]")
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def power(
    effect: float, differences: Mapping[str, Sequence[float]], *, alpha: float = 0.05, largest: float = 100.0
) -> float:
    """Chance that `paired_difference` finds a true difference of macro means.

    Args:
        effect: The true difference.
        differences: Stratum -> after - before of its instances (their plays averaged), which tell the spread.
        alpha: Level of the two-sided test.
        largest: The largest difference possible.
    """
    from scipy.stats import norm

    error, shift = _spread(differences, largest)
    critical = float(norm.ppf(1 - alpha / 2))
    return float(sum(norm.cdf((sign * effect - shift) / error - critical) for sign in (1, -1)))


def minimum_detectable_effect(
    differences: Mapping[str, Sequence[float]], power: float = 0.8, *, alpha: float = 0.05, largest: float = 100.0
) -> float:
    """The smallest true difference of macro means, up or down, that is found with the given power.

    The arguments are those of `power`.
    """
    from scipy.stats import norm

    error, shift = _spread(differences, largest)
    return shift + float(norm.ppf(1 - alpha / 2) + norm.ppf(power)) * error


def gate_decision(
    estimate: float | None, interval: Interval | None, threshold: float, *, at_most: bool = False
) -> Decision:
    """Decides a rule such as `effect >= -2 @ 95%`.

    Args:
        estimate: The figure; None if there is none.
        interval: Each limit one-sided, of the level in question (see `both_sides`). None decides by the estimate.
        threshold: What the figure is compared with.
        at_most: True if the rule is `<=` rather than `>=`.

    Returns:
        `regression` if everything in the interval breaks the rule, which at a true value on the threshold happens no
        more often than the level allows; `pass` if everything keeps it.
    """
    if estimate is None or math.isnan(estimate):
        return "not enough evidence"
    low, high = interval or (estimate, estimate)
    if at_most:
        low, high, threshold = -high, -low, -threshold
    if low >= threshold:
        return "pass"
    return "regression" if high < threshold else "not enough evidence"


def _checked(values: Sequence[float | None], bounds: tuple[float, float]) -> list:
    minimum, maximum = bounds
    for index, value in enumerate(values):
        if value is not None and not minimum - _TOLERANCE <= value <= maximum + _TOLERANCE:
            raise UserError(f"score {value} (entry {index}) lies outside [{minimum:g}, {maximum:g}]")
    return [None if value is None else min(max(float(value), minimum), maximum) for value in values]


def _rows(episodes: Sequence[tuple[float, ...]], clusters: Sequence[Hashable]) -> Array:
    """Sums over the episodes of each cluster."""
    import numpy as np

    groups: dict[Hashable, list[tuple[float, ...]]] = {}
    for episode, cluster in zip(episodes, clusters, strict=True):
        groups.setdefault(cluster, []).append(episode)
    # fsum, so that the order of plays does not matter to the last digit either.
    rows = [[math.fsum(column) for column in zip(*group, strict=True)] for group in groups.values()]
    return np.array(rows)


def _tables(
    before: list, after: list, strata: Sequence[str], clusters: Sequence[Hashable] | None
) -> list[tuple[Array, Array]]:
    """By stratum the distinct rows (plays, played, score before, played, score after), and how often each occurs."""
    import numpy as np

    members: dict[str, list[int]] = {}
    for index, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(index)
    tables = []
    for _, indices in sorted(members.items()):
        pairs = [
            (1.0, float(before[i] is not None), before[i] or 0.0, float(after[i] is not None), after[i] or 0.0)
            for i in indices
        ]
        rows = _rows(pairs, indices if clusters is None else [clusters[i] for i in indices])
        tables.append(np.unique(rows, axis=0, return_counts=True))
    return tables


def _order(tables: list[tuple[Array, Array]]) -> list:
    return [(rows.tolist(), counts.tolist()) for rows, counts in tables]


def _sums(rows: Array, draws: int, weights: Callable[[tuple[int, int]], Array]) -> Array:
    """Sums of the weighted rows, one per draw; only so many weights are in memory at a time."""
    import numpy as np

    step = max(1, _CELLS // max(1, len(rows)))
    starts = range(0, draws, step)
    return np.concatenate([weights((min(step, draws - start), len(rows))) @ rows for start in starts])


def _with(sums: Sequence[Array], index: int, extra: Array) -> list[Array]:
    return [one + extra if number == index else one for number, one in enumerate(sums)]


def _figure(statistic: Statistic, sums: Sequence[Array], column: int) -> Array:
    """The statistic of the run whose columns start at `column`; `sums` has one array of draws per stratum."""
    import numpy as np

    stacked = np.stack(sums)
    plays, played, score = stacked[..., 0], stacked[..., column], stacked[..., column + 1]
    quality = np.divide(score, played, out=np.full_like(score, math.nan), where=played > 0)
    return statistic(100 * played / plays, quality)


def _limits(low: Array, high: Array, confidence: float) -> Interval:
    import numpy as np

    rank = max(1, int((1 - confidence) / 2 * (len(low) + 1) + _TOLERANCE))
    return Interval(float(np.partition(low, rank - 1)[rank - 1]), float(np.partition(high, -rank)[-rank]))


def _around(interval: Interval, estimate: float) -> Interval:
    """Widens an interval by the rounding error that can leave its own estimate out."""
    return Interval(min(interval.low, estimate), max(interval.high, estimate))


def _spread(differences: Mapping[str, Sequence[float]], largest: float) -> tuple[float, float]:
    """Standard deviation of a limit's draws, and how far the one more instance moves their mean."""
    import numpy as np

    if not differences or not all(len(values) for values in differences.values()):
        raise UserError(f"no differences in {[name for name, v in differences.items() if not len(v)] or 'any stratum'}")
    strata = len(differences)
    smallest = min(differences, key=lambda name: len(differences[name]))
    variance = 0.0
    for name, values in differences.items():
        centred = np.asarray(values, dtype=float) - np.mean(values)
        if name == smallest:
            centred = np.append(centred, largest)
        variance += float(centred.var()) / (len(centred) + 1)
    return math.sqrt(variance) / strata, largest / (len(differences[smallest]) + 1) / strata


def episode_bounds(name):
    return (0.0, 100.0)


def figure_interval(values, strata, statistic, *, clusters=None, bounds=(0.0, 100.0), confidence=CONFIDENCE):
    d = paired_difference([0.0] * len(values), values, strata, statistic, clusters=clusters)
    return d.interval


def weighted_mean(weights):
    import numpy as np

    row = np.array([weights[name] for name in sorted(weights)])
    return lambda played, quality: row @ np.nan_to_num(quality)
