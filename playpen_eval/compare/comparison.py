"""What changed from one run to another, and how sure we are."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from playpen_eval.compare.pairing import EpisodePair, ItemPair, Paired, pair_runs
from playpen_eval.errors import UserError, unknown
from playpen_eval.report.summary import (
    Summary,
    axis_members,
    points,
    score_bounds,
    select,
    summarise_run,
)
from playpen_eval.runs import EpisodeRecord, Run, read_run
from playpen_eval.skills.catalogue import benchmarks, find_benchmark
from playpen_eval.statistics import (
    CONFIDENCE,
    Difference,
    McNemar,
    Statistic,
    holm,
    macro_clemscore,
    macro_mean,
    macro_played,
    mcnemar_exact,
    paired_difference,
    weighted_mean,
)

SKILLS = "retained_skills"
KINDS = ("aborted", "lose", "success")
"""Outcomes from worst to best."""


def _share(kind: str) -> Callable[[EpisodeRecord], float]:
    return lambda episode: 100.0 * (episode.kind == kind)


FIGURES: Mapping[str, tuple[Callable[[EpisodeRecord], float | None], Statistic]] = {
    "score": (points, macro_mean),
    "clemscore": (points, macro_clemscore),
    "played": (points, macro_played),
    **{kind: (_share(kind), macro_mean) for kind in KINDS},
}
"""Figure -> what an episode adds to it, and how episodes add up. All are in points of 100. There is no quality: it is
that of other episodes in each run, so that its change says nothing."""


class Effect(NamedTuple):
    """One row of the comparison.

    Attributes:
        subject: Game, axis, capability or benchmark.
        kind: Which of these.
        figure: One of `FIGURES`.
        difference: Both values, the change, its interval and p.
        detectable: The true change that a comparison of this size finds four times in five.
        p_holm: p adjusted for all games together (Holm); None where the subject is no game.
        mcnemar: Exact test of the successes of a game; None elsewhere, and where instances were played several times.
    """

    subject: str
    kind: str
    figure: str
    difference: Difference
    detectable: float
    p_holm: float | None = None
    mcnemar: McNemar | None = None


@dataclass(frozen=True)
class Comparison:
    """Two runs of the same instances.

    Attributes:
        before: The first run, whole.
        after: The second run, whole.
        paired: What both have in common; all differences are of that alone.
        axes: Axis, or `OVERALL`, -> labels of its games, where there are any in common.
        doubts: What a reader should know before using the figures.
    """

    before: Summary
    after: Summary
    paired: Paired
    axes: Mapping[str, tuple[str, ...]]
    doubts: tuple[str, ...]
    _cache: dict[tuple[str, str, float], Difference] = field(default_factory=dict, repr=False, compare=False)

    @functools.cached_property
    def skills(self) -> dict[str, tuple[str, ...]]:
        """Benchmark, capability or the whole axis -> its benchmarks that both runs have."""
        there = dict.fromkeys(pair.before.benchmark for pair in self.paired.items)
        kinds = {name: find_benchmark(name) for name in there}
        groups: dict[str, tuple[str, ...]] = {name: (name,) for name in kinds}
        for one in kinds.values():
            capability = tuple(name for name, other in kinds.items() if other.capability == one.capability)
            groups.setdefault(one.capability, capability)
        return groups | ({SKILLS: tuple(kinds)} if kinds else {})

    @property
    def subjects(self) -> dict[str, str]:
        """Everything that there is a difference of -> `axis`, `game`, `capability` or `benchmark`."""
        found = dict.fromkeys(self.axes, "axis") | dict.fromkeys(self.paired.games, "game")
        for name in self.skills:
            known = name in benchmarks() or name in benchmarks(mini=True)
            found.setdefault(name, "axis" if name == SKILLS else "benchmark" if known else "capability")
        return found

    def benchmarks_of(self, subject: str) -> tuple[str, ...]:
        """The benchmarks that a subject is made of; none for games and their axes, of which there are episodes."""
        return () if subject in self.axes or subject in self.paired.games else self.skills.get(subject, ())

    def episodes(self, subject: str) -> dict[str, list[EpisodePair]]:
        """Label -> pairs of the games of an axis, or of one game."""
        labels = self.axes.get(subject, (subject,))
        return {label: self.paired.games[label] for label in labels}

    def difference(self, subject: str, figure: str = "score", confidence: float = CONFIDENCE) -> Difference:
        """The change of one figure.

        Args:
            subject: One of `subjects`.
            figure: One of `FIGURES`; of skills there is only the score.
            confidence: Level of the interval.

        Raises:
            UserError: There is no such subject or figure.
        """
        key = (subject, figure, confidence)
        if key not in self._cache:
            self._cache[key] = self._difference(*key)
        return self._cache[key]

    def _difference(self, subject: str, figure: str, confidence: float) -> Difference:
        if subject not in self.subjects:
            raise unknown("subject of this comparison", subject, self.subjects)
        if figure not in FIGURES:
            raise unknown("figure", figure, FIGURES)
        if chosen := self.benchmarks_of(subject):
            if figure != "score":
                raise UserError(f"{subject} has only a score, no {figure}")
            pairs = [pair for pair in self.paired.items if pair.before.benchmark in chosen]
            return _skill_difference(pairs, confidence)
        worth, statistic = FIGURES[figure]
        games = {label: part for label, part in self.episodes(subject).items() if part}
        pairs = [pair for part in games.values() for pair in part]
        if not pairs:
            raise UserError(f"{subject}: a partner broke the protocol in every episode, in one run or the other")
        return paired_difference(
            [worth(pair.before) for pair in pairs],
            [worth(pair.after) for pair in pairs],
            [label for label, part in games.items() for _ in part],
            statistic,
            clusters=[pair.before.instance for pair in pairs],
            bounds={label: _bounds(part) for label, part in games.items()},
            confidence=confidence,
        )

    @functools.cached_property
    def effects(self) -> list[Effect]:
        """The table: axes with score and clemscore, games, capabilities and benchmarks."""
        rows = []
        for subject, kind in self.subjects.items():
            if not self.benchmarks_of(subject) and not any(self.episodes(subject).values()):
                continue
            for figure in ("score", "clemscore") if kind == "axis" and subject in self.axes else ("score",):
                found = self.difference(subject, figure)
                rows.append(Effect(subject, kind, figure, found, found.detectable(), None, self._mcnemar(subject)))
        adjusted = holm({row.subject: row.difference.p for row in rows if row.kind == "game"})
        return [row._replace(p_holm=adjusted.get(row.subject) if row.kind == "game" else None) for row in rows]

    def _mcnemar(self, subject: str) -> McNemar | None:
        pairs = self.paired.games.get(subject)
        if not pairs or len({pair.before.instance for pair in pairs}) < len(pairs):
            return None
        won = [(pair.before.kind == "success", pair.after.kind == "success") for pair in pairs]
        return mcnemar_exact(*zip(*won))

    def shifts(self, subject: str) -> dict[tuple[str, str], int]:
        """(outcome before, outcome after) -> number of episodes, of a game or an axis."""
        counts = Counter(
            (pair.before.kind, pair.after.kind) for part in self.episodes(subject).values() for pair in part
        )
        return {(one, other): counts[one, other] for one in KINDS for other in KINDS}

    def most_changed(self, most: int = 20) -> list[EpisodePair]:
        """The episodes that changed most, half of them for the worse where there are as many; the largest first."""
        changed = [pair for part in self.paired.games.values() for pair in part if _moved(pair) != (0, 0)]
        worse = sorted(
            (pair for pair in changed if _moved(pair) < (0, 0)), key=lambda pair: (_moved(pair), pair.before.instance)
        )
        better = sorted(
            (pair for pair in changed if _moved(pair) > (0, 0)),
            key=lambda pair: (tuple(-part for part in _moved(pair)), pair.before.instance),
        )
        n = max(most // 2, most - len(better))
        return [*worse[:n], *better[: most - len(worse[:n])]]


def _moved(pair: EpisodePair) -> tuple[float, int]:
    """How far an episode moved: in points, then in outcome."""
    return pair.change, KINDS.index(pair.after.kind) - KINDS.index(pair.before.kind)


def _skill_difference(pairs: Sequence[ItemPair], confidence: float) -> Difference:
    """Change of the mean over benchmarks, each corrected for guessing; see `statistics.weighted_mean`."""
    tasks: dict[str, Counter[str]] = {}
    for pair in pairs:
        tasks.setdefault(pair.before.benchmark, Counter())[pair.before.task] += 1
    chances = [find_benchmark(name).chance for name in tasks]
    offset = math.fsum(chance / (1 - chance) for chance in chances) / len(chances)
    weights: dict[str, float] = {}
    configs: dict[str, str | None] = {}
    for name, sizes in tasks.items():
        benchmark = find_benchmark(name)
        slope = 1 / (1 - benchmark.chance) / len(tasks)
        if benchmark.repeated:
            weights[name] = slope
            configs |= {leaf.name: leaf.config for leaf in benchmark.leaves}
            continue
        shares = {task: n if benchmark.weight == "size" else 1 for task, n in sizes.items()}
        weights |= {task: slope * share / sum(shares.values()) for task, share in shares.items()}
    strata, clusters = [], []
    for record, _ in pairs:
        # Tasks that hold the same items in other words are one stratum, in which an item is a cluster.
        repeated = record.task in configs
        strata.append(record.benchmark if repeated else record.task)
        clusters.append((configs[record.task], record.item.rpartition("/")[2]) if repeated else record.item)
    return paired_difference(
        [100 * pair.before.value for pair in pairs],
        [100 * pair.after.value for pair in pairs],
        strata,
        weighted_mean(weights, -100 * offset),
        clusters=clusters,
        bounds=_item_bounds(pairs, strata),
        confidence=confidence,
    )


def _bounds(pairs: Sequence[EpisodePair]) -> tuple[float, float]:
    return score_bounds(pairs[0].before.game, [episode for pair in pairs for episode in pair])


def _item_bounds(pairs: Sequence[ItemPair], strata: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Stratum -> lowest and highest value; an answer may lie below what its benchmark knows as the lowest."""
    bounds: dict[str, tuple[float, float]] = {}
    for pair, stratum in zip(pairs, strata):
        known = bounds[stratum][0] if stratum in bounds else 100 * find_benchmark(pair.before.benchmark).lowest
        bounds[stratum] = min(known, 100 * pair.before.value, 100 * pair.after.value), 100.0
    return bounds


