"""The figure that a rule is about: the change between two runs, or the level of one, with one-sided limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

from playpen_eval.compare.comparison import FIGURES, SKILLS, Comparison
from playpen_eval.compare.rules import Rule
from playpen_eval.report.summary import Summary, axis_members, by_setup, points, score_bounds
from playpen_eval.runs import EpisodeRecord
from playpen_eval.skills.catalogue import find_benchmark
from playpen_eval.statistics import CONFIDENCE, Interval, both_sides, mean_interval, run_estimate


class Measured(NamedTuple):
    """The figure of a rule.

    Attributes:
        estimate: Its value.
        interval: With the rule's limits; those of 95% if the rule is decided by the estimate.
        n: Instances.
        shown: The figure for people.
        detectable: How far from the threshold a true change must be to be told from it four times in five.
    """

    estimate: float
    interval: Interval
    n: int
    shown: str
    detectable: float | None = None


def change(comparison: Comparison, rule: Rule) -> Measured | str:
    """The change of a rule's figure from one run to the other, or why there is none."""
    if rule.subject not in comparison.subjects:
        return _absent(comparison, rule.subject)
    skills = comparison.benchmarks_of(rule.subject)
    labels = () if skills else comparison.axes.get(rule.subject, (rule.subject,))
    if empty := [label for label in labels if not comparison.paired.games[label]]:
        return f"a partner broke the protocol in every episode of {', '.join(empty)}"
    confidence = rule.confidence or CONFIDENCE
    found = comparison.difference(rule.subject, rule.figure, both_sides(confidence))
    low, high = found.interval
    smoke = _smoke(skills)
    shown = (
        f"change {found.effect:+.2f} points, {_limits(confidence)} {low:+.2f} and {high:+.2f} "
        f"(from {found.before:.2f} to {found.after:.2f}, {found.n} instances{smoke})"
    )
    return Measured(found.effect, found.interval, found.n, shown, found.detectable())


def level(summary: Summary, rule: Rule) -> Measured | str:
    """A rule's figure in one run, or why there is none."""
    confidence = rule.confidence or CONFIDENCE
    groups = episodes_of(summary, rule.subject)
    if not groups:
        return _skill_level(summary, rule.subject, confidence)
    counted = {label: [one for one in found if not one.partner_fault] for label, found in groups.items()}
    if empty := [label for label, found in counted.items() if not found]:
        return f"a partner broke the protocol in every episode of {', '.join(empty)}"
    n = len({one.key for found in counted.values() for one in found})
    estimate, interval = _figure(counted, rule.figure, confidence)
    shown = f"{estimate:.2f}%, {_limits(confidence)} {interval.low:.2f}% and {interval.high:.2f}% ({n} instances)"
    return Measured(estimate, interval, n, shown)


def _figure(groups: Mapping[str, Sequence[EpisodeRecord]], figure: str, confidence: float) -> tuple[float, Interval]:
    """A figure over games, each of which has an episode."""
    worth, statistic = FIGURES[figure]
    episodes = [(label, one) for label, found in groups.items() for one in found]
    values, instances = [worth(one) for _, one in episodes], [one.instance for _, one in episodes]
    scored = worth is points
    bounds = {label: score_bounds(found[0].game, found) if scored else (0.0, 100.0) for label, found in groups.items()}
    sides = both_sides(confidence)
    if len(groups) > 1:
        strata = [label for label, _ in episodes]
        found = run_estimate(values, strata, statistic, clusters=instances, bounds=bounds, confidence=sides)
        return found.value, found.interval
    # Of one game every figure is a mean, and the limits of a share are exact.
    [own] = bounds.values()
    if figure == "played":
        means, own = [100.0 * (value is not None) for value in values], (0.0, 100.0)
    else:
        means = [value or 0.0 for value in values]
    return math.fsum(means) / len(means), mean_interval(means, instances, bounds=own, confidence=sides)


def _skill_level(summary: Summary, subject: str, confidence: float) -> Measured | str:
    """Level of the reference benchmarks, with the normal interval of its standard error."""
    found = summary.skills
    if found is None:
        return _not_run(summary, subject)
    if subject == SKILLS:
        rows, value = list(found.scores.values()), found.total
    elif subject in found.scores:
        rows, value = [found.scores[subject]], found.scores[subject].score
    else:
        rows = [one for one in found.scores.values() if one.benchmark.capability == subject]
        value = found.capabilities.get(subject)
    if value is None:
        return _not_run(summary, subject)
    n, errors = sum(row.n for row in rows), [row.error for row in rows]
    # Without any spread a normal interval would have no width, however few items there are.
    if None in errors or not any(errors):
        return f"{value:.2f} of 100, but of too few different results to tell its error ({n} items)"
    half = NormalDist().inv_cdf(confidence) * math.hypot(*(error or 0.0 for error in errors)) / len(rows)
    interval = Interval(value - half, value + half)
    limits = f"{_limits(confidence)} {interval.low:.2f} and {interval.high:.2f}"
    shown = f"{value:.2f} of 100, {limits} ({n} items{_smoke(found.scores)})"
    return Measured(value, interval, n, shown)


def episodes_of(summary: Summary, subject: str) -> dict[str, list[EpisodeRecord]]:
    """Label -> episodes of an axis, or of one game; empty if there are none."""
    members, _ = axis_members({label: game.setup for label, game in summary.games.items()})
    labels = list(members[subject].values()) if subject in members else [subject]
    groups = by_setup(summary.run.episodes)
    return {label: groups[label] for label in labels if label in groups}


def _absent(comparison: Comparison, subject: str) -> str:
    """Why a comparison has no figure of something."""
    runs = {"the first run": comparison.before, "the second run": comparison.after}
    lacking = [name for name, run in runs.items() if not episodes_of(run, subject) and not _has_skill(run, subject)]
    if not lacking:
        return f"no comparable instance of {subject} in both runs"
    return f"{' and '.join(lacking)} did not run {subject}{_setups(comparison.after, subject)}"


def _not_run(summary: Summary, subject: str) -> str:
    return f"{summary.run.meta.label} did not run {subject}{_setups(summary, subject)}"


def _setups(summary: Summary, subject: str) -> str:
    """Hint for a game that was played in other setups than its name alone means."""
    labels = [label for label, game in summary.games.items() if game.setup.game == subject != label]
    return f" under this name; there is {', '.join(labels)}" if labels else ""


def _has_skill(summary: Summary, subject: str) -> bool:
    found = summary.skills
    return found is not None and (subject in found.scores or subject in found.capabilities or subject == SKILLS)


def _smoke(benchmarks: Iterable[str]) -> str:
    """What is to be said where the small tasks stand for the reference benchmarks."""
    return " of the smoke suite" if any(find_benchmark(name).mini for name in benchmarks) else ""


def _limits(confidence: float) -> str:
    return f"{100 * confidence:g}% limits"
