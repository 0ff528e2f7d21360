"""Small runs, made up, for the tests of reports."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from playpen_eval.runs import EpisodeRecord, InstanceSource, ItemRecord, Locator, Problem, Run, RunMeta

GAMES = ("taboo", "wordle", "imagegame", "guesswhat", "static_ifeval")


def episode(label: str, game: str, index: int, kind: str, score: float | None, **more: Any) -> EpisodeRecord:
    """One episode; its transcript is nowhere."""
    fields: dict[str, Any] = {
        "epoch": 1,
        "version": 1,
        "experiment": f"level {index % 2}",
        "split": "test",
        "learner_fault": kind == "aborted",
        "partner_fault": False,
        "turns": 2,
        "roles": None,
        "partner": "self",
        "locator": Locator("playpen-eval", f"{label}/episodes.jsonl", f"{game} {index}"),
    }
    return EpisodeRecord(game=game, instance=f"{game}/test/{index:03}", kind=kind, score=score, **{**fields, **more})


def made_run(seed: str, games: Sequence[str] = GAMES, n: int = 9, skills: bool = True, **meta: Any) -> Run:
    """A run of which the seed decides all outcomes."""
    rng = random.Random(seed)
    episodes = []
    for game in games:
        for index in range(n):
            kind = rng.choice(("aborted", "lose", "success"))
            score = {"aborted": None, "lose": 0.0, "success": rng.choice((0.5, 1.0))}[kind]
            episodes.append(episode(seed, game, index, kind, score))
    items = [
        ItemRecord("winogrande", "playpen_winogrande", f"playpen_winogrande/{index}", float(rng.random() < 0.7))
        for index in range(30 * skills)
    ]
    fields: dict[str, Any] = {
        "label": seed,
        "path": f"logs/{seed}",
        "format": "playpen-eval",
        "model": "a/model",
        "instances": {game: InstanceSource("test", "0" * 64) for game in games},
        "partner": "self",
        "tokens_in": 1234567,
        "wall_seconds": 75.0,
        "cost": 1.5,
    }
    return Run(RunMeta(**{**fields, **meta}), episodes, items, [Problem("missing", 7, ("taboo: 3",))])
