"""The bootstrap below statistics.py: runs as tables of instances, drawn anew, with one more instance in each tail."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from playpen_eval.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray

Statistic = Callable[["Array", "Array"], "Array"]
"""From % played and quality (0-100, NaN where nothing was played) to one figure.

Both have one row per stratum, in sorted order; the figure is an aggregate over rows. Quality is on the scale of the
scores that were given. A statistic of certain strata names them, sorted, as its attribute `strata`.
"""

Bounds = tuple[float, float]
Figure = Callable[[Sequence["Array"]], "Array"]
Columns = tuple[float, ...]

ABORTED: Columns = (0.0, 0.0)
"""Played and score of an aborted episode."""

TOLERANCE = 1e-9
_CELLS = 4_000_000  # weights held in memory at a time


class Interval(NamedTuple):
    """A confidence interval, of 95% where nothing else is said."""

    low: float
    high: float


class Table(NamedTuple):
    """The instances of one stratum.

    Attributes:
        rows: Distinct sums over the plays of an instance: plays, then (played, score) for each run.
        counts: How many instances have each.
    """

    rows: Array
    counts: Array

    @property
    def order(self) -> tuple[list, list]:
        """What tables are compared and sorted by."""
        return self.rows.tolist(), self.counts.tolist()


class Tails(NamedTuple):
    """Draws of a figure, one more instance making it as small and as large as it can.

    Attributes:
        low: Draws for the lower limit.
        high: Draws for the upper one.
    """

    low: Array
    high: Array

    @property
    def error(self) -> float:
        """Standard deviation of a limit's draws."""
        return float(self.low.std() + self.high.std()) / 2

    def limits(self, confidence: float, estimate: float) -> Interval:
        """The interval, widened by the rounding error that can leave its own estimate out.

        Raises:
            UserError: The level is none, or too high for the number of draws.
        """
        import numpy as np

        draws = len(self.low)
        rank = int((1 - confidence) / 2 * (draws + 1) + TOLERANCE) if 0 < confidence < 1 else 0
        if not rank:
            raise UserError(
                f"no interval of level {confidence} with {draws} draws; the highest is {1 - 2 / (draws + 1)}"
            )
        low = float(np.partition(self.low, rank - 1)[rank - 1])
        high = float(np.partition(self.high, -rank)[-rank])
        return Interval(min(low, estimate), max(high, estimate))


def checked(values: Sequence[float | None], bounds: Sequence[Bounds]) -> list:
    """The values, with rounding errors beyond their bounds taken off.

    Raises:
        UserError: A value lies outside its bounds.
    """
    for index, (value, (minimum, maximum)) in enumerate(zip(values, bounds)):
        if value is not None and not minimum - TOLERANCE <= value <= maximum + TOLERANCE:
            raise UserError(f"score {value} (entry {index}) lies outside [{minimum:g}, {maximum:g}]")
    return [None if value is None else min(max(float(value), low), high) for value, (low, high) in zip(values, bounds)]


def tables(
    runs: Sequence[Sequence[float | None]], strata: Sequence[str], clusters: Sequence[Hashable] | None
) -> dict[str, Table]:
    """The runs' episodes by stratum, in sorted order; a None is an aborted episode."""
    import numpy as np

    members: dict[str, list[int]] = {}
    for index, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(index)
    found = {}
    for stratum, indices in sorted(members.items()):
        groups: dict[Hashable, list[Columns]] = {}
        for i in indices:
            scores = [(float(run[i] is not None), run[i] or 0.0) for run in runs]
            groups.setdefault(i if clusters is None else clusters[i], []).append((1.0, *(x for s in scores for x in s)))
        # fsum, so that the order of plays does not matter to the last digit either.
        rows = [[math.fsum(column) for column in zip(*group, strict=True)] for group in groups.values()]
        found[stratum] = Table(*np.unique(rows, axis=0, return_counts=True))
    return found


def mirrored(table: Table) -> Table:
    """The table of two runs with the runs exchanged."""
    import numpy as np

    rows = table.rows[:, [0, 3, 4, 1, 2]]
    order = np.lexsort(rows.T[::-1])
    return Table(rows[order], table.counts[order])


def totals(found: Mapping[str, Table]) -> list[Array]:
    """Sums over all instances of each stratum, as one draw."""
    return [(table.counts @ table.rows)[None] for table in found.values()]


def figure_of(statistic: Statistic, run: int) -> Figure:
    """The statistic of one of the runs, from one array of summed rows per stratum."""

    def figure(sums: Sequence[Array]) -> Array:
        import numpy as np

        stacked = np.stack(sums)
        plays, played, score = stacked[..., 0], stacked[..., 1 + 2 * run], stacked[..., 2 + 2 * run]
        quality = np.divide(score, played, out=np.full_like(score, math.nan), where=played > 0)
        return statistic(100 * played / plays, quality)

    return figure


def change_of(statistic: Statistic) -> Figure:
    """The statistic of the second run less that of the first."""
    first, second = figure_of(statistic, 0), figure_of(statistic, 1)
    return lambda sums: second(sums) - first(sums)


def resample(
    found: Mapping[str, Table],
    figure: Figure,
    extremes: Mapping[str, tuple[Sequence[Columns], Sequence[Columns]]],
    draws: int,
    *,
    bayesian: bool,
) -> Tails:
    """Draws a figure from instances drawn anew within their strata, and one more in one of them.

    That one weighs as much as an average instance, times a standard exponential; it has the stratum and the result
    which move the figure most.

    Args:
        found: The tables.
        figure: From summed rows to the figure.
        extremes: Stratum -> results that the one more instance may have for the lower and for the upper limit, in the
            columns of the tables' rows, without plays.
        draws: Number of draws.
        bayesian: Give instances exponential weights rather than draw them with replacement.
    """
    import numpy as np

    rng = np.random.default_rng(0)

    def drawn(table: Table) -> Array:
        rows, counts = table
        n, shares = counts.sum(), counts / counts.sum()
        step = max(1, _CELLS // len(rows))
        sizes = [min(step, draws - start) for start in range(0, draws, step)]
        # A sum of exponential weights has a gamma distribution.
        return np.concatenate(
            [
                (rng.standard_gamma(counts, (size, len(rows))) if bayesian else rng.multinomial(n, shares, size)) @ rows
                for size in sizes
            ]
        )

    resampled, observed = [drawn(table) for table in found.values()], totals(found)
    weight = rng.standard_exponential(draws)[:, None]
    tails = []
    for tail, sign in enumerate((-1, 1)):
        options = [
            (index, observed[index][0, 0] / table.counts.sum() * np.array([1.0, *columns]))
            for index, (stratum, table) in enumerate(found.items())
            for columns in extremes[stratum][tail]
        ]
        moved = [sign * figure(_with(observed, index, extra))[0] for index, extra in options]
        # Rounding errors must not choose between strata that move the figure alike.
        largest = max(moved) - TOLERANCE * max(map(abs, moved))
        most, extra = next(option for option, move in zip(options, moved) if move >= largest)
        tails.append(figure(_with(resampled, most, weight * extra)))
    return Tails(*tails)


def _with(sums: Sequence[Array], index: int, extra: Array) -> list[Array]:
    return [one + extra if number == index else one for number, one in enumerate(sums)]
