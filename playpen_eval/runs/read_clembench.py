"""Recorded clembench runs: outcomes as its scores.json has them; nothing is replayed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playpen_eval.clembench import instance_id, rules_name
from playpen_eval.errors import UserError
from playpen_eval.recordings import RecordedEpisode, read_recording
from playpen_eval.registry import scan
from playpen_eval.runs.collect import Collector, label_of
from playpen_eval.runs.records import INVALID, UNREADABLE, UNSCORED, InstanceSource, Locator, Run, RunMeta

FORMAT = "clembench"


def read_clembench(root: Path) -> Run:
    """Reads a results folder, or a .tar.gz of one.

    Raises:
        UserError: There are no episodes, or they are of different models.
    """
    recording = read_recording(root)
    if not recording.episodes:
        raise UserError("; ".join(recording.errors[:3]))
    found = Collector()
    for error in recording.errors:
        found.problem(UNREADABLE, error)
    games = {game.upstream_name: game.name for game in scan().games.values()}
    models = {_models(episode) for episode in recording.episodes}
    if len(models) > 1:
        names = ", ".join(sorted(" with ".join(model) for model in models))
        raise UserError(f"{root} holds recordings of different models ({names}); name the folder of one")
    [model] = models
    for episode in recording.episodes:
        _read_episode(root, episode, games, found, "self" if len(model) == 1 else None)
    versions = {".".join(map(str, episode.clemcore)) for episode in recording.episodes if episode.clemcore}
    return found.run(
        RunMeta(
            label=label_of(root),
            path=str(root),
            format=FORMAT,
            model=" with ".join(model) or None,
            instances=found.instances,
            partner=found.partner(),
            packages={"clemcore": ", ".join(sorted(versions))} if versions else {},
        )
    )


def _models(episode: RecordedEpisode) -> tuple[str, ...]:
    players = episode.interactions.get("players") or {}
    return tuple(sorted({str(player.get("model_name")) for player in players.values()} - {"programmatic"}))


def _read_episode(
    root: Path, recorded: RecordedEpisode, games: Mapping[str, str], found: Collector, partner: str | None
) -> None:
    where = f"{root}: {recorded.path}"
    try:
        rules = rules_name(recorded.version)
        game, experiment = games.get(recorded.game, recorded.game), recorded.experiment["name"]
        instance = instance_id(game, rules, experiment, recorded.instance["game_id"])
        turns = sum(1 for _ in recorded.replies())
        if recorded.scores is None:
            return found.problem(UNSCORED, f"{where}: no scores.json")
        outcome = _outcome(recorded.scores["episode scores"])
    except (KeyError, TypeError, AttributeError) as error:
        return found.problem(UNREADABLE, f"{where}: {type(error).__name__}: {error}")
    if outcome is None:
        return found.problem(INVALID, f"{where}: {_shown(recorded.scores['episode scores'])}")
    found.instances.setdefault(game, InstanceSource(rules, None))
    kind, score = outcome
    return found.episode(
        game,
        instance,
        1,
        kind,
        score,
        Locator(FORMAT, str(root), recorded.path),
        experiment=experiment,
        split=rules,
        turns=turns,
        partner=partner,
    )


def _outcome(scores: Mapping[str, Any]) -> tuple[str, float | None] | None:
    """Kind and score; None if what clembench wrote is undefined or contradicts itself."""
    kinds = [kind for kind in ("aborted", "success", "lose") if scores.get(kind.capitalize()) == 1]
    if len(kinds) != 1:
        return None
    if kinds == ["aborted"]:
        return "aborted", None
    main = scores.get("Main Score")
    if not isinstance(main, int | float) or not math.isfinite(main):
        return None
    return kinds[0], main / 100


def _shown(scores: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {scores.get(name)}" for name in ("Aborted", "Success", "Lose", "Main Score"))
