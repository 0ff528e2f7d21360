"""How sure we are: intervals, paired differences, tests, power and the decision of a gate, on plain data.

Every interval here counts one more instance than there are: for the lower limit one with the worst result there can be,
for the upper limit one with the best. The rest is a bootstrap over instances within strata. For one mean it is the
Bayesian one, which makes the interval Clopper and Pearson's for 0/1 data and Gaffke's for bounded scores
(Learned-Miller and Thomas 2019, arXiv 1905.06208), of which no distribution is known with less than nominal coverage.
For figures over strata, of one run or of two, it is the ordinary one: a game of which hardly anything was played drops
out of some draws' quality, as it does from that of other samples. Unlike Wilson's interval and the usual bootstraps
(percentile, BCa) these keep their level with few instances, rare events and data that are all equal;
tests/bench/simulate_statistics.py prints how they compare.

Draws are seeded and data sorted first: the same data give the same numbers in whatever order they come.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

from playpen_eval.errors import UserError
from playpen_eval.resampling import (
    ABORTED,
    Bounds,
    Columns,
    Interval,
    Statistic,
    change_of,
    checked,
    figure_of,
    mirrored,
    resample,
    tables,
    totals,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray

Decision = Literal["pass", "regression", "not enough evidence"]

CONFIDENCE = 0.95
DRAWS = 9_999  # one less than a round number: then p <= 0.05 exactly where the 95% interval leaves out 0
_PERCENT = (0.0, 100.0)


class Estimate(NamedTuple):
    """A figure of one run.

    Attributes:
        value: The figure.
        interval: Its interval.
        n: Instances that it is made of.
    """

    value: float
    interval: Interval
    n: int


class Difference(NamedTuple):
    """What changed from one run to another.

    Attributes:
        before: The figure of the first run.
        after: That of the second.
        effect: after - before.
        interval: Interval of the effect.
        p: Two-sided; below 1 - confidence exactly where the interval leaves out 0.
        n: Instances compared.
        error: Standard deviation of a limit's draws, for `power`.
    """

    before: float
    after: float
    effect: float
    interval: Interval
    p: float
    n: int
    error: float

    def power(self, effect: float) -> float:
        """Chance that a true difference of this size is found: that such an interval leaves out 0.

        The limits are taken as normal, and as wide apart and uncertain as here; that they vary less or more at another
        true difference is ignored. Against the threshold T of a gate, ask for the power of effect - T.
        """
        half = (self.interval.high - self.interval.low) / 2
        if not self.error:
            return float(abs(effect) > half)
        return sum(NormalDist().cdf((sign * effect - half) / self.error) for sign in (1, -1))

    def detectable(self, power: float = 0.8) -> float:
        """The smallest true difference, up or down, that is found with the given power (see `power`).

        Raises:
            UserError: The power does not lie between 0 and 1.
        """
        if not 0 < power < 1:
            raise UserError(f"a power of {power} is none; it must lie between 0 and 1")
        half = (self.interval.high - self.interval.low) / 2
        return max(0.0, half + NormalDist().inv_cdf(power) * self.error)


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


class _WeightedMean:
    """Weighted sum over strata of the mean score, aborted episodes counting 0; see `weighted_mean`."""

    def __init__(self, weights: Mapping[str, float], offset: float):
        self.strata = sorted(weights)
        self._weights = [weights[name] for name in self.strata]
        self._offset = offset

    def __call__(self, played: Array, quality: Array) -> Array:
        """The figure, for as many draws as the arrays have columns."""
        import numpy as np

        return np.tensordot(self._weights, played / 100 * np.nan_to_num(quality), axes=1) + self._offset


def weighted_mean(weights: Mapping[str, float], offset: float = 0.0) -> Statistic:
    """A weighted sum over strata of the mean score, aborted episodes counting 0, plus an offset.

    The axis of retained skills over B benchmarks is such a sum, with tasks as strata and items as instances. A
    benchmark scores 100 x (x - chance) / (1 - chance), where x is its tasks' weighted mean. On items of 0-100 this is

        weights[task] = share of the task in its benchmark / (1 - chance) / B
        offset = -100 x (sum over benchmarks of chance / (1 - chance)) / B

    The share is 1 over the number of tasks where `Benchmark.weight` is `equal`, and the task's share of the items where
    it is `size`. In a paired difference the offset cancels.

    Where tasks hold the same items in other words (`Benchmark.repeated`), the benchmark is one stratum with the weight
    1 / (1 - chance) / B, and the versions of an item are one cluster: the cluster is what the tasks do not differ in
    (`Leaf.config`) with the item's index in its task, not the index alone.

    Args:
        weights: Stratum -> its weight; every stratum must have one.
        offset: Added to the sum.

    Raises:
        UserError: A weight is negative or no number; then the best and the worst result would not be what they are.
    """
    if odd := [f"{name}: {weight}" for name, weight in weights.items() if not 0 <= weight < math.inf]:
        raise UserError(f"weights must be numbers that are not negative, unlike {', '.join(odd)}")
    return _WeightedMean(weights, offset)


def mean_interval(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    bounds: Bounds = _PERCENT,
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
    minimum, maximum = bounds
    values = checked(values, [bounds] * len(values))
    if not values:
        return Interval(minimum, maximum)
    if clusters is not None and len(set(clusters)) == len(values):
        clusters = None
    if clusters is None and all(value in bounds for value in values):
        from scipy.stats import binomtest

        exact = binomtest(values.count(maximum), len(values)).proportion_ci(confidence)
        return Interval(*(minimum + (maximum - minimum) * float(limit) for limit in exact))
    found = tables([values], [""] * len(values), clusters)
    extremes = {"": ([(1.0, minimum)], [(1.0, maximum)])}
    tails = resample(found, figure_of(macro_mean, 0), extremes, DRAWS, bayesian=True)
    limits = tails.limits(confidence, math.fsum(values) / len(values))
    return Interval(max(limits.low, minimum), min(limits.high, maximum))


def run_estimate(
    scores: Sequence[float | None],
    strata: Sequence[str],
    statistic: Statistic = macro_mean,
    *,
    clusters: Sequence[Hashable] | None = None,
    bounds: Bounds | Mapping[str, Bounds] = _PERCENT,
    confidence: float = CONFIDENCE,
    draws: int = DRAWS,
) -> Estimate:
    """A figure of one run, such as its clemscore over games, with an interval.

    The one more instance (see the module) belongs to the stratum where it moves the figure most. In the worst case it
    is aborted or has the lowest score, whichever is worse: for clemscores a loss where hardly anything was played.

    Args:
        scores: Score of each episode; None if aborted.
        strata: What each belongs to, such as its game.
        statistic: The figure.
        clusters: The instance of each, where instances were played several times.
        bounds: The smallest and the largest score possible, for all strata or for each.
        confidence: Level of the interval; see `both_sides` for one-sided limits.
        draws: Number of resamples.

    Raises:
        UserError: The lengths differ, there is no episode, a stratum has no bounds or no weight, or a score lies
            outside its bounds.
    """
    [scores], limits = _episodes([scores], strata, clusters, bounds, statistic)
    found = tables([scores], strata, clusters)
    figure = figure_of(statistic, 0)
    extremes = {name: ([ABORTED, (1.0, low)], [(1.0, high)]) for name, (low, high) in limits.items()}
    value = float(figure(totals(found))[0])
    tails = resample(found, figure, extremes, draws, bayesian=False)
    return Estimate(value, tails.limits(confidence, value), sum(int(table.counts.sum()) for table in found.values()))


def paired_difference(
    before: Sequence[float | None],
    after: Sequence[float | None],
    strata: Sequence[str],
    statistic: Statistic = macro_mean,
    *,
    clusters: Sequence[Hashable] | None = None,
    bounds: Bounds | Mapping[str, Bounds] = _PERCENT,
    confidence: float = CONFIDENCE,
    draws: int = DRAWS,
) -> Difference:
    """Compares two runs of the same instances.

    The one more instance (see the module) belongs to the stratum where it moves the figure most: one run reaches the
    maximum, and the other aborts it, or has the lowest score where that lies below 0. For clemscores that makes wide
    intervals where few episodes are played.

    Args:
        before: Score of each episode of the first run; None if aborted.
        after: The same episodes in the second run.
        strata: What each belongs to, such as its game.
        statistic: The figure that is compared.
        clusters: The instance of each, where instances were played several times.
        bounds: The smallest and the largest score possible, for all strata or for each.
        confidence: Level of the interval; see `both_sides` for one-sided limits.
        draws: Number of resamples.

    Raises:
        UserError: As `run_estimate`.
    """
    runs, limits = _episodes([before, after], strata, clusters, bounds, statistic)
    found = tables(runs, strata, clusters)
    mirror = {name: mirrored(table) for name, table in found.items()}
    ours, theirs = ([table.order for table in one.values()] for one in (found, mirror))
    # Of a comparison and its mirror image only one is ever computed, so that they agree to the last digit.
    flipped, alike = theirs < ours, theirs == ours
    found = mirror if flipped else found
    extremes: dict[str, tuple[list[Columns], list[Columns]]] = {}
    for name, (low, high) in limits.items():
        worst, best = [ABORTED] + [(1.0, low)] * (low < 0), (1.0, high)
        extremes[name] = [best + one for one in worst], [one + best for one in worst]
    tails = resample(found, change_of(statistic), extremes, draws, bayesian=False)
    observed = totals(found)
    old, new = (float(figure_of(statistic, run)(observed)[0]) for run in (0, 1))
    new = old if alike else new
    interval = tails.limits(confidence, new - old)
    p = min(1.0, 2 * (int(min((tails.low <= 0).sum(), (tails.high >= 0).sum())) + 1) / (draws + 1))
    if alike:
        half = (interval.high - interval.low) / 2
        interval, p = Interval(-half, half), 1.0
    if flipped:
        old, new, interval = new, old, Interval(-interval.high, -interval.low)
    number = sum(int(table.counts.sum()) for table in found.values())
    return Difference(old, new, new - old, interval, p, number, tails.error)


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


def _episodes(
    runs: Sequence[Sequence[float | None]],
    strata: Sequence[str],
    clusters: Sequence[Hashable] | None,
    bounds: Bounds | Mapping[str, Bounds],
    statistic: Statistic,
) -> tuple[list[list], Mapping[str, Bounds]]:
    """The runs' scores and the bounds of each stratum, all of them checked."""
    lengths = [len(one) for one in (*runs, strata, strata if clusters is None else clusters)]
    if len(set(lengths)) > 1:
        scores = " and ".join(str(length) for length in lengths[: len(runs)])
        raise UserError(
            f"{scores} scores, {lengths[-2]} strata and {lengths[-1]} clusters; each episode has one of each"
        )
    if not strata:
        raise UserError(f"no episode{' to compare; the two runs share no instance' if len(runs) > 1 else ''}")
    names = sorted(set(strata))
    if odd := sorted(set(names).symmetric_difference(getattr(statistic, "strata", names))):
        raise UserError(f"the weights must be those of the strata; only one of the two has {', '.join(odd)}")
    limits = bounds if isinstance(bounds, Mapping) else dict.fromkeys(names, bounds)
    if missing := [name for name in names if name not in limits]:
        raise UserError(f"no bounds for {', '.join(missing)}")
    return [checked(run, [limits[name] for name in strata]) for run in runs], limits
