"""One game as a task of lm-evaluation-harness; the task files that `tasks_dir` writes name what is here."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playpen_eval.episode import Episode
from playpen_eval.errors import unknown
from playpen_eval.game import Game, Outcome
from playpen_eval.instances import canonical, load_instances
from playpen_eval.lmeval.driver import REQUEST_TYPE
from playpen_eval.lmeval.player import check_partner, log
from playpen_eval.players import SELF, learner_roles
from playpen_eval.registry import ENV, load_game, named_folders
from playpen_eval.scoring import GameScore, episode_score, summarise
from playpen_eval.skills.data import ENV as DATA

if TYPE_CHECKING:
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask as _Base
else:
    try:
        from lm_eval.api.task import GenerateTask as _Base  # from 0.5 on
    except ImportError:
        from lm_eval.api.task import ConfigurableTask as _Base


class DialogueGameTask(_Base):
    """Plays one episode for every instance of a game.

    `--metadata` chooses: `partner` (self, scripted, scripted:breaker, or a model as JSON), `playpen_source` (a split,
    clembench:DIR@v2.0 or a .jsonl file), `playpen_experiment`, `playpen_repeats` (episodes per instance).
    """

    def __init__(self, config: dict[str, Any] | None = None):
        settings = dict(config or {})
        settings.pop("class", None)
        metadata = settings.get("metadata") or {}
        what = settings.get("dataset_kwargs") or {}
        if data := what.get("playpen_data"):
            os.environ.setdefault(DATA, data)  # for games whose instances are other people's data
        game = find_game(what["playpen_game"], what.get("playpen_games_dir"))
        partner = check_partner(metadata.get("partner", SELF))
        role = what.get("playpen_role")
        learner_roles(game, partner if isinstance(partner, str) else "model", role)
        self._what = {"game": game.name, "role": role, "partner": partner}
        repeats = int(metadata.get("playpen_repeats") or settings.get("repeats") or 1)
        if repeats > 1:
            settings["repeats"] = repeats
            settings["filter_list"] = [{"name": "none", "filter": [{"function": "take_first_k", "k": repeats}]}]
        super().__init__(config=settings)
        self.OUTPUT_TYPE: Any = REQUEST_TYPE  # the harness pads the ranks of a parallel run by it

    def build_all_requests(self, **kwargs: Any) -> None:
        """Builds the requests; never from the harness's request cache, whose key knows neither partner nor version."""
        if kwargs.get("system_instruction"):
            log.warning("%s: --system_instruction does not reach dialogue games", self.config.task)
        kwargs["cache_requests"] = False
        super().build_all_requests(**kwargs)

    def construct_requests(self, doc: dict[str, Any], ctx: Any, **kwargs: Any) -> Any:
        """One request of our own type; its first argument is only for the log."""
        self.OUTPUT_TYPE = "generate_until"
        try:
            request: Any = super().construct_requests(doc, ctx, **kwargs)
        finally:
            self.OUTPUT_TYPE = REQUEST_TYPE
        request = request[0] if isinstance(request, list) else request
        request.request_type = REQUEST_TYPE
        request.arguments = (*request.arguments[:2], self._what)
        return request

    def process_results(self, doc: dict[str, Any], results: Any) -> dict[str, Any]:
        """The numbers of one instance; none with --predict_only."""
        if "bypass" in self._metric_fn_list:
            return {"bypass": 999}
        return process_results(doc, results)


def find_game(name: str, games_dir: str | None = None) -> Game:
    """A game by name, also from a folder outside the package."""
    if games_dir and Path(games_dir).resolve() not in named_folders():
        os.environ[ENV] = os.pathsep.join([*filter(None, [os.environ.get(ENV)]), games_dir])
    return load_game(name)


def load(
    playpen_game: str,
    playpen_source: str = "test",
    playpen_experiment: str | None = None,
    playpen_games_dir: str | None = None,
    **_others: Any,
) -> dict[str, Dataset]:
    """Loads the instances as the harness's documents.

    Args:
        playpen_game: The game's name.
        playpen_source: What `load_instances` takes.
        playpen_experiment: Only this experiment.
        playpen_games_dir: Folder outside the package that holds the game.
        **_others: The harness passes all metadata, the model's arguments included.
    """
    from datasets import Dataset

    for name in _others:
        if name.startswith("playpen_") and name not in ("playpen_role", "playpen_repeats"):
            raise unknown("metadata", name, ("playpen_source", "playpen_experiment", "playpen_repeats"))
    game = find_game(playpen_game, playpen_games_dir)
    # A column per field would make one schema of all instances and fill the gaps with nulls.
    rows = [
        {
            "id": instance["id"],
            "game": game.name,
            "experiment": instance["experiment"],
            "instance": canonical(instance),
            "prompt": Episode(game, instance).observe().messages[-1]["content"],
        }
        for instance in load_instances(game, playpen_source, playpen_experiment).instances
    ]
    return {"test": Dataset.from_list(rows)}


def _figures(score: GameScore) -> dict[str, float | None]:
    return {
        "played": score.played,
        "quality": score.quality,
        "success": 100 * score.success / score.n if score.n else None,
        "aborted": 100 * score.aborted / score.n if score.n else None,
        "partner_aborted": score.partner_aborted,
        "clemscore": score.clemscore,
    }


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, tuple[float, ...]]:
    """The numbers of one instance.

    Args:
        doc: Not needed; the result holds everything.
        results: One finished episode, or a list of them if the task repeats.

    Returns:
        Metric -> its value for each episode that has one.
    """
    episodes = [text for result in results for text in ([result] if isinstance(result, str) else result)]
    figures = []
    for episode in map(json.loads, episodes):
        score = episode_score(Outcome.from_dict(episode["outcome"]), episode["learner_roles"])
        figures.append(_figures(summarise([score], intervals=False)))
    return {
        name: tuple(value for figure in figures if (value := figure[name]) is not None)
        for name in _figures(summarise([], intervals=False))
    }


def average(items: Sequence[Sequence[float]]) -> float:
    """The mean over all episodes that have a value; 0 if none has, as the harness can read no other answer."""
    values = [value for item in items for value in item]
    return math.fsum(values) / len(values) if values else 0.0


def total(items: Sequence[Sequence[float]]) -> int:
    """The sum over all episodes."""
    return int(sum(value for item in items for value in item))
