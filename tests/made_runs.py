"""Runs made by hand, for tests of what is computed from them."""

from __future__ import annotations

from typing import Any

from playpen_eval.runs import EpisodeRecord, InstanceSource, ItemRecord, Locator, Run, RunMeta

NOWHERE = Locator("inspect", "nowhere.eval", "x", 1)
SCORES = {"w": ("success", 1.0), "h": ("success", 0.5), "l": ("lose", 0.0), "a": ("aborted", None)}


def episode(game: str, number: int, outcome: str = "w", **changed: Any) -> EpisodeRecord:
    """One episode; the outcome is a letter of `SCORES`, or `p` for an abort by a partner."""
    kind, score = SCORES["a" if outcome == "p" else outcome]
    split = changed.get("split", "test")
    fields: dict[str, Any] = {
        "game": game,
        "instance": f"{game}/1/{split}/default/{number}",
        "epoch": 1,
        "version": 1,
        "experiment": "default",
        "split": split,
        "kind": kind,
        "score": score,
        "learner_fault": outcome == "a",
        "partner_fault": outcome == "p",
        "turns": 3,
        "roles": None,
        "partner": "self",
        "locator": NOWHERE,
    }
    return EpisodeRecord(**fields | changed)


def episodes(game: str, outcomes: str, **changed: Any) -> list[EpisodeRecord]:
    """One episode per letter."""
    return [episode(game, number, outcome, **changed) for number, outcome in enumerate(outcomes)]


def items(benchmark: str, task: str, values: str, **changed: Any) -> list[ItemRecord]:
    """One item per digit, 0 or 1."""
    return [ItemRecord(benchmark, task, f"{task}/{n}", float(value), **changed) for n, value in enumerate(values)]


def run(*parts: list[Any], label: str = "run", problems: tuple[Any, ...] = (), **meta: Any) -> Run:
    """A run of some episodes and items."""
    records = [record for part in parts for record in part]
    played = [record for record in records if isinstance(record, EpisodeRecord)]
    meta = {
        "format": "inspect",
        "model": "some/model",
        "partner": "self",
        "dtype": "bfloat16",
        "instances": {record.game: InstanceSource(record.split, "0" * 64) for record in played},
        **meta,
    }
    return Run(
        RunMeta(label=label, path=f"logs/{label}", **meta),
        played,
        [record for record in records if isinstance(record, ItemRecord)],
        list(problems),
    )
