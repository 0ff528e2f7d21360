"""Whether to ship: `gate(comparison, rules)`, or `check_levels(summary, rules)` for a run without a baseline.

A rule passes if everything between its limits keeps it and is a regression if everything breaks it; else there is not
enough evidence. The limits are one-sided ones of the level that the rule names. What a run lost could have decided
otherwise: with problems in the log, or instances that only the first run has, nothing passes unless that is allowed.
docs/ci.md explains the choice of thresholds and sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, NamedTuple

from playpen_eval.compare.comparison import FIGURES, SKILLS, Comparison
from playpen_eval.compare.rules import ESTIMATE, Rule, check_subject, one_line, parse_rules, shorten
from playpen_eval.errors import UserError
from playpen_eval.report.summary import SEEN, Setup, Summary, axis_members, by_setup, points
from playpen_eval.runs import LIMIT, EpisodeRecord, ItemRecord, Problem, Run
from playpen_eval.scoring import CONFIDENCE
from playpen_eval.skills.catalogue import find_benchmark
from playpen_eval.statistics import (
    Decision,
    Interval,
    both_sides,
    episode_bounds,
    figure_interval,
    gate_decision,
    mean_interval,
)

EXIT_CODES: Mapping[Decision, int] = {"pass": 0, "regression": 1, "not enough evidence": 2}

PARTNER_FAULTS = 0.05
"""Share of episodes left out because of a partner above which a rule cannot pass."""

_MOST_TIMES = 100  # how many times as many instances are worth naming
_DIGITS = 9  # sums of floats must not break a rule that the exact figure keeps


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


class RuleResult(NamedTuple):
    """What came of one rule.

    Attributes:
        text: The rule as it was written.
        subject: Game, axis, capability or benchmark.
        figure: One of `FIGURES`.
        threshold: In points of 100.
        confidence: Level of each limit; None if the estimate alone decides.
        verdict: `pass`, `regression` or `not enough evidence`.
        reason: Why, in one line.
        estimate: The figure, in points of 100: a change, or a level; None if there is none.
        interval: Between its limits; None if there is no figure.
    """

    text: str
    subject: str
    figure: str
    threshold: float
    confidence: float | None
    verdict: Decision
    reason: str
    estimate: float | None
    interval: Interval | None


@dataclass(frozen=True)
class GateResult:
    """What came of all rules.

    Attributes:
        rules: One result per rule, in their order.
        notes: What a reader should know, and no verdict depends on.
        source: What was judged.
    """

    rules: tuple[RuleResult, ...]
    notes: tuple[str, ...]
    source: Comparison | Summary = field(repr=False, compare=False)

    @property
    def verdict(self) -> Decision:
        """`regression` if any rule is one, else `not enough evidence` if any rule lacks it."""
        found = {rule.verdict for rule in self.rules}
        return next((one for one in ("regression", "not enough evidence") if one in found), "pass")

    @property
    def exit_code(self) -> int:
        """0 pass, 1 regression, 2 not enough evidence."""
        return EXIT_CODES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        rules = [rule._asdict() | {"interval": rule.interval and list(rule.interval)} for rule in self.rules]
        return {"verdict": self.verdict, "exit_code": self.exit_code, "rules": rules, "notes": list(self.notes)}

    def junit(self) -> str:
        """The rules as test cases in JUnit's XML."""
        from playpen_eval.compare.gate_files import junit

        return junit(self)

    def markdown(self) -> str:
        """A summary for a pull request."""
        from playpen_eval.compare.gate_files import markdown

        return markdown(self)


def gate(comparison: Comparison, rules: str | Iterable[str], *, allow_problems: bool = False) -> GateResult:
    """Decides whether the second run of a comparison keeps some rules.

    Args:
        comparison: The two runs.
        rules: Expressions, or files of them; see `parse_rules`.
        allow_problems: Let rules pass in spite of lost episodes; the reasons still name them.

    Raises:
        UserError: A rule cannot be read, or is about something that does not exist.
    """
    found = parse_rules(rules)
    for rule in found:
        check_subject(rule, (*comparison.subjects, *comparison.after.games))
    results = []
    for rule in found:
        measured = _level(comparison.after, rule) if rule.level else _change(comparison, rule)
        results.append(_judge(rule, measured, list(_doubts(comparison, rule)), allow_problems))
    return GateResult(tuple(results), tuple(dict.fromkeys(map(one_line, comparison.doubts))), comparison)


