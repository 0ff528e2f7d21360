"""A table that is written once and shown in the terminal or as Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from playpen_eval.statistics import Interval

_MARKDOWN = re.compile(r"([\\`*_{}\[\]|#~])")


@dataclass
class Grid:
    """Rows of text under headings.

    Attributes:
        headings: One per column; text stands left, what begins with `>` right.
        rows: The cells; an empty row is a line between sections.
        title: What the table shows.
        notes: What a reader has to know, below it.
    """

    headings: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    title: str = ""
    notes: Sequence[str] = ()

    def rich(self) -> Table:
        """The rows for the terminal, without title and notes; what they hold is text, never markup."""
        from rich.table import Table
        from rich.text import Text

        shown = Table(box=None, pad_edge=False)
        for heading in self.headings:
            shown.add_column(
                Text(heading.removeprefix(">")), justify="right" if heading.startswith(">") else "left", no_wrap=True
            )
        for row in self.rows:
            if row:
                shown.add_row(*map(Text, row))
            else:
                shown.add_section()
        return shown

    def markdown(self) -> str:
        """The table as GitHub's Markdown; whatever the cells hold stays text."""
        lines = [f"**{_plain(self.title)}**\n"] if self.title else []
        lines.append(_line([_plain(heading.removeprefix(">")) for heading in self.headings]))
        lines.append(_line(["---:" if heading.startswith(">") else "---" for heading in self.headings]))
        lines += [_line(map(_plain, row)) for row in self.rows if row]
        lines += [f"\n{_plain(note)}" for note in self.notes]
        return "\n".join(lines) + "\n"


def _line(cells) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    return html.escape(_MARKDOWN.sub(r"\\\1", " ".join(text.split())), quote=False)


def show(*tables: Grid | Table) -> None:
    """Prints tables whole: a narrow terminal wraps lines, but never loses a column or a digit."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for number, table in enumerate(tables):
        shown = table.rich() if isinstance(table, Grid) else table
        widths = console.measure(shown, options=console.options.update(width=1000))
        needed = widths.maximum if all(column.no_wrap for column in shown.columns) else widths.minimum
        wide = Console(width=max(console.width, needed))
        if number:
            wide.print()
        if isinstance(table, Grid) and table.title:
            wide.print(Text(table.title, style="bold"))
        wide.print(shown)
        for note in table.notes if isinstance(table, Grid) else ():
            wide.print(Text(note, style="dim"))


def number(value: float | None, interval: Interval | None = None, digits: int = 1, *, signed: bool = False) -> str:
    """A figure as text, with its interval in whole numbers if there is one: `39.5 [33, 46]`."""
    if value is None:
        return "-"
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    if interval is None:
        return text
    low, high = (f"{limit:{'+' if signed else ''}.{digits if signed else 0}f}" for limit in interval)
    return f"{text} [{low}, {high}]"
