"""Simulates the statistics of playpen_eval.statistics: coverage, false alarms, power, beside the usual methods.

    python tests/bench/simulate_statistics.py                  # about forty minutes on one core
    python tests/bench/simulate_statistics.py --repeats 200    # a quick look

Coverage below 93% is marked with *. Populations are made up, and their true values known; every repeat draws the
instances anew. `(low/high)` tells on which side of the interval the truth lay when it was missed.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from playpen_eval.resampling import Figure, Statistic, Table, change_of, figure_of, tables, totals
from playpen_eval.statistics import (
    Interval,
    both_sides,
    gate_decision,
    macro_clemscore,
    macro_mean,
    macro_played,
    mean_interval,
    paired_difference,
    run_estimate,
)

BAR = 93.0
DRAWS = 1_999
Rng = np.random.Generator


# Populations of scores, and their means.

SCORES: Mapping[str, tuple[Callable[[Rng, int], np.ndarray], float]] = {
    "all 100": (lambda rng, n: np.full(n, 100.0), 100),
    "all 50": (lambda rng, n: np.full(n, 50.0), 50),
    "0, 50, 100": (lambda rng, n: rng.choice([0.0, 50, 100], size=n), 50),
    "0, 50, 100, mostly 0": (lambda rng, n: rng.choice([0.0, 50, 100], size=n, p=[0.94, 0.03, 0.03]), 4.5),
    "50, rarely 100": (lambda rng, n: rng.choice([50.0, 100], size=n, p=[0.98, 0.02]), 51),
    "1 / turns": (lambda rng, n: 100 / rng.integers(1, 7, size=n), float(100 * np.mean(1 / np.arange(1, 7)))),
    "beta(0.1, 2), skewed": (lambda rng, n: 100 * rng.beta(0.1, 2, size=n), 100 * 0.1 / 2.1),
    "beta(8, 0.3), skewed": (lambda rng, n: 100 * rng.beta(8, 0.3, size=n), 100 * 8 / 8.3),
    "uniform": (lambda rng, n: 100 * rng.random(n), 50),
    "90% 0, rest uniform": (lambda rng, n: 100 * rng.random(n) * (rng.random(n) < 0.1), 5),
}


def percentile_mean(values: np.ndarray, rng: Rng) -> Interval:
    """The percentile bootstrap of a mean."""
    means = rng.choice(values, size=(DRAWS, len(values))).mean(axis=1)
    return Interval(*np.quantile(means, [0.025, 0.975]))


def student(values: np.ndarray) -> Interval:
    """Student's t interval."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return Interval(values.mean() - half, values.mean() + half)


class Tally:
    """Counts how often intervals hold the truth."""

    def __init__(self) -> None:
        self.n, self.below, self.above, self.width = 0, 0.0, 0.0, 0.0

    def add(self, interval: Interval, truth: float, weight: float = 1) -> None:
        """Counts one interval."""
        self.n += 1
        self.below += weight * (truth < interval.low - 1e-9)
        self.above += weight * (truth > interval.high + 1e-9)
        self.width += weight * (interval.high - interval.low)

    def show(self, total: float) -> str:
        """Coverage, misses on either side, mean width."""
        low, high = 100 * self.below / total, 100 * self.above / total
        mark = "*" if 100 - low - high < BAR else " "
        return f"{100 - low - high:6.1f}{mark} ({low:4.1f}/{high:4.1f}) {self.width / total:6.2f}"


def head(title: str, columns: Sequence[str]) -> None:
    """Prints the head of a table."""
    print(f"\n{title}\n{'':24s}" + "".join(f"{column:28s}" for column in columns))


def row(name: str, cells: Sequence[str]) -> None:
    """Prints a row of a table."""
    print(f"{name:24s}" + "".join(f"{cell:28s}" for cell in cells), flush=True)


# One mean.


def shares(n: int) -> None:
    """Coverage for 0/1 data, exactly: every number of successes, weighted by its probability."""
    head(f"0/1 data, n = {n}, exact: coverage (low/high missed), width", ["mean_interval", "Wilson", "percentile"])
    data = [np.repeat([100.0, 0.0], [k, n - k]) for k in range(n + 1)]
    rng = np.random.default_rng(1)
    ours = [mean_interval(list(values)) for values in data]
    wilson = [stats.binomtest(k, n).proportion_ci(method="wilson") for k in range(n + 1)]
    usual = [Interval(100 * low, 100 * high) for low, high in wilson]
    resampled = [percentile_mean(values, rng) for values in data]
    for p in (0, 0.003, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.98, 1):
        cells = []
        for intervals in (ours, usual, resampled):
            tally = Tally()
            for k, interval in enumerate(intervals):
                tally.add(interval, 100 * p, float(stats.binom.pmf(k, n, p)))
            cells.append(tally.show(1))
        row(f"p = {p}", cells)


