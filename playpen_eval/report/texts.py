"""Names and numbers as a page or a plot shows them."""

from __future__ import annotations

import re

from playpen_eval.statistics import Interval

ABSENT = "–"

_UNPRINTABLE = re.compile(
    # Control characters, lone surrogates, noncharacters; and those that turn the direction of the text after them.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
    """A name as any page or drawing can hold it: what cannot be shown, or reorders its surroundings, is replaced."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def clipped(text: str, most: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def number(value: float | None, digits: int = 1) -> str:
    """A figure."""
    return ABSENT if value is None else f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 1) -> str:
    """A change; one that rounds to nothing has no sign."""
    if value is None:
        return ABSENT
    shown = f"{value:+.{digits}f}"
    return shown[1:] if not float(shown) else shown.replace("-", "−")


def limits(found: Interval | None, digits: int = 1) -> str:
    """An interval of a figure."""
    return f"[{found.low:.{digits}f}, {found.high:.{digits}f}]".replace("-", "−") if found else ""


def p_value(value: float | None) -> str:
    """A p."""
    if value is None:
        return ABSENT
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float | None) -> str | None:
    """A time for people."""
    if seconds is None:
        return None
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"
