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
from typing import Any, NamedTuple

from playpen_eval.compare.comparison import SKILLS, Comparison
from playpen_eval.compare.measure import Measured, change, episodes_of, level
from playpen_eval.compare.rules import ESTIMATE, Rule, check_subject, one_line, parse_rules, shorten
from playpen_eval.errors import UserError
from playpen_eval.report.summary import Setup, Summary
from playpen_eval.runs import LIMIT, EpisodeRecord, ItemRecord, Problem, Run
from playpen_eval.skills.catalogue import find_benchmark
from playpen_eval.statistics import Decision, Interval, gate_decision

_GRAVITY: tuple[Decision, ...] = ("regression", "not enough evidence", "pass")

EXIT_CODES: Mapping[Decision, int] = {"pass": 0, "regression": 1, "not enough evidence": 2}

PARTNER_FAULTS = 0.05
"""Share of episodes left out because of a partner above which a rule cannot pass."""

_MOST_TIMES = 100  # how many times as many instances are worth naming
_DIGITS = 9  # sums of floats must not break a rule that the exact figure keeps


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
        return next(verdict for verdict in _GRAVITY if verdict in found)

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
        check_subject(rule, (*comparison.paired.games, *comparison.after.games))
    results = []
    for rule in found:
        measured = level(comparison.after, rule) if rule.level else change(comparison, rule)
        results.append(_judge(rule, measured, list(_doubts(comparison, rule)), allow_problems))
    notes = dict.fromkeys(map(one_line, (*comparison.doubts, *comparison.after.doubts)))
    return GateResult(tuple(results), tuple(notes), comparison)


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
        doubts = [*problems, *_partner_doubt(episodes_of(summary, rule.subject))]
        results.append(_judge(rule, level(summary, rule), doubts, allow_problems))
    notes = [*(str(problem) for problem in summary.run.problems), *summary.doubts]
    return GateResult(tuple(results), tuple(map(one_line, notes)), summary)


def _judge(rule: Rule, measured: Measured | str, doubts: Sequence[str], allow_problems: bool) -> RuleResult:
    """The verdict; `measured` is a text where there is no figure."""
    verdict: Decision = "not enough evidence"
    estimate, interval = None, None
    if isinstance(measured, str):
        reasons = [measured]
    else:
        estimate = round(measured.estimate, _DIGITS)
        interval = Interval(*(round(limit, _DIGITS) for limit in measured.interval))
        limits = None if rule.confidence is None else interval
        verdict = gate_decision(estimate, limits, rule.threshold, at_most=rule.at_most)
        reasons = [measured.shown]
        if rule.confidence is None:
            reasons.append("decided by the estimate alone, which may be chance")
        elif verdict == "not enough evidence":
            reasons += _advice(rule, measured)
    if doubts and allow_problems:
        reasons.append(f"allowed: {', '.join(doubts)}")
    elif doubts and verdict == "pass":
        verdict = "not enough evidence"
        reasons.append(f"this would pass, but {', '.join(doubts)}: mend that, or --allow-problems")
    elif doubts:
        reasons.append(f"besides, {', '.join(doubts)}")
    return RuleResult(
        text=rule.text,
        subject=rule.subject,
        figure=rule.figure,
        threshold=rule.threshold,
        confidence=rule.confidence,
        verdict=verdict,
        reason=one_line("; ".join(reasons)),
        estimate=estimate,
        interval=interval,
    )


def _advice(rule: Rule, measured: Measured) -> Iterator[str]:
    """What would decide a rule whose threshold lies between the limits."""
    yield f"{_number(rule.threshold, rule.level)} lies between them"
    if measured.detectable is None:
        near = measured.interval.low if measured.estimate > rule.threshold else measured.interval.high
        gap = abs(measured.estimate - rule.threshold)
        if n := _needed(measured.n, abs(measured.estimate - near), gap):
            yield f"about {n} instances would decide if the figure stays the same"
    else:
        sign, word = (-1, "less") if rule.at_most else (1, "more")
        passing = rule.threshold + sign * measured.detectable
        if abs(passing) < 100:
            yield f"with these instances a true change of {passing:+.1f} or {word} passes 4 times in 5"
        # A run that is as good as the first is what most gates should let pass.
        room = -sign * rule.threshold
        if measured.detectable > room > 0 and (n := _needed(measured.n, measured.detectable, room)):
            yield f"an unchanged run passes as often with about {n} instances"
    yield f"`@ {ESTIMATE}` ignores chance"


def _needed(n: int, width: float, room: float) -> int | None:
    """Instances at which a width is only as large as the room for it; None if that is beyond reach."""
    if width <= 0 or width > room * math.sqrt(_MOST_TIMES):
        return None
    exact = n * (width / room) ** 2
    step = 10 ** max(0, math.floor(math.log10(exact)) - 1)
    return step * math.ceil(exact / step)


def _doubts(comparison: Comparison, rule: Rule) -> Iterator[str]:
    """Why the data of a rule may flatter the second run."""
    yield from _problems(comparison.after, "the second run", harmless=(LIMIT,))
    if not rule.level:
        # An episode that a limit ended counts as aborted: in the first run that makes the second one look better.
        yield from _problems(comparison.before, "the first run")
    yield from _lost(comparison, rule.subject)
    if rule.level:
        yield from _partner_doubt(episodes_of(comparison.after, rule.subject))
    elif not comparison.benchmarks_of(rule.subject):
        labels = comparison.axes.get(rule.subject, (rule.subject,))
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
    setups = {Setup.of(found[0]) for found in episodes_of(comparison.before, subject).values()}
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


def _number(value: float, level: bool) -> str:
    return f"{value:g}%" if level else f"{value:+g}" if value else "0"
