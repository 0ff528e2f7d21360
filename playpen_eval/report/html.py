"""Reports and comparisons as one self-contained HTML file each.

Whatever comes from a run is hostile: the templates escape it, the texts of transcripts travel as JSON and are shown as
text, and the page's policy allows no script but its own and no address at all.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from playpen_eval import __version__
from playpen_eval.compare.comparison import KINDS, Comparison, Effect
from playpen_eval.compare.pairing import EpisodePair
from playpen_eval.compare.several import Several
from playpen_eval.report import plots, texts
from playpen_eval.report.summary import OVERALL, Summary
from playpen_eval.report.svg import to_inline_svg
from playpen_eval.report.transcripts import (
    Chosen,
    choose_episodes,
    choose_pairs,
    episode_id,
    pair_key,
    transcripts_json,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure as Plot

LISTED = 100
"""Ids of instances that only one run has are listed up to so many for each game."""

CHANGED = 20
"""Episodes in the table of those that changed most."""


class Section(NamedTuple):
    """A comparison as its part of the page shows it.

    Attributes:
        prefix: What its ids start with.
        names: Names of both runs.
        comparison: The figures.
        effects: Rows of the table.
        changed: (label, pair, id of its transcript or None) of the episodes that changed most.
        leftovers: (name of the run, game -> ids) of what was not compared.
        effects_plot: Forest plot.
        shifts_plot: Outcomes before and after.
    """

    prefix: str
    names: tuple[str, str]
    comparison: Comparison
    effects: list[Effect]
    changed: list[tuple[str, EpisodePair, str | None]]
    leftovers: list[tuple[str, Mapping[str, list[str]]]]
    effects_plot: Markup
    shifts_plot: Markup


def report_html(summaries: Sequence[Summary], transcripts: int) -> str:
    """A page of one run, or of several side by side.

    Args:
        summaries: The runs, at least one.
        transcripts: At most so many of each game, of all outcomes, can be read in the page.
    """
    names = _names(summaries)
    chosen = [
        choose_episodes(summary.run, name, f"e{index}", transcripts)
        for index, (name, summary) in enumerate(zip(names, summaries), 1)
    ]
    return _render("report.html.j2", summaries, names, chosen, title=" · ".join(names))


def comparison_html(found: Comparison | Several, transcripts: int, gate: Any = None) -> str:
    """A page of what changed between two runs, or several.

    Args:
        found: The comparison.
        transcripts: At most so many pairs of each game, those that changed most first, can be read in the page.
        gate: Result of a gate: `verdict`, and `rules` with `text`, `verdict` and `reason` each.
    """
    if isinstance(found, Several):
        summaries, names = found.summaries, list(found.labels)
        parts = [(f"c{index}", 0, index, found.comparisons[0, index]) for index in range(1, len(names))]
    else:
        summaries = [found.before, found.after]
        names = _names(summaries)
        parts = [("c1", 0, 1, found)]
    sections, chosen = [], []
    for prefix, first, second, comparison in parts:
        pair = (names[first], names[second])
        changed = comparison.most_changed(CHANGED)
        picked = choose_pairs(comparison.paired.games, changed, pair, prefix, transcripts)
        chosen.append(picked)
        sections.append(_section(prefix, pair, comparison, changed, picked))
    more: dict[str, Any] = {
        "sections": sections,
        "doubts": _doubts(sections),
        "gate": gate,
        "matrices": {},
        "course": None,
    }
    if isinstance(found, Several) and len(names) > 2:
        more["matrices"] = _matrices(found)
    if isinstance(found, Several):
        more["course"] = _inline(plots.learning_plot(found), "course", "Score of each axis over the runs")
        more["steps"] = found.steps
    title = " → ".join(names) if len(names) < 4 else f"{names[0]} → {names[-1]} ({len(names)} runs)"
    return _render("comparison.html.j2", summaries, names, chosen, title=title, **more)


def _names(summaries: Sequence[Summary]) -> list[str]:
    """Labels of the runs, with numbers where they are the same."""
    labels = [summary.run.meta.label for summary in summaries]
    return [label if labels.count(label) == 1 else f"{label} #{index}" for index, label in enumerate(labels, 1)]


def _section(
    prefix: str, names: tuple[str, str], comparison: Comparison, changed: Sequence[EpisodePair], picked: Chosen
) -> Section:
    there = {shown.id for shown in picked.shown}
    labels = {pair_key(pair): label for label, pairs in comparison.paired.games.items() for pair in pairs}
    rows = []
    for pair in changed:
        label = labels[pair_key(pair)]
        link = episode_id(prefix, label, pair.before)
        rows.append((label, pair, link if link in there else None))
    only = ((names[0], comparison.paired.only_before), (names[1], comparison.paired.only_after))
    between = f"{names[0]} and {names[1]}"
    return Section(
        prefix,
        names,
        comparison,
        sorted(comparison.effects, key=lambda effect: effect.subject != OVERALL),
        rows,
        [(name, left) for name, left in only if left],
        _inline(plots.effects_plot(comparison), f"{prefix}effects", f"Changes of the scores between {between}"),
        _inline(plots.shifts_plot(comparison), f"{prefix}shifts", f"Outcomes in {between}"),
    )


def _doubts(sections: Sequence[Section]) -> list[str]:
    """Those of all comparisons; one that is not of each names its runs."""
    lines = {}
    for section in sections:
        for line in section.comparison.doubts:
            lines.setdefault(line, []).append(" → ".join(section.names))
    return [line if len(of) == len(sections) else f"{', '.join(of)}: {line}" for line, of in lines.items()]


def _matrices(several: Several) -> dict[str, list[list[Any]]]:
    """Axis -> before -> after -> difference; None where there is none."""
    n = len(several.labels)
    axes = [name for name, kind in several.subjects.items() if kind == "axis"]
    return {
        axis: [
            [several.comparisons[i, j].difference(axis) if i < j else None for j in range(1, n)] for i in range(n - 1)
        ]
        for axis in sorted(axes, key=lambda axis: axis != OVERALL)
    }


def _render(
    template: str, summaries: Sequence[Summary], names: Sequence[str], chosen: Sequence[Chosen], **more: Any
) -> str:
    from markupsafe import Markup

    environment = _environment()
    data, unreadable = transcripts_json([shown for part in chosen for shown in part.shown])
    script = environment.get_template("page.js.j2").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment.get_template(template).render(
            version=__version__,
            # Quotes of JSON are no danger inside of a script element, where entities would not be read.
            data=Markup(data),
            script=Markup(script),
            script_hash=digest,
            runs=[_run(index, name, summary) for index, (name, summary) in enumerate(zip(names, summaries), 1)],
            facts=_facts(summaries),
            axes_plot=_inline(plots.axes_plot(summaries, names), "axes", "Score of each axis with its interval"),
            unreadable=unreadable,
            shown=sum(len(part.shown) for part in chosen),
            shown_of=sum(part.of for part in chosen),
            kinds=KINDS,
            listed=LISTED,
            **more,
        )
        + "\n"
    )


def _run(index: int, name: str, summary: Summary) -> dict[str, Any]:
    """One run as the templates see it."""
    plot = None
    if summary.games:
        plot = _inline(plots.games_plot(summary), f"games{index}", f"Outcomes, % played and quality per game of {name}")
    return {
        "id": f"run{index}",
        "name": name,
        "summary": summary,
        "problems": [str(problem) for problem in summary.run.problems],
        "axes": plots.axis_figures(summary),
        "plot": plot,
    }


@functools.lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return texts.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("playpen_eval.report"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": texts.number,
        "signed": texts.signed,
        "limits": texts.limits,
        "p": texts.p_value,
        "clip": texts.clipped,
        "share": _share,
        "sort_key": lambda value: "" if value is None else f"{value:.6g}",
    }
    return environment


def _share(count: int, of: int) -> float | None:
    return 100 * count / of if of else None


def _inline(plot: Plot, name: str, title: str) -> Markup:
    from markupsafe import Markup

    return Markup(to_inline_svg(plot, name, title))


def _facts(summaries: Sequence[Summary]) -> dict[str, list[str | None]]:
    """What was measured -> its value in each run; None where the log does not tell."""
    each = [_facts_of(summary) for summary in summaries]
    return {name: [facts[name] for facts in each] for name in each[0]}


def _facts_of(summary: Summary) -> dict[str, str | None]:
    run, meta = summary.run, summary.run.meta
    sources: dict[str, list[str]] = {}
    for game, source in sorted(meta.instances.items()):
        digest = f" (sha256 {source.sha256[:12]})" if source.sha256 else ""
        sources.setdefault(source.source + digest, []).append(game)
    precision = [part for part in (meta.dtype, meta.quantization) if part]
    return {
        "model": meta.model,
        "read from": meta.path,
        "harness": meta.format,
        "packages": _pairs(meta.packages),
        "episodes": f"{len(run.episodes):,}" if run.episodes else "none",
        "items of benchmarks": f"{len(run.items):,}" if run.items else "none",
        "instances": "; ".join(_source(*source) for source in sources.items()) or None,
        "split": _joined(episode.split for episode in run.episodes),
        "partner": meta.partner,
        "roles of the learner": _joined(
            "+".join(episode.roles) if episode.roles else "all" for episode in run.episodes
        ),
        "versions of the games": _pairs(meta.versions),
        "precision": ", ".join(precision) or None,
        "settings": _pairs(meta.generation),
        "commit": meta.commit,
        "tokens read": _count(meta.tokens_in),
        "tokens written": _count(meta.tokens_out),
        "model calls": _count(meta.model_calls),
        "wall time": texts.duration(meta.wall_seconds),
        "cost": None if meta.cost is None else f"${meta.cost:,.2f}",
        "other tasks, not read": ", ".join(meta.other_tasks) or "none",
    }


def _source(source: str, games: Sequence[str]) -> str:
    return f"{source}: {', '.join(games) if len(games) < 4 else f'{len(games)} games'}"


def _joined(values: Any) -> str | None:
    return ", ".join(sorted(set(values))) or None


def _pairs(values: Mapping[str, Any]) -> str | None:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items())) or None


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"