def bounded(n: int, repeats: int) -> None:
    """Coverage for scores."""
    head(f"scores, n = {n}: coverage (low/high missed), width", ["mean_interval", "Student's t", "percentile"])
    for name, (draw, truth) in SCORES.items():
        rng = np.random.default_rng(2)
        tallies = [Tally() for _ in range(3)]
        for _ in range(repeats):
            values = draw(rng, n)
            for tally, interval in zip(
                tallies, (mean_interval(list(values)), student(values), percentile_mean(values, rng))
            ):
                tally.add(interval, truth)
        row(name, [tally.show(repeats) for tally in tallies])


def clustered(repeats: int) -> None:
    """Coverage when instances are played several times."""
    head("0/1 data, 50 instances x 4 plays: coverage (low/high missed), width", ["by instance", "as if independent"])
    for name, a, b in (("alike plays, p = 0.5", 0.2, 0.2), ("p = 0.1", 0.1, 0.9), ("independent plays", 1e3, 1e3)):
        rng = np.random.default_rng(3)
        tallies = [Tally(), Tally()]
        for _ in range(repeats):
            chance = np.repeat(rng.beta(a, b, size=50), 4)
            values = list(100.0 * (rng.random(200) < chance))
            tallies[0].add(mean_interval(values, np.repeat(range(50), 4).tolist()), 100 * a / (a + b))
            tallies[1].add(mean_interval(values), 100 * a / (a + b))
        row(name, [tally.show(repeats) for tally in tallies])


# Two runs.


class Population(NamedTuple):
    """Instances of one game: how two runs do on them.

    Attributes:
        played: Share of instances that each run plays to the end.
        quality: Mean score of those played, in [0, 1].
        alike: How often the second run does on an instance what the first one did, as far as the shares allow.
        partial: True if scores lie between 0 and 1 rather than at either.
    """

    played: tuple[float, float] = (1, 1)
    quality: tuple[float, float] = (0.5, 0.5)
    alike: float = 0.6
    partial: bool = False

    def draw(self, rng: Rng, n: int) -> tuple[list[float | None], list[float | None]]:
        """Scores of both runs on n instances."""
        shared = [rng.random(n), rng.random(n)]
        runs = []
        for run in (0, 1):
            luck = [np.where(rng.random(n) < self.alike, one, rng.random(n)) for one in shared]
            score = 100.0 * (luck[1] < self.quality[run])
            if self.partial and 0 < self.quality[run] < 1:
                odds = self.quality[run] / (1 - self.quality[run])
                score = 100 * (1 - luck[1]) ** (1 / odds)  # its mean is the quality
            runs.append([float(s) if keep else None for s, keep in zip(score, luck[0] < self.played[run])])
        return runs[0], runs[1]


Games = Sequence[tuple[Population, int]]
PAPER = [  # about the 8B base and SFT models of the paper
    Population((0.98, 1), (0.32, 0.38), partial=True),
    Population((0.66, 1), (0.57, 0.94), partial=True),
    Population((1, 1), (0.39, 0.47)),
    Population((1, 1), (0.24, 0.97), partial=True),
    Population((0.37, 0.57), (0.02, 0.05)),
    Population((0.05, 0.23), (0.4, 0.7), partial=True),
    Population((0.07, 0.13), (0.5, 0.5), partial=True),
    Population((0.36, 0.18), (0.34, 0.16), partial=True),
    Population((0.43, 0.25), (0.16, 0.21)),
    Population((0.9, 0.88), (0.12, 0.31), partial=True),
    Population((1, 0.98), (0.6, 0.69)),
    Population((0.36, 0.68), (0.55, 0.47), partial=True),
    Population((0.2, 0.17), (0.44, 0.37), partial=True),
    Population((0.6, 0.4), (0.94, 0.92)),
]
RECORDED = [12, 11, 15, 10, 6, 6, 6, 24, 26, 12, 8, 10, 6, 6]  # instances of the recorded runs
SAME = [
    population._replace(played=population.played[:1] * 2, quality=population.quality[:1] * 2) for population in PAPER
]


def even(quality: float, **kwargs) -> Population:
    """A game that both runs play equally well."""
    return Population(quality=(quality, quality), **kwargs)


