"""Summaries as stored results: all figures, and the single outcomes that a later comparison needs.

results/README.md explains the fields, results/schema.json is their schema, and `read_run` reads such a file again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from playpen_eval.report.summary import AxisSummary, GameSummary, Summary, by_setup
from playpen_eval.runs import EpisodeRecord, ItemRecord, Problem, RunMeta
from playpen_eval.runs.read_results import OUTCOMES, SCHEMA
from playpen_eval.scoring import GameScore
from playpen_eval.skills.catalogue import benchmark_of_task
from playpen_eval.statistics import CONFIDENCE

METHODS = {
    "confidence": CONFIDENCE,
    "shares": "Clopper-Pearson; where instances were played several times, as for scores",
    "scores": "Bayesian bootstrap over instances within games, with one more instance at the bound",
}
"""How the intervals of an entry were computed."""

_LETTERS = {outcome: letter for letter, outcome in OUTCOMES.items()}
_WITHOUT_INTERVALS = ("n", "success", "lose", "aborted", "partner_aborted", "played", "quality", "clemscore")


def to_results(summaries: Iterable[Summary]) -> dict[str, Any]:
    """Stored results of some runs, one entry of each, as plain JSON data without NaN."""
    return {"schema": SCHEMA, "entries": [_entry(summary) for summary in summaries]}


def results_text(results: Mapping[str, Any]) -> str:
    """The JSON text of results: a row of episodes or figures is a line."""
    return "".join(_lines(results, "")) + "\n"


def _lines(value: Any, indent: str) -> Iterator[str]:
    named = isinstance(value, Mapping)
    parts = list(value.values()) if named else list(value) if isinstance(value, list | tuple) else []
    if not any(isinstance(part, Mapping | list | tuple) and part for part in parts):
        yield json.dumps(value, allow_nan=False)
        return
    names = [f"{json.dumps(name)}: " for name in value] if named else [""] * len(parts)
    yield "{" if named else "["
    for number, (name, part) in enumerate(zip(names, parts)):
        yield f"{',' if number else ''}\n{indent}  {name}"
        yield from _lines(part, indent + "  ")
    yield f"\n{indent}" + ("}" if named else "]")


def _entry(summary: Summary) -> dict[str, Any]:
    run = summary.run
    groups = by_setup(run.episodes)
    return {
        **_meta(run.meta),
        "intervals": METHODS,
        "axes": {name: _axis(axis) for name, axis in summary.axes.items()},
        "games": {label: _game(game, groups[label]) for label, game in summary.games.items()},
        "skills": summary.skills.to_dict() if summary.skills else None,
        "doubts": list(summary.doubts),
        "problems": [_problem(problem) for problem in run.problems],
        "items": _items(run.items),
    }


def _meta(meta: RunMeta) -> dict[str, Any]:
    told = {field.name: getattr(meta, field.name) for field in fields(meta)}
    told["instances"] = {game: source._asdict() for game, source in meta.instances.items()}
    return {"label": told.pop("label"), "kind": "measured", **_plain(told)}


def _plain(value: Any) -> Any:
    """What logs say of themselves as strict JSON; a number that is none becomes None, anything else its text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _axis(axis: AxisSummary) -> dict[str, Any]:
    return {
        "clemscore": axis.clemscore.value,
        "clemscore_interval": axis.clemscore.interval,
        "score": axis.score.value,
        "score_interval": axis.score.interval,
        "played": axis.played,
        "quality": axis.quality,
        "games": list(axis.games),
        "missing": list(axis.missing),
    }


def _game(game: GameSummary, episodes: Sequence[EpisodeRecord]) -> dict[str, Any]:
    versions = {episode.version for episode in episodes}
    rows: dict[str, list[list[Any]]] = {}
    for one in episodes:
        letter = _LETTERS[one.kind, one.partner_fault]
        rows.setdefault(one.experiment, []).append([one.instance, one.epoch, letter, one.score, one.turns])
    return {
        "game": game.setup.game,
        "split": game.setup.split,
        "partner": game.setup.partner,
        "roles": game.setup.roles,
        # Of several versions each id tells its own.
        "version": versions.pop() if len(versions) == 1 else None,
        "turns": game.turns,
        **asdict(game.score),
        "experiments": {name: _experiment(score, rows[name]) for name, score in game.experiments.items()},
    }


def _experiment(score: GameScore, rows: list[list[Any]]) -> dict[str, Any]:
    return {name: getattr(score, name) for name in _WITHOUT_INTERVALS} | {"episodes": rows}


def _items(items: Iterable[ItemRecord]) -> dict[str, list[list[Any]]]:
    """Task -> its items, but for those that are episodes of a game."""
    tasks: dict[str, list[list[Any]]] = {}
    for item in items:
        if benchmark_of_task()[item.task].kind != "game":
            tasks.setdefault(item.task, []).append([item.item, item.epoch, item.value])
    return tasks


def _problem(problem: Problem) -> dict[str, Any]:
    return {"kind": problem.kind, "count": problem.count, "where": list(problem.where)}
