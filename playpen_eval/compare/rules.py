"""The rules of a gate, read from expressions and files: `unseen_games >= -2 @ 95%; aborted <= 5%`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from playpen_eval.compare.comparison import FIGURES, SKILLS
from playpen_eval.errors import UserError, unknown
from playpen_eval.registry import AXES, scan
from playpen_eval.report.summary import OVERALL
from playpen_eval.skills.catalogue import CAPABILITIES, benchmarks
from playpen_eval.statistics import CONFIDENCE

ESTIMATE = "estimate"
EXAMPLE = "such as 'unseen_games >= -2' (a change in points) or 'aborted <= 5%' (a level)"
LEVELS = (0.5, 0.999)
"""Above the first, at which limits would be no limits; up to the second, beyond which there are too few resamples."""

_SIGNS = str.maketrans({"≥": ">=", "≤": "<=", "−": "-"})
_OPERATORS = re.compile(r"([<>=!]+)")
_NUMBER = re.compile(r"[+-]?(\d{1,9}(\.\d{0,9})?|\.\d{1,9})", re.ASCII)
_LONGEST = 100


class Rule(NamedTuple):
    """One rule.

    Attributes:
        text: As it was written.
        subject: Game, axis, capability or benchmark.
        figure: One of `FIGURES`.
        at_most: True for `<=`, False for `>=`.
        threshold: In points of 100.
        level: True if the second run's own figure is meant, False if its change from the first.
        confidence: Level of each limit, such as 0.95; None if the estimate alone decides.
    """

    text: str
    subject: str
    figure: str
    at_most: bool
    threshold: float
    level: bool
    confidence: float | None


def parse_rules(sources: str | Iterable[str]) -> list[Rule]:
    """Reads rules.

    Args:
        sources: Expressions or names of files. Both hold rules separated by `;` or line ends, and comments after `#`.

    Raises:
        UserError: There is no rule at all, or a text is none. That a subject exists is for `check_subject`.
    """
    rules = []
    for source in [sources] if isinstance(sources, str) else sources:
        text, place = _text_of(source)
        found = [_rule(*one) for one in _split(text, place)]
        if not found:
            raise UserError(f"{shorten(source)!r} has no rule; write one {EXAMPLE}")
        rules += found
    if not rules:
        raise UserError(f"no rule; write one {EXAMPLE}")
    return rules


def check_subject(rule: Rule, labels: Iterable[str] = ()) -> None:
    """Checks that a rule is about something that exists, whether or not it was run.

    Args:
        rule: The rule.
        labels: What there is beside axes, games, capabilities and benchmarks: games in a certain setup.

    Raises:
        UserError: There is no such subject, or it does not have the figure.
    """
    skills = {SKILLS, *CAPABILITIES, *benchmarks(), *benchmarks(mini=True)}
    others = {*AXES, OVERALL, *scan().games, *labels}
    if rule.subject not in skills | others:
        raise unknown("subject", shorten(rule.subject), skills | others)
    if rule.figure != "score" and rule.subject not in others:
        raise UserError(f"{rule.subject} has only a score, no {rule.figure}")


def one_line(text: str) -> str:
    """A text without line ends, control characters and what else is not to be seen."""
    return " ".join("".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text).split())


def shorten(text: str) -> str:
    """One line of a text, cut where it is too long for a message."""
    text = one_line(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _text_of(source: str) -> tuple[str, str | None]:
    """What a file holds, and its name; or the expression itself."""
    path = Path(source)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # too long, or with characters that no path has
        is_file = False
    if not is_file:
        return source, None
    try:
        return path.read_text(encoding="utf-8"), shorten(source)
    except (OSError, UnicodeError) as error:
        raise UserError(f"cannot read rules from {shorten(source)}: {shorten(str(error))}") from None


def _split(text: str, place: str | None) -> Iterator[tuple[str, str]]:
    """Each rule, and where it stands in a file."""
    for number, line in enumerate(text.splitlines(), 1):
        for part in line.partition("#")[0].split(";"):
            if rule := one_line(part):
                yield rule, f"{place}:{number}: " if place else ""


def _rule(text: str, place: str) -> Rule:
    def wrong(why: str) -> UserError:
        return UserError(f"{place}rule {shorten(text)!r}: {why}")

    parts = [part.strip() for part in _OPERATORS.split(text.translate(_SIGNS))]
    if len(parts) == 1:
        hint = "" if place else " nor a file"
        raise wrong(f"this is no rule{hint}; write one {EXAMPLE}")
    if parts[1] not in (">=", "<="):
        raise wrong(f"{parts[1]!r} is not known here; write >= or <=, which the threshold itself satisfies")
    if len(parts) != 3:
        raise wrong(f"one rule has one comparison; separate rules by ';' and write each {EXAMPLE}")
    named, (right, at, told) = parts[0], parts[2].partition("@")
    subject, figure = _subject(named)
    if not subject:
        raise wrong(f"it does not say of what; write one {EXAMPLE}")
    if figure not in FIGURES:
        raise wrong(str(unknown("figure", shorten(figure), FIGURES)))
    at_most, level = parts[1] == "<=", right.strip().endswith("%")
    if why := _direction(named, figure, at_most):
        raise wrong(why)
    try:
        threshold = _threshold(right.strip().removesuffix("%").strip(), level)
        confidence = _confidence(told.strip()) if at else CONFIDENCE
    except UserError as error:
        raise wrong(str(error)) from None
    return Rule(text, subject, figure, at_most, threshold, level, confidence)


def _subject(named: str) -> tuple[str, str]:
    """Subject and figure; a name may hold dots itself, as that of a partner does."""
    if named in FIGURES:
        return OVERALL, named
    subject, dot, figure = named.rpartition(".")
    if dot and (figure in FIGURES or " " not in named):
        return subject.strip(), figure.strip()
    return named, "score"


def _direction(named: str, figure: str, at_most: bool) -> str | None:
    """Why a rule would let pass what it is meant to stop."""
    if figure == "aborted" and not at_most:
        return f"it would pass however many episodes are aborted; write {named} <= 2 (points more) or {named} <= 5%"
    if figure not in ("aborted", "lose") and at_most:
        return f"it would pass however low it falls; write {named} >= -2 for a loss of at most 2 points"
    return None


def _threshold(text: str, level: bool) -> float:
    if not _NUMBER.fullmatch(text):
        raise UserError(f"{shorten(text)!r} is no number; write one such as -1.5 (a change in points) or 5% (a level)")
    value = float(text)
    if level and value < 0:
        raise UserError(f"a level cannot be negative; a change in points is written without %: {text}")
    if abs(value) > 100:
        raise UserError(f"{text} is too large; levels lie in 0% to 100%, changes in -100 to 100 points")
    return value


def _confidence(text: str) -> float | None:
    """The level of a rule: `95%`, or None for `estimate`."""
    if text == ESTIMATE:
        return None
    number = text.removesuffix("%").strip()
    if not text.endswith("%") or not _NUMBER.fullmatch(number):
        raise UserError(f"{shorten(text)!r} is no confidence level; write @ 95%, or @ {ESTIMATE} to ignore chance")
    value = float(number) / 100
    if not LEVELS[0] < value <= LEVELS[1]:
        low, high = (f"{100 * limit:g}%" for limit in LEVELS)
        raise UserError(f"@ {text} is out of range: more than {low}, at most {high}; @ {ESTIMATE} ignores chance")
    return value