def check_levels(summary: Summary, rules: str | Iterable[str], *, allow_problems: bool = False) -> GateResult:
    """Decides whether one run keeps rules about levels, such as `aborted <= 5%`; see `gate`.

    Raises:
        UserError: As for `gate`, or a rule is about a change.
    """
    found = parse_rules(rules)
    for rule in found:
        check_subject(rule, summary.games)
        if not rule.level:
            raise UserError(
                f"rule {shorten(rule.text)!r} is about a change, of which one run has none: write a level "
                "(with %), or compare with a baseline: playpen-eval compare BEFORE AFTER"
            )
    problems = list(_problems(summary, "the run", harmless=(LIMIT,)))
    results = []
    for rule in found:
        doubts = [*problems, *_partner_doubt(_episodes(summary, rule.subject))]
        results.append(_judge(rule, _level(summary, rule), doubts, allow_problems))
    notes = [*(str(problem) for problem in summary.run.problems), *summary.doubts]
    return GateResult(tuple(results), tuple(map(one_line, notes)), summary)


def _judge(rule: Rule, measured: Measured | str, doubts: Sequence[str], allow_problems: bool) -> RuleResult:
    """The verdict; `measured` is a text where there is no figure."""
    if isinstance(measured, str):
        verdict, reason, estimate, interval = "not enough evidence", measured, None, None
    else:
        estimate = round(measured.estimate, _DIGITS)
        interval = Interval(*(round(limit, _DIGITS) for limit in measured.interval))
        limits = None if rule.confidence is None else interval
        verdict = gate_decision(estimate, limits, rule.threshold, at_most=rule.at_most)
        reason = measured.shown
        if rule.confidence is None:
            reason += "; decided by the estimate alone, which chance can have made"
        elif verdict == "not enough evidence":
            reason += "; " + _advice(rule, measured)
    if doubts:
        named = "; ".join(doubts)
        if allow_problems:
            reason += f"; allowed: {named}"
        elif verdict == "pass":
            verdict, reason = (
                "not enough evidence",
                f"{reason}; that would pass, but {named} (--allow-problems ignores it)",
            )
        else:
            reason += f"; besides, {named}"
    subject, figure, confidence = rule.subject, rule.figure, rule.confidence
    return RuleResult(
        rule.text, subject, figure, rule.threshold, confidence, verdict, one_line(reason), estimate, interval
    )


def _advice(rule: Rule, measured: Measured) -> str:
    """What would decide a rule whose threshold lies between the limits."""
    sign, word = (-1, "less") if rule.at_most else (1, "more")
    parts = [f"{_number(rule.threshold, rule.level)} lies between them"]
    if measured.detectable is None:
        gap = abs(measured.estimate - rule.threshold)
        towards = measured.interval.low if measured.estimate > rule.threshold else measured.interval.high
        if n := _needed(measured.n, abs(measured.estimate - towards), gap):
            parts.append(f"about {n} instances would decide if the figure stays the same")
    else:
        passing = rule.threshold + sign * measured.detectable
        parts.append(f"with these instances a true change of {passing:+.1f} or {word} passes 4 times in 5")
        # An unchanged run is what most gates should let pass; it lies this far on the right side of the threshold.
        room = -sign * rule.threshold
        if room > 0 and measured.detectable > room and (n := _needed(measured.n, measured.detectable, room)):
            parts.append(f"with about {n} instances no change at all would")
    return "; ".join([*parts, f"`@ {ESTIMATE}` ignores chance"])


def _needed(n: int, width: float, room: float) -> int | None:
    """Instances at which a width is only as large as the room for it; None if that is beyond reach."""
    if width <= 0 or width > room * math.sqrt(_MOST_TIMES):
        return None
    exact = n * (width / room) ** 2
    step = 10 ** max(0, math.floor(math.log10(exact)) - 1)
    return step * math.ceil(exact / step)


def _change(comparison: Comparison, rule: Rule) -> Measured | str:
    if rule.subject not in comparison.subjects:
        return _absent(comparison, rule.subject)
    labels = () if rule.subject in comparison.skills else comparison.axes.get(rule.subject, (rule.subject,))
    if empty := [label for label in labels if not comparison.paired.games[label]]:
        return f"a partner broke the protocol in every episode of {', '.join(empty)}"
    level = rule.confidence or CONFIDENCE
    found = comparison.difference(rule.subject, rule.figure, both_sides(level))
    shown = (
        f"change {found.effect:+.2f} points, {_limits(level)} {found.interval.low:+.2f} and {found.interval.high:+.2f} "
        f"(from {found.before:.2f} to {found.after:.2f}, {found.n} instances)"
    )
    return Measured(found.effect, found.interval, found.n, shown, found.detectable())


