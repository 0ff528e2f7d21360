"""The result table, for people and as JSON, from one source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from playpen_eval.scoring import GameScore, Interval, clemscore

if TYPE_CHECKING:
    from rich.table import Table


def figures(games: Mapping[str, GameScore]) -> dict[str, Any]:
    """Game figures and their aggregate as JSON data."""
    total = clemscore({name: (score.played, score.quality) for name, score in games.items()})
    return {"games": {name: asdict(score) for name, score in games.items()}, "all": total._asdict()}


def table(games: Mapping[str, GameScore], title: str | None = None) -> Table:
    """Game figures and their aggregate as a table for the terminal."""
    from rich.table import Table

    shown = Table(title=title, title_justify="left", caption="in brackets: 95% intervals", caption_justify="left")
    shown.add_column("game")
    for heading in ("n", "played %", "quality", "success", "lose", "aborted", "clemscore"):
        shown.add_column(heading, justify="right")
    for name, score in games.items():
        left_out = f" (+{score.partner_aborted} by partner)" if score.partner_aborted else ""
        shown.add_row(
            name,
            str(score.n),
            _number(score.played, score.played_interval),
            _number(score.quality, score.quality_interval),
            str(score.success),
            str(score.lose),
            str(score.aborted) + left_out,
            _number(score.clemscore),
        )
    if len(games) > 1:
        total = clemscore({name: (score.played, score.quality) for name, score in games.items()})
        shown.add_section()
        n = str(sum(score.n for score in games.values()))
        shown.add_row("all", n, _number(total.played), _number(total.quality), "", "", "", _number(total.clemscore))
    return shown


def _number(value: float | None, interval: Interval | None = None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" + (f" [{interval.low:.0f}, {interval.high:.0f}]" if interval else "")
