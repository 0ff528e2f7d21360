"""The result table, for people and as JSON, from one source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from playpen_eval.scoring import GameScore, clemscore
from playpen_eval.statistics import Interval

if TYPE_CHECKING:
    from rich.table import Table


def figures(games: Mapping[str, GameScore]) -> dict[str, Any]:
    """Game figures and their aggregate as JSON data."""
    total = clemscore({name: (score.played, score.quality) for name, score in games.items()})
    return {"games": {name: asdict(score) for name, score in games.items()}, "all": total._asdict()}


def table(games: Mapping[str, GameScore], title: str | None = None) -> Table:
    """Game figures and their aggregate as a table for the terminal."""
    from rich.markup import escape
    from rich.table import Table

    title = escape(title) if title else None
    shown = Table(
        title=title,
        title_justify="left",
        box=None,
        pad_edge=False,
        caption=r"\[a, b]: 95% interval; W/L/A: won, lost, aborted",
    )
    shown.add_column("game", no_wrap=True)
    for heading, width in (("n", 3), ("played %", 15), ("quality", 15), ("W/L/A", 7), ("clemscore", 9)):
        shown.add_column(heading, justify="right", no_wrap=True, min_width=width)
    for name, score in games.items():
        left_out = f" +{score.partner_aborted} by partner" if score.partner_aborted else ""
        shown.add_row(
            name,
            str(score.n),
            _number(score.played, score.played_interval),
            _number(score.quality, score.quality_interval),
            f"{score.success}/{score.lose}/{score.aborted}{left_out}",
            _number(score.clemscore, digits=2),
        )
    if len(games) > 1:
        total = clemscore({name: (score.played, score.quality) for name, score in games.items()})
        counts = "/".join(str(sum(getattr(s, kind) for s in games.values())) for kind in ("success", "lose", "aborted"))
        n = str(sum(score.n for score in games.values()))
        shown.add_section()
        shown.add_row(
            "all", n, _number(total.played), _number(total.quality), counts, _number(total.clemscore, digits=2)
        )
    return shown


def show(shown: Table) -> None:
    """Prints a table whole: a narrow terminal wraps lines, but never loses a column or a digit."""
    from rich.console import Console

    console = Console()
    widths = console.measure(shown, options=console.options.update(width=1000))
    needed = widths.maximum if all(column.no_wrap for column in shown.columns) else widths.minimum
    Console(width=max(console.width, needed)).print(shown)


def _number(value: float | None, interval: Interval | None = None, digits: int = 1) -> str:
    if value is None:
        return "-"
    # The bracket is escaped: rich would take it for markup.
    return f"{value:.{digits}f}" + (rf" \[{interval.low:.0f}, {interval.high:.0f}]" if interval else "")
