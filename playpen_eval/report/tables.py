"""The tables of one run: conditions, axes, games, skills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from playpen_eval.grid import Grid, number
from playpen_eval.registry import AXES
from playpen_eval.report.summary import OVERALL, GameSummary, Summary
from playpen_eval.runs import RunMeta
from playpen_eval.scoring import GameScore, clemscore
from playpen_eval.skills.aggregate import Skills
from playpen_eval.skills.aggregate import grid as skills_grid
from playpen_eval.statistics import Interval

INTERVALS = (
    "[a, b]: 95% interval; of shares the exact one (Clopper-Pearson), of scores the Bayesian bootstrap over instances "
    "with one more instance at the bound"
)


def figures(games: Mapping[str, GameScore]) -> dict[str, Any]:
    """Game figures and their aggregate as JSON data."""
    total = clemscore({name: (score.played, score.quality) for name, score in games.items()})
    return {"games": {name: asdict(score) for name, score in games.items()}, "all": total._asdict()}


def games_grid(games: Mapping[str, GameScore], title: str = "") -> Grid:
    """One line a game, and the aggregate."""
    grid = Grid(
        ["game", ">n", ">played %", ">quality", ">success", ">lose", ">aborted", ">clemscore"],
        title=title,
        notes=[INTERVALS],
    )
    for name, score in games.items():
        left_out = f" (+{score.partner_aborted} by partner)" if score.partner_aborted else ""
        grid.rows.append(
            [
                name,
                str(score.n),
                number(score.played, score.played_interval),
                number(score.quality, score.quality_interval),
                _count(score.success, score.n, score.success_interval),
                str(score.lose),
                _count(score.aborted, score.n, score.aborted_interval) + left_out,
                number(score.clemscore, score.clemscore_interval, 2),
            ]
        )
    if len(games) > 1:
        total = clemscore({name: (score.played, score.quality) for name, score in games.items()})
        counts = [str(sum(getattr(s, kind) for s in games.values())) for kind in ("n", "success", "lose", "aborted")]
        middle = [number(total.played), number(total.quality)]
        grid.rows += [[], ["all", counts[0], *middle, *counts[1:], number(total.clemscore, digits=2)]]
    return grid


def _count(k: int, n: int, interval: Interval | None) -> str:
    return str(k) if interval is None else f"{k} ({100 * k / n:.0f}% [{interval.low:.0f}, {interval.high:.0f}])"


def report_grids(summary: Summary) -> list[Grid]:
    """All tables of one run, the most condensed first."""
    grids = [axes_grid(summary)]
    if summary.games:
        grids.append(games_grid({name: game.score for name, game in summary.games.items()}, "Games"))
        if any(len(game.experiments) > 1 for game in summary.games.values()):
            grids.append(experiments_grid(summary.games))
    if summary.skills:
        grids.append(skills_grid(summary.skills))
    return grids


def axes_grid(summary: Summary) -> Grid:
    """The answer to the three questions, and under which conditions it was measured."""
    meta = summary.run.meta
    grid = Grid(
        ["axis", ">games", ">score", ">clemscore", ">played %", ">quality"],
        title=f"{meta.label}: {meta.model or 'model not told by the log'}",
        notes=[*conditions(meta), *doubts(summary)],
    )
    for axis in [*(name for name in AXES if name in summary.axes), *({OVERALL} & summary.axes.keys())]:
        found = summary.axes[axis]
        of = f"{len(found.games)} of {len(found.games) + len(found.missing)}" if axis in AXES else str(len(found.games))
        grid.rows.append(
            [
                axis,
                of,
                number(*found.score, digits=2),
                number(*found.clemscore, digits=2),
                number(found.played),
                number(found.quality),
            ]
        )
    if summary.skills:
        grid.rows.append(_skills_row(summary.skills))
    return grid


def _skills_row(skills: Skills) -> list[str]:
    name = "smoke_suite" if skills.mini else "retained_skills"
    error = "" if skills.error is None else f" +-{skills.error:.1f}"
    of = f"{len(skills.scores)} of {len(skills.scores) + len(skills.missing)} benchmarks"
    return [name, of, number(skills.total) + error, "", "", ""]


def experiments_grid(games: Mapping[str, GameSummary]) -> Grid:
    """One line an experiment, without intervals."""
    grid = Grid(["game", "experiment", ">n", ">played %", ">quality", ">clemscore"], title="Experiments")
    for name, game in games.items():
        for experiment, score in sorted(game.experiments.items()) if len(game.experiments) > 1 else ():
            grid.rows.append(
                [
                    name,
                    experiment,
                    str(score.n),
                    number(score.played),
                    number(score.quality),
                    number(score.clemscore, digits=2),
                ]
            )
    return grid


def conditions(meta: RunMeta) -> Iterator[str]:
    """How a run was made, as lines; what the log does not tell is named."""
    sources = sorted({source.source for source in meta.instances.values()})
    versions = ", ".join(f"{game} {version}" for game, version in sorted(meta.versions.items()))
    settings = ", ".join(f"{name} {value}" for name, value in meta.generation.items())
    precision = " ".join(filter(None, (meta.dtype, meta.quantization)))
    yield f"read from {meta.format}; instances: {', '.join(sources) or 'none'}; partner: {meta.partner or 'not told'}"
    yield f"precision: {precision or 'not told'}; settings: {settings or 'not told'}"
    if versions:
        yield f"versions of games: {versions}"
    if meta.packages or meta.commit:
        packages = [f"{name} {version}" for name, version in sorted(meta.packages.items())]
        yield f"made with: {', '.join([*packages, *([f'commit {meta.commit}'] if meta.commit else [])])}"
    costs = [
        (meta.model_calls, "{:,} replies of models"),
        (meta.tokens_in, "{:,} tokens read"),
        (meta.tokens_out, "{:,} written"),
        (meta.wall_seconds, "{:,.0f} s"),
        (meta.cost, "${:,.2f}"),
    ]
    if told := [text.format(value) for value, text in costs if value is not None]:
        yield "cost: " + ", ".join(told)
    if meta.other_tasks:
        yield f"not read, since no playpen task: {', '.join(meta.other_tasks)}"


def doubts(summary: Summary) -> Iterator[str]:
    """What is wrong with a run, as lines."""
    yield from (f"! {problem}" for problem in summary.run.problems)
    yield from (f"! {doubt}" for doubt in summary.doubts)
