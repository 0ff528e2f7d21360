"""Plots of runs and comparisons: each function returns a figure of matplotlib, to be saved as SVG, PDF or PNG.

Colours are of Okabe and Ito's palette, which stays apart when colour-blind, and nothing is told by colour alone. No
function touches the state of pyplot, and the same data give the same bytes.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from playpen_eval.compare.comparison import KINDS, SKILLS, Comparison
from playpen_eval.compare.several import Several
from playpen_eval.report.summary import OVERALL, Figure, Summary
from playpen_eval.report.texts import clipped, limits, number, printable, signed
from playpen_eval.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Plot

WIDTH = 7.4
"""Inches: the text of an A4 page."""

INK, MUTED, GRID = "#24292f", "#6e7781", "#d0d7de"
BETTER, WORSE, NEUTRAL = "#0072b2", "#d55e00", "#767d85"
OUTCOMES = {"success": "#0073b3", "lose": "#f0c75e", "aborted": "#b85c38"}

_ROW = 0.22
_NAME = 34
_NORMAL = 1.96
_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRID,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 8.5,
    "axes.unicode_minus": True,
    "font.family": "sans-serif",
    "font.size": 8,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "playpen-eval",
    "text.color": INK,
    # A name with two dollar signs is no formula.
    "text.parse_math": False,
    "xtick.color": GRID,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.color": GRID,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8,
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """The settings under which figures are made and saved."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # Names in scripts that the font lacks are drawn by the reader's own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType]
        yield


def _figure(height: float, width: float = WIDTH) -> Plot:
    from matplotlib.figure import Figure as Plot

    return Plot(figsize=(width, height), layout="constrained")


def _name(text: str, most: int = _NAME) -> str:
    return clipped(printable(text), most)


def axis_figures(summary: Summary) -> dict[str, Figure]:
    """Axis -> its score; retained skills with a normal interval of their standard error."""
    found = {axis: figures.score for axis, figures in summary.axes.items()}
    if summary.skills is not None and summary.skills.total is not None:
        total, error = summary.skills.total, summary.skills.error
        half = None if error is None else _NORMAL * error
        found[SKILLS] = Figure(total, None if half is None else Interval(total - half, total + half))
    return found


def _axes_of(summaries: Sequence[Summary]) -> dict[str, list[Figure | None]]:
    """Axis -> its score in each run, the overall one first."""
    each = [axis_figures(summary) for summary in summaries]
    names = dict.fromkeys(axis for figures in each for axis in figures)
    ordered = sorted(names, key=lambda axis: axis != OVERALL)
    return {axis: [figures.get(axis) for figures in each] for axis in ordered}