MEAN_CASES: Mapping[str, Games] = {
    "1 x 50, 30%": [(even(0.3), 50)],
    "1 x 50, 2%": [(even(0.02), 50)],
    "1 x 50, 100% -> 98%": [(Population(quality=(1, 0.98)), 50)],
    "1 x 50, 50% -> 30%": [(Population(quality=(0.5, 0.3)), 50)],
    "1 x 50, partial": [(Population(quality=(0.4, 0.5), partial=True), 50)],
    "1 x 12, 50% -> 30%": [(Population(quality=(0.5, 0.3)), 12)],
    "7 x 50, 99% -> 98%": [(Population(quality=(0.99, 0.98)), 50)] * 7,
    "14 games as recorded": list(zip(PAPER, RECORDED)),
    "14 x 50": [(population, 50) for population in PAPER],
}
CLEM_CASES: Mapping[str, Games] = {
    "7 as recorded": list(zip(PAPER[:7], RECORDED)),
    "7 x 50": [(population, 50) for population in PAPER[:7]],
    "14 as recorded": list(zip(PAPER, RECORDED)),
    "14 x 50": [(population, 50) for population in PAPER],
    "14 x 50, no change": [(population, 50) for population in SAME],
    "7 x 50, always played": [(Population(quality=(0.3, 0.5)), 50)] * 7,
}


RUN_CASES: Mapping[str, Games] = {
    "1 x 50, 2%": [(even(0.02), 50)],
    "1 x 50, 98%": [(even(0.98), 50)],
    "1 x 12, half played": [(even(0.5, played=(0.5, 0.5)), 12)],
    "7 x 50, all 100": [(even(1), 50)] * 7,
    "7 x 50, all aborted": [(even(0, played=(0, 0)), 50)] * 7,
    "7 x 50, 97% of 97%": [(even(0.97, played=(0.97, 0.97)), 50)] * 7,
    "7 x 50, 3% played": [(even(0.5, played=(0.03, 0.03)), 50)] * 7,
    "3 x 50: 100, 0, half": [(even(1), 50), (even(0, played=(0, 0)), 50), (even(0.5, played=(0.5, 0.5)), 50)],
    "7 as recorded": list(zip(PAPER[:7], RECORDED)),
    "7 x 50": [(population, 50) for population in PAPER[:7]],
    "14 as recorded": list(zip(PAPER, RECORDED)),
    "14 x 50": [(population, 50) for population in PAPER],
}


def sample(games: Games, rng: Rng) -> tuple[list, list, list[str]]:
    """Scores of both runs, and the game of each."""
    before, after, strata = [], [], []
    for index, (population, n) in enumerate(games):
        one, other = population.draw(rng, n)
        before += one
        after += other
        strata += [f"{index:02d}"] * n
    return before, after, strata


def true_figures(games: Games, statistic: Statistic) -> tuple[float, float]:
    """The figures of both runs that samples of any size scatter around."""
    played, quality = (
        np.array([[getattr(population, name)[run] for population, _ in games] for run in (0, 1)]) * 100.0
        for name in ("played", "quality")
    )
    quality[played == 0] = np.nan
    return float(statistic(played[0], quality[0])), float(statistic(played[1], quality[1]))


def true_effect(games: Games, statistic: Statistic) -> float:
    """The true difference."""
    before, after = true_figures(games, statistic)
    return after - before


def usual(found: Mapping[str, Table], figure: Figure, rng: Rng) -> tuple[Interval, Interval]:
    """The stratified bootstrap over instances: percentile and BCa intervals."""
    draws = np.sort(figure([rng.multinomial(c.sum(), c / c.sum(), size=DRAWS) @ rows for rows, c in found.values()]))
    sums = totals(found)
    estimate = float(figure(sums)[0])
    pulls = []  # how much each instance moves the figure (jackknife)
    for index, (rows, counts) in enumerate(found.values()):
        without = [np.repeat(total, len(rows), axis=0) for total in sums]
        without[index] = without[index] - rows
        pulls.append(np.repeat((estimate - figure(without)) * (counts.sum() - 1) / counts.sum(), counts))
    pull = np.concatenate(pulls)
    scale = (pull**2).sum()
    skew = (pull**3).sum() / 6 / scale**1.5 if scale > 1e-12 else 0.0
    share = (draws < estimate - 1e-9).mean() + (abs(draws - estimate) <= 1e-9).mean() / 2
    bias = stats.norm.ppf(np.clip(share, 0.001, 0.999))
    z = bias + stats.norm.ppf([0.025, 0.975])
    levels = stats.norm.cdf(bias + z / (1 - skew * z))
    return Interval(*np.quantile(draws, [0.025, 0.975])), Interval(*np.quantile(draws, levels))


