"""The verdicts of a gate for machines that show them: JUnit's XML, and Markdown for a pull request."""

from __future__ import annotations

import re
from statistics import NormalDist
from typing import NamedTuple
from xml.etree import ElementTree

from playpen_eval.compare.comparison import SKILLS, Comparison
from playpen_eval.compare.gate import GateResult
from playpen_eval.compare.rules import one_line
from playpen_eval.report.summary import Summary
from playpen_eval.statistics import CONFIDENCE, Interval

SHOWN = ("unseen_instances", "unseen_games", SKILLS)
"""The three questions asked of every checkpoint."""

_MARKUP = re.compile(r"[^\w\s.,()%+=;:/-]|:(?=/)")


class _Row(NamedTuple):
    """One axis; what there is not is None."""

    axis: str
    before: float | None
    after: float | None
    interval: Interval | None


def junit(result: GateResult) -> str:
    """JUnit's XML, one test case per rule.

    A lack of evidence is an `error`, as of a test that could not be carried out: `skipped` ones do not stop a build.
    """
    verdicts = [rule.verdict for rule in result.rules]
    counts = {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count("regression")),
        "errors": str(verdicts.count("not enough evidence")),
    }
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "playpen-eval gate", **counts})
    for rule in result.rules:
        case = ElementTree.SubElement(suite, "testcase", {"classname": "gate", "name": one_line(rule.text)})
        reason = one_line(rule.reason)
        if rule.verdict == "pass":
            ElementTree.SubElement(case, "system-out").text = reason
            continue
        kind = "failure" if rule.verdict == "regression" else "error"
        attributes = {"message": reason, "type": rule.verdict}
        ElementTree.SubElement(case, kind, attributes).text = f"{rule.text}: {reason}"
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def markdown(result: GateResult) -> str:
    """The verdicts, and the three axes, as tables of GitHub's Markdown."""
    lines = [f"### Gate: {result.verdict}", "", "| rule | verdict | why |", "|---|---|---|"]
    lines += [f"| {escape(rule.text)} | {rule.verdict} | {escape(rule.reason)} |" for rule in result.rules]
    lines += ["", *_axes(result.source)]
    if result.notes:
        lines += ["", *(f"- {escape(note)}" for note in result.notes)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """One line of text that neither Markdown nor HTML takes for markup, a mention or a link."""
    escaped = _MARKUP.sub(lambda found: f"&#{ord(found[0])};", one_line(text))
    return re.sub(r"&#64;(?=\w)", "&#64;&#8203;", escaped)


def _axes(source: Comparison | Summary) -> list[str]:
    if isinstance(source, Comparison):
        lines = ["| axis | before | after | change | 95% interval |", "|---|--:|--:|--:|--:|"]
        for row in (_difference(source, axis) for axis in SHOWN):
            change = None if row.before is None or row.after is None else row.after - row.before
            lines.append(
                f"| {row.axis} | {_cell(row.before)} | {_cell(row.after)} | {_cell(change, '+')} "
                f"| {_between(row.interval, '+')} |"
            )
        return lines
    rows = (_figure(source, axis) for axis in SHOWN)
    lines = ["| axis | score | 95% interval |", "|---|--:|--:|"]
    return lines + [f"| {row.axis} | {_cell(row.after)} | {_between(row.interval)} |" for row in rows]


def _difference(comparison: Comparison, axis: str) -> _Row:
    labels = comparison.axes.get(axis, ())
    if axis not in comparison.subjects or not all(comparison.paired.games[label] for label in labels):
        return _Row(axis, None, None, None)
    found = comparison.difference(axis)
    return _Row(axis, found.before, found.after, found.interval)


def _figure(summary: Summary, axis: str) -> _Row:
    if axis in summary.axes:
        score = summary.axes[axis].score
        return _Row(axis, None, score.value, score.interval)
    found = summary.skills if axis == SKILLS else None
    if found is None or found.total is None:
        return _Row(axis, None, None, None)
    if not found.error:
        return _Row(axis, None, found.total, None)
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * found.error
    return _Row(axis, None, found.total, Interval(found.total - half, found.total + half))


def _cell(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.1f}"


def _between(interval: Interval | None, sign: str = "") -> str:
    return "-" if interval is None else f"{interval.low:{sign}.1f} to {interval.high:{sign}.1f}"