def _level(summary: Summary, rule: Rule) -> Measured | str:
    confidence = rule.confidence or CONFIDENCE
    groups = _episodes(summary, rule.subject)
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
    import numpy as np

    worth, statistic = FIGURES[figure]
    played, quality = [], []
    for _, episodes in sorted(groups.items()):
        scores = [score for one in episodes if (score := worth(one)) is not None]
        played.append(100 * len(scores) / len(episodes))
        quality.append(math.fsum(scores) / len(scores) if scores else math.nan)
    estimate = float(statistic(np.array(played)[:, None], np.array(quality)[:, None])[0])
    scored = worth is points
    bounds = {label: episode_bounds(found[0].game) if scored else (0.0, 100.0) for label, found in groups.items()}
    episodes = [(label, one) for label, found in groups.items() for one in found]
    instances = [one.instance for _, one in episodes]
    if len(groups) == 1:
        # Of one game each figure is a mean, whose interval is exact for shares.
        [own] = bounds.values()
        if figure == "played":
            values, own = [100.0 * (one.score is not None) for _, one in episodes], (0.0, 100.0)
        else:
            values = [worth(one) or 0.0 for _, one in episodes]
        return estimate, mean_interval(values, instances, bounds=own, confidence=confidence)
    values, strata = [worth(one) for _, one in episodes], [label for label, _ in episodes]
    return estimate, figure_interval(
        values, strata, statistic, clusters=instances, bounds=bounds, confidence=confidence
    )


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
    if not all(errors):
        return f"{value:.2f} of 100, but of too few different results to tell its error ({n} items)"
    half = NormalDist().inv_cdf(confidence) * math.hypot(*(error or 0.0 for error in errors)) / len(rows)
    interval = Interval(value - half, value + half)
    shown = f"{value:.2f} of 100, {_limits(confidence)} {interval.low:.2f} and {interval.high:.2f} ({n} items)"
    return Measured(value, interval, n, shown)


def _episodes(summary: Summary, subject: str) -> dict[str, list[EpisodeRecord]]:
    """Label -> episodes of an axis, or of one game; empty if there are none."""
    members, _ = axis_members({label: game.setup for label, game in summary.games.items()})
    labels = list(members[subject].values()) if subject in members else [subject]
    groups = by_setup(summary.run.episodes)
    return {label: groups[label] for label in labels if label in groups}


def _absent(comparison: Comparison, subject: str) -> str:
    """Why a comparison has no figure of something."""
    runs = {"the first run": comparison.before, "the second run": comparison.after}
    lacking = [name for name, run in runs.items() if not _episodes(run, subject) and not _has_skill(run, subject)]
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


def _doubts(comparison: Comparison, rule: Rule) -> Iterator[str]:
    """Why the data of a rule may flatter the second run."""
    yield from _problems(comparison.after, "the second run", harmless=(LIMIT,))
    if not rule.level:
        # An episode that a limit ended counts as aborted: in the first run that makes the second one look better.
        yield from _problems(comparison.before, "the first run")
    yield from _lost(comparison, rule.subject)
    if rule.level:
        yield from _partner_doubt(_episodes(comparison.after, rule.subject))
    elif rule.subject not in comparison.skills:
        labels = [label for label in comparison.axes.get(rule.subject, (rule.subject,))]
        left_out = sum(comparison.paired.partner_faults.get(label, 0) for label in labels)
        pairs = sum(len(comparison.paired.games.get(label, ())) for label in labels)
        yield from _too_many(left_out, left_out + pairs)


def _problems(summary: Summary, name: str, harmless: Sequence[str] = ()) -> Iterator[str]:
    for problem in summary.run.problems:
        if problem.kind not in harmless:
            yield f"{name} has problems: {_short(problem)}"


def _short(problem: Problem) -> str:
    first = f" (such as {shorten(problem.where[0])})" if problem.where else ""
    return f"{problem.kind}, {problem.count}x{first}"


def _partner_doubt(groups: Mapping[str, Sequence[EpisodeRecord]]) -> Iterator[str]:
    episodes = [one for found in groups.values() for one in found]
    yield from _too_many(sum(one.partner_fault for one in episodes), len(episodes))


def _too_many(left_out: int, of: int) -> Iterator[str]:
    if left_out > PARTNER_FAULTS * of:
        yield f"{left_out} of {of} episodes are left out because a partner broke the protocol"


def _lost(comparison: Comparison, subject: str) -> Iterator[str]:
    """Names what only the first run has of a subject: a run that loses hard instances looks better."""
    paired = comparison.paired
    setups = {Setup.of(found[0]) for found in _episodes(comparison.before, subject).values()}
    labels = comparison.axes.get(subject, (subject,))
    setups |= {paired.setups[label] for label in labels if label in paired.setups}

    def keys(run: Run) -> set[tuple[str, int]]:
        episodes = {(one.instance, one.epoch) for one in run.episodes if Setup.of(one) in setups}
        return episodes or {(one.item, one.epoch) for one in run.items if _belongs(one, subject)}

    first = keys(comparison.before.run)
    if lost := sorted(first - keys(comparison.after.run)):
        yield f"the second run lacks {len(lost)} of the first one's {len(first)} instances (such as {lost[0][0]})"


def _belongs(item: ItemRecord, subject: str) -> bool:
    return subject in (item.benchmark, find_benchmark(item.benchmark).capability, SKILLS)


def _limits(confidence: float) -> str:
    return f"{100 * confidence:g}% limits"


def _number(value: float, level: bool) -> str:
    return f"{value:g}%" if level else f"{value:+g}"