def compare(
    before: Run | str | Path,
    after: Run | str | Path,
    *,
    allow: Collection[str] = (),
    splits: Sequence[str] = (),
    games: Sequence[str] = (),
) -> Comparison:
    """Compares two runs, paired by instance.

    Args:
        before: A run, or where `read_run` finds it.
        after: The other one.
        allow: Differences of the conditions that do not matter, of `pairing.ALLOWED`.
        splits: Only episodes of these splits.
        games: Only these games.

    Raises:
        UserError: A run cannot be read, or they are not to be compared.
    """
    first, second = (
        select(run if isinstance(run, Run) else read_run(run), splits=splits, games=games) for run in (before, after)
    )
    return pair_up(first, second, allow, summarise_run)


def pair_up(before: Run, after: Run, allow: Collection[str], summarise: Callable[[Run], Summary]) -> Comparison:
    """Compares two runs that were read; `summarise` makes their figures, once they are known to be comparable."""
    paired = pair_runs(before, after, allow)
    members, doubts = axis_members({label: paired.setups[label] for label in paired.games})
    return Comparison(
        summarise(before),
        summarise(after),
        paired,
        {axis: tuple(labels.values()) for axis, labels in members.items()},
        tuple(_doubts(before, after, paired, doubts)),
    )


def _doubts(before: Run, after: Run, paired: Paired, doubts: Sequence[str]) -> Iterator[str]:
    yield from paired.cautions
    yield from doubts
    for run, name, left in ((before, "before", paired.only_before), (after, "after", paired.only_after)):
        yield from (f"{name}: {problem}" for problem in run.problems)
        if left:
            counts = ", ".join(f"{label} {len(ids)}" for label, ids in sorted(left.items()))
            yield f"only {name}, not compared: {counts}"
    if paired.partner_faults:
        counts = ", ".join(f"{label} {n}" for label, n in sorted(paired.partner_faults.items()))
        yield f"left out, because a partner broke the protocol: {counts}"
