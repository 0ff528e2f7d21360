"""Every game that the registry finds as an Inspect task `playpen/GAME`, and the axes `playpen/unseen_...`."""

from __future__ import annotations

import logging
from collections import Counter

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Game, Instance
from playpen_eval.inspect.registration import task
from playpen_eval.inspect.scorer import HEADLINE, axis_metrics, episode
from playpen_eval.inspect.solver import chat, dialogue_game, dialogue_games, evaluated_model, greedy, resolve_partner
from playpen_eval.instances import digest, load_instances
from playpen_eval.registry import AXES, axis_games, load_game, scan
from playpen_eval.skills.data import use_folder

_log = logging.getLogger(__name__)


def game_task(
    game: str,
    split: str = "test",
    instances: str | None = None,
    experiment: str | None = None,
    limit_per_experiment: int | None = None,
    partner: str | None = None,
    role: str | None = None,
    spans: bool = True,
) -> Task:
    """Makes the task of a game.

    Args:
        game: Name of the game.
        split: The shipped instances to play: train, validation or test.
        instances: Others instead: `clembench:DIR@v2.0`, or a .jsonl file of `playpen-eval generate`.
        experiment: Only this experiment.
        limit_per_experiment: At most so many instances of each experiment.
        partner: Who takes the other roles: `self` (the evaluated model, Playpen's protocol), `scripted`,
            `scripted:breaker`, or `model`. By default the model bound with `--model-role partner=...`, else `self`.
        role: The evaluated model's role beside a partner; by default the game's own choice.
        spans: Give each role a swimlane of its own in Inspect's viewer.
    """
    played, partner, source = load_game(game), resolve_partner(partner), instances or split
    found = load_instances(played, source, experiment)
    kept = _first(found.instances, limit_per_experiment)
    return Task(
        dataset=MemoryDataset([_sample(played, instance) for instance in kept], name=f"{game}-{found.source}"),
        solver=dialogue_game(game, source, partner, role, spans),
        scorer=episode(),
        headline_metric=HEADLINE,
        config=greedy(evaluated_model()),
        version=played.version,
        metadata={
            "game": game,
            "held_out": played.held_out,
            "instances": found.source,
            "sha256": found.sha256,
            "partner": partner,
        },
        # One broken sample is reported as such and must not void the others.
        continue_on_fail=True,
    )


def axis_task(
    axis: str,
    split: str = "test",
    instances: str | None = None,
    limit_per_experiment: int | None = None,
    partner: str | None = None,
    spans: bool = True,
) -> Task:
    """Makes the task of an axis: all its games in one log, with the clemscore over games as its headline.

    It is one task rather than a list of tasks, so that `inspect eval-set` takes it and one table has all figures.

    Args:
        axis: `unseen_instances` or `unseen_games`.
        split: The shipped instances to play.
        instances: Others instead: `clembench:DIR@v2.0`.
        limit_per_experiment: At most so many instances of each experiment of each game.
        partner: As for a game; beside a partner the model takes each game's own choice of role.
        spans: As for a game.
    """
    games, partner, source = axis_games(axis), resolve_partner(partner), instances or split
    found = {name: load_instances(game, source) for name, game in games.items()}
    kept = [
        _sample(game, instance)
        for name, game in games.items()
        for instance in _first(found[name].instances, limit_per_experiment)
    ]
    versions = {name: game.version for name, game in games.items()}
    [label] = {set_.source for set_ in found.values()}
    return Task(
        dataset=MemoryDataset(kept, name=f"{axis}-{label}"),
        solver=dialogue_games(list(games), source, partner, spans),
        scorer=episode(),
        metrics=[axis_metrics()],
        headline_metric=HEADLINE,
        config=greedy(evaluated_model()),
        version=digest(versions)[:8],
        metadata={
            "axis": axis,
            "games": versions,
            "instances": label,
            "sha256": {name: set_.sha256 for name, set_ in found.items()},
            "partner": partner,
        },
        continue_on_fail=True,
    )


def _first(instances: list[Instance], limit: int | None) -> list[Instance]:
    """The first instances of each experiment."""
    if limit is not None and limit < 1:
        raise UserError(f"limit_per_experiment must be at least 1, not {limit}")
    seen: Counter[str] = Counter()
    kept = []
    for instance in instances:
        seen[instance["experiment"]] += 1
        if limit is None or seen[instance["experiment"]] <= limit:
            kept.append(instance)
    return kept


def _sample(game: Game, instance: dict) -> Sample:
    return Sample(
        id=instance["id"],
        input=chat(Episode(game, instance).observe().messages),
        metadata={"game": game.name, "experiment": instance["experiment"], "split": instance["split"]},
    )


def _register(name: str) -> None:
    @task(name=f"playpen/{name}", game=name)
    def playpen_game(
        split: str = "test",
        instances: str | None = None,
        experiment: str | None = None,
        limit_per_experiment: int | None = None,
        partner: str | None = None,
        role: str | None = None,
        spans: bool = True,
    ) -> Task:
        return game_task(name, split, instances, experiment, limit_per_experiment, partner, role, spans)


def _register_axis(axis: str) -> None:
    @task(name=f"playpen/{axis}", axis=axis)
    def playpen_axis(
        split: str = "test",
        instances: str | None = None,
        limit_per_experiment: int | None = None,
        partner: str | None = None,
        spans: bool = True,
        data: str | None = None,
    ) -> Task:
        use_folder(data)  # of the data sets of statscore
        return axis_task(axis, split, instances, limit_per_experiment, partner, spans)


def register_all() -> None:
    """Registers a task for each game and axis; a folder that cannot be loaded costs a warning, not the other games."""
    found = scan()
    for name in found.games:
        _register(name)
    for axis in AXES:
        if axis_games(axis):
            _register_axis(axis)
    for folder, why in found.broken.items():
        _log.warning("games folder %s cannot be loaded: %s", folder, why)