def estimates(cases: Mapping[str, Games], statistic: Statistic, title: str, repeats: int) -> None:
    """Coverage for a figure of one run."""
    head(f"{title}: coverage (low/high missed), width", ["run_estimate", "percentile", "BCa"])
    for name, games in cases.items():
        rng, truth = np.random.default_rng(7), true_figures(games, statistic)[0]
        tallies = [Tally() for _ in range(3)]
        for _ in range(repeats):
            before, _, strata = sample(games, rng)
            ours = run_estimate(before, strata, statistic, draws=DRAWS).interval
            found = tables([before], strata, None)
            for tally, interval in zip(tallies, (ours, *usual(found, figure_of(statistic, 0), rng))):
                tally.add(interval, truth)
        row(name, [tally.show(repeats) for tally in tallies])


def differences(cases: Mapping[str, Games], statistic: Statistic, title: str, repeats: int) -> None:
    """Coverage for a difference of two runs."""
    head(f"{title}: coverage (low/high missed), width", ["paired_difference", "percentile", "BCa"])
    for name, games in cases.items():
        rng, truth = np.random.default_rng(4), true_effect(games, statistic)
        tallies = [Tally() for _ in range(3)]
        for _ in range(repeats):
            before, after, strata = sample(games, rng)
            ours = paired_difference(before, after, strata, statistic, draws=DRAWS).interval
            found = tables([before, after], strata, None)
            for tally, interval in zip(tallies, (ours, *usual(found, change_of(statistic), rng))):
                tally.add(interval, truth)
        row(name, [tally.show(repeats) for tally in tallies])


def gates(repeats: int) -> None:
    """How often a gate says what, at and around its threshold."""
    columns = ["at threshold (max. 5%)", "6 points below", "12 points below", "6 points above"]
    head("gate `effect >= T @ 95%`: regression / pass, % of repeats", columns)
    for statistic, cases in ((macro_mean, MEAN_CASES), (macro_clemscore, CLEM_CASES)):
        for name, games in cases.items():
            rng, truth = np.random.default_rng(5), true_effect(games, statistic)
            counts = np.zeros((4, 2))
            for _ in range(repeats):
                found = paired_difference(*sample(games, rng), statistic, confidence=both_sides(0.95), draws=DRAWS)
                for index, away in enumerate((0, -6, -12, 6)):
                    decision = gate_decision(found.effect, found.interval, truth - away)
                    counts[index] += (decision == "regression", decision == "pass")
            kind = "clem, " if statistic is macro_clemscore else ""
            row(kind + name, [f"{100 * bad / repeats:5.1f} / {100 * good / repeats:5.1f}" for bad, good in counts])


def powers(repeats: int) -> None:
    """The power that a comparison says it has for the true effect, beside simulation."""
    columns = ["true effect", "found, %", "power said, %", "95% of samples say", "80% is at"]
    head("power for the true effect", columns)
    for statistic, cases in ((macro_mean, MEAN_CASES), (macro_clemscore, CLEM_CASES), (macro_played, CLEM_CASES)):
        for name, games in cases.items():
            rng, truth = np.random.default_rng(6), true_effect(games, statistic)
            samples = [paired_difference(*sample(games, rng), statistic, draws=DRAWS) for _ in range(repeats)]
            said = 100 * np.array([one.power(truth) for one in samples])
            low, high = np.quantile(said, [0.025, 0.975])
            cells = [
                f"{truth:6.2f}",
                f"{np.mean([100 * (one.p <= 0.05) for one in samples]):5.1f}",
                f"{said.mean():5.1f}",
                f"{low:5.1f} to {high:5.1f}",
                f"{np.mean([one.detectable() for one in samples]):5.2f}",
            ]
            row(f"{statistic.__name__[6:]}, {name}", cells)


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000, help="samples per population (default 1000)")
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore", RuntimeWarning)
    for n in (10, 50):
        shares(n)
        bounded(n, repeats)
    clustered(repeats)
    estimates(RUN_CASES, macro_mean, "macro mean of one run", repeats)
    estimates(RUN_CASES, macro_clemscore, "clemscore of one run", repeats)
    differences(MEAN_CASES, macro_mean, "difference of macro means", repeats)
    differences(CLEM_CASES, macro_clemscore, "difference of clemscores", repeats)
    gates(repeats)
    powers(repeats)


if __name__ == "__main__":
    main()
