"""Every game that the registry finds, as an Inspect task `playpen/GAME`."""

from __future__ import annotations

import logging

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, Model, get_model

from playpen_eval.episode import Episode
from playpen_eval.game import Game
from playpen_eval.inspect.registration import task
from playpen_eval.inspect.scorer import HEADLINE, episode
from playpen_eval.inspect.solver import chat, dialogue_game
from playpen_eval.instances import load_instances
from playpen_eval.players import MAX_TOKENS, SELF
from playpen_eval.registry import load_game, scan

_log = logging.getLogger(__name__)


def game_task(
    game: str,
    instances: str = "test",
    experiment: str | None = None,
    partner: str = SELF,
    role: str | None = None,
    spans: bool = False,
) -> Task:
    """Makes the task of a game.

    Args:
        game: Name of the game.
        instances: A split, `clembench:DIR@v2.0`, or a .jsonl file of `playpen-eval generate`.
        experiment: Only this experiment.
        partner: Who takes the other roles: `self` (the evaluated model, Playpen's protocol), `scripted`,
            `scripted:breaker`, or `model` (bind it with `--model-role partner=...`).
        role: The evaluated model's role beside a partner; by default the game's own choice.
        spans: Give each role a swimlane of its own in Inspect's viewer.
    """
    played = load_game(game)
    found = load_instances(played, instances, experiment)
    return Task(
        dataset=MemoryDataset([_sample(played, instance) for instance in found.instances], name=f"{game}-{instances}"),
        solver=dialogue_game(game, instances, partner, role, spans),
        scorer=episode(),
        headline_metric=HEADLINE,
        config=_config(),
        version=played.version,
        metadata={"game": game, "held_out": played.held_out, "instances": found.source, "sha256": found.sha256},
        # One broken sample is reported as such and must not void the others.
        continue_on_fail=True,
    )


def _sample(game: Game, instance: dict) -> Sample:
    return Sample(
        id=instance["id"],
        input=chat(Episode(game, instance).observe().messages),
        metadata={"game": game.name, "experiment": instance["experiment"], "split": instance["split"]},
    )


def _config() -> GenerateConfig:
    """Greedy replies of at most 300 tokens, the setting of the published runs; command-line flags win."""
    try:
        model: Model | None = get_model()
    except ValueError:  # the task is made before there is a model, as for `inspect list`
        model = None
    if model is not None and type(model.api).__name__ == "HuggingFaceAPI":
        # transformers refuses a temperature of 0; greedy decoding is the switch do_sample there.
        if getattr(model.api, "do_sample", False):
            _log.warning("hf/ models sample by default; for greedy replies add: -M do_sample=false")
        return GenerateConfig(max_tokens=MAX_TOKENS)
    return GenerateConfig(max_tokens=MAX_TOKENS, temperature=0.0)


def _register(name: str) -> None:
    @task(name=f"playpen/{name}", game=name)
    def playpen_game(
        instances: str = "test",
        experiment: str | None = None,
        partner: str = SELF,
        role: str | None = None,
        spans: bool = False,
    ) -> Task:
        return game_task(name, instances, experiment, partner, role, spans)


def register_all() -> None:
    """Registers a task for each game; a folder that cannot be loaded costs a warning, not the other games."""
    found = scan()
    for name in found.games:
        _register(name)
    for folder, why in found.broken.items():
        _log.warning("games folder %s cannot be loaded: %s", folder, why)