def _dot(axes: Axes, y: float, figure: Figure, colour: str = BETTER, marker: str = "o") -> None:
    if figure.interval is not None:
        axes.plot(figure.interval, [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    if figure.value is not None:
        axes.plot([figure.value], [y], marker=marker, color=colour, markersize=5, linestyle="none")


def _rows(axes: Axes, names: Sequence[str]) -> None:
    """One row per name, from top to bottom."""
    axes.set_yticks(range(len(names)), [_name(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def axes_plot(summaries: Sequence[Summary], labels: Sequence[str] | None = None) -> Plot:
    """The axes of one run, or of several side by side: a dot and its 95% interval each.

    Args:
        summaries: The runs.
        labels: A name for each; by default that of its file.
    """
    labels = labels or [summary.run.meta.label for summary in summaries]
    found = _axes_of(summaries)
    with styled():
        if len(summaries) == 1:
            figure = _figure(0.75 + _ROW * 1.15 * max(len(found), 1))
            axes = figure.add_subplot()
            for row, [score] in enumerate(found.values()):
                if score is not None:
                    _dot(axes, row, score)
                    axes.annotate(
                        _with_interval(score),
                        (1.01, row),
                        xycoords=("axes fraction", "data"),
                        va="center",
                        fontsize=7.5,
                    )
            _rows(axes, list(found))
            axes.set_xlabel("score")
            axes.set_xlim(*_limits(found, (0, 100)))
            return figure
        figure = _figure(0.9 + _ROW * len(summaries))
        panels = figure.subplots(1, max(len(found), 1), sharex=True, sharey=True, squeeze=False)[0]
        for axes, (axis, scores) in zip(panels, found.items()):
            for row, score in enumerate(scores):
                if score is not None:
                    _dot(axes, row, score)
            axes.set_title(_name(axis, 22), loc="left")
            _rows(axes, labels)
            axes.set_xlim(*_limits(found))
        figure.supxlabel("score", fontsize=8)
        return figure


def _limits(
    found: Mapping[str, Sequence[Figure | None]], least: tuple[float, float] | None = None
) -> tuple[float, float]:
    """A range that holds every interval, and at least the given one."""
    values = [*(least or ())]
    for score in (score for scores in found.values() for score in scores if score is not None):
        values += [*(score.interval or ()), *([score.value] if score.value is not None else [])]
    low, high = min(values, default=0.0), max(values, default=100.0)
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def _with_interval(figure: Figure) -> str:
    return f"{number(figure.value)} {limits(figure.interval)}".rstrip()


class _Bar(NamedTuple):
    """One row of the forest plot; without effect it is a heading."""

    name: str
    effect: Figure | None = None
    p: float = 1.0


def _forest_rows(comparison: Comparison) -> list[_Bar]:
    effects = {effect.subject: effect for effect in comparison.effects if effect.figure == "score"}

    def bar(name: str) -> _Bar:
        difference = effects[name].difference
        return _Bar(name, Figure(difference.effect, difference.interval), difference.p)

    def group(title: str, names: Sequence[str]) -> list[_Bar]:
        bars = sorted(map(bar, names), key=lambda row: (-(row.effect.value or 0.0) if row.effect else 0.0, row.name))
        return [_Bar(title), *bars] if bars else []

    kinds = {kind: [name for name, effect in effects.items() if effect.kind == kind] for kind in _GROUPS}
    rows = [_Bar("axes"), *map(bar, sorted(kinds["axis"], key=lambda name: name != OVERALL))]
    left = dict.fromkeys(kinds["game"])
    for axis, labels in comparison.axes.items():
        if axis != OVERALL:
            rows += group(f"games of {axis}", [label for label in labels if label in left])
            left = {label: None for label in left if label not in labels}
    rows += group("other games", list(left))
    return rows + group("capabilities", kinds["capability"]) + group("benchmarks", kinds["benchmark"])


_GROUPS = ("axis", "game", "capability", "benchmark")


def effects_plot(comparison: Comparison) -> Plot:
    """What changed per axis and game (a forest plot): each effect with its 95% interval, sorted within its axis."""
    rows = _forest_rows(comparison)
    with styled():
        figure = _figure(0.7 + 0.205 * len(rows))
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=0.9)
        for y, row in enumerate(rows):
            if row.effect is None:
                continue
            value, interval = row.effect.value or 0.0, row.effect.interval
            sure = interval is not None and not interval.low <= 0 <= interval.high
            colour = (BETTER if value > 0 else WORSE) if sure else NEUTRAL
            _dot(axes, y, row.effect, colour, "o" if not sure else "^" if value > 0 else "v")
            span = f"  [{signed(interval.low)}, {signed(interval.high)}]" if interval else ""
            axes.annotate(
                signed(value) + span, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=7.5
            )
        _rows(axes, [row.name for row in rows])
        for label, row in zip(axes.get_yticklabels(), rows):
            if row.effect is None:
                label.set_fontweight("bold")
        low, high = _limits({"": [row.effect for row in rows]})
        axes.set_xlim(min(low, -5), max(high, 5))
        axes.set_xlabel("change of the score, with 95% interval (triangles: it leaves out 0)")
        return figure


def shifts_plot(comparison: Comparison) -> Plot:
    """Outcomes before and after, one 3x3 table per axis: how many episodes went from which outcome to which."""
    subjects = sorted(comparison.axes, key=lambda axis: axis != OVERALL) or sorted(comparison.paired.games)[:4]
    with styled():
        if not subjects:
            return _figure(0.5)
        figure = _figure(2.25, min(WIDTH, 0.7 + 1.75 * len(subjects)))
        panels = figure.subplots(1, len(subjects), sharey=True, squeeze=False)[0]
        for axes, subject in zip(panels, subjects):
            _shift_panel(axes, comparison.shifts(subject), _name(subject, 24))
        panels[0].set_ylabel("before")
        figure.supxlabel("after", fontsize=8)
        return figure


def _shift_panel(axes: Axes, shifts: Mapping[tuple[str, str], int], title: str) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    total, most = sum(shifts.values()), max(shifts.values(), default=0) or 1
    for (before, after), n in shifts.items():
        x, y = KINDS.index(after), KINDS.index(before)
        colour = NEUTRAL if x == y else BETTER if x > y else WORSE
        strength = 0.08 + 0.82 * n / most
        # Mixed with white by hand: text must stand out in a dark page as well.
        mixed = [1 - strength * (1 - part) for part in to_rgb(colour)]
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=mixed, edgecolor="#fefefe", linewidth=1))
        dark = sum(weight * part for weight, part in zip((0.30, 0.59, 0.11), mixed)) < 0.56
        tint = "#fdfdfd" if dark else "#1a1a1a"
        axes.text(x, y - 0.08, str(n), ha="center", va="center", fontsize=9.5, color=tint)
        share = f"{100 * n / total:.0f}%" if total else "–"
        axes.text(x, y + 0.27, share, ha="center", va="center", fontsize=6.5, color=tint)
    axes.set_xlim(-0.5, 2.5)
    axes.set_ylim(2.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(3), KINDS)
    axes.set_yticks(range(3), KINDS)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{title} (n={total})", loc="left", fontsize=8)


def learning_plot(several: Several) -> Plot:
    """The axes over the course of a training: score and 95% interval against the step, or the order of the runs."""
    found = _axes_of(several.summaries)
    n = len(several.labels)
    xs = list(several.steps) if several.steps else list(range(n))
    columns = max(len(found), 1) if len(found) <= 4 else 3
    lines = -(-max(len(found), 1) // columns)
    names = [_name(label, 18) for label in several.labels]
    tilted = 0.0 if several.steps else 0.3 + 0.055 * max(map(len, names))
    with styled():
        figure = _figure(0.4 + 1.75 * lines + tilted)
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flatten()
        for axes, (axis, scores) in zip(panels, found.items()):
            _course(axes, xs, scores)
            axes.set_title(_name(axis, 30), loc="left")
        for index, axes in enumerate(panels):
            axes.set_visible(index < len(found))
            # In the last line of a grid that is not full, the panel above shows the ticks.
            axes.tick_params(axis="x", labelbottom=index + columns >= len(found))
            if several.steps is None:
                axes.set_xticks(xs, names, rotation=40, ha="right", rotation_mode="anchor")
            else:
                axes.locator_params(axis="x", nbins=5, integer=True)
        panels[0].set_ylim(*_limits(found))
        figure.supylabel("score", fontsize=8)
        figure.supxlabel("training step" if several.steps else "run", fontsize=8)
        return figure


def _course(axes: Axes, xs: Sequence[int], scores: Sequence[Figure | None]) -> None:
    points = [(x, score.value, score.interval) for x, score in zip(xs, scores) if score and score.value is not None]
    banded = [(x, *interval) for x, _, interval in points if interval is not None]
    if banded:
        steps, lows, highs = zip(*banded)
        axes.fill_between(steps, lows, highs, color=BETTER, alpha=0.18, linewidth=0)
    axes.plot([x for x, *_ in points], [y for _, y, _ in points], color=BETTER, marker="o", markersize=4, linewidth=1.4)
    axes.grid(axis="y")


def games_plot(summary: Summary) -> Plot:
    """Per game of one run: outcomes as shares of the episodes; and % played and quality, with 95% intervals."""
    labels = list(summary.games)
    with styled():
        figure = _figure(1.0 + _ROW * max(len(labels), 1))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.15, 1))
        for row, label in enumerate(labels):
            score = summary.games[label].score
            start = 0.0
            for kind, colour in OUTCOMES.items():
                count = getattr(score, kind)
                share = 100 * count / score.n if score.n else 0.0
                left.barh(row, share, left=start, color=colour, edgecolor="#fefefe", linewidth=0.8, height=0.74)
                if share >= 4:
                    tint = "#1a1a1a" if kind == "lose" else "#fdfdfd"
                    left.text(start + share / 2, row, str(count), ha="center", va="center", fontsize=7, color=tint)
                start += share
            _dot(right, row - 0.16, Figure(score.played, score.played_interval), NEUTRAL, "s")
            _dot(right, row + 0.16, Figure(score.quality, score.quality_interval), BETTER, "o")
        for axes, label in ((left, "% of episodes, with counts"), (right, "% played, and quality of what was played")):
            _rows(axes, labels)
            axes.set_xlabel(label)
        left.set_xlim(0, 100)
        left.grid(visible=False)
        scores = [game.score for game in summary.games.values()]
        right.set_xlim(
            *_limits({"": [Figure(score.quality, score.quality_interval) for score in scores]}, (0.0, 100.0))
        )
        _legend(figure)
        return figure


def _legend(figure: Plot) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=colour, label=kind) for kind, colour in OUTCOMES.items()]
    dots = [
        Line2D([], [], color=colour, marker=marker, markersize=5, label=name)
        for name, colour, marker in (("% played", NEUTRAL, "s"), ("quality", BETTER, "o"))
    ]
    figure.legend(handles=[*patches, *dots], loc="outside upper right", ncols=5, handlelength=1.4)
