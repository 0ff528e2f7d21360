"""The Inspect tasks of an axis: all its games in one log, and the clemscore over them."""

import math
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from inspect_ai import eval, eval_set
from inspect_ai.log import EvalLog

from playpen_eval import Episode, load_game, lockstep
from playpen_eval.errors import UserError
from playpen_eval.inspect.tasks import axis_task
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted
from playpen_eval.registry import AXES, axis_games
from playpen_eval.scoring import EpisodeScore, clemscore, clemscore_error, episode_score, summarise


def run(folder: Path, axis: str, **arguments: Any) -> EvalLog:
    arguments = {"limit_per_experiment": 1} | arguments
    [log] = eval(
        f"playpen/{axis}",
        model="playpen-scripted/best",
        task_args=arguments,
        display="none",
        log_dir=str(folder),
    )
    assert log.status == "success"
    return log


def metrics(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


GAMES = ("unseen_instances", "unseen_games")


@pytest.mark.parametrize("axis", GAMES)
def test_one_log_has_all_games_and_the_clemscore_over_them(tmp_path: Path, axis: str) -> None:
    log, games = run(tmp_path, axis), axis_games(axis)
    assert log.samples is not None
    played = Counter(sample.metadata["game"] for sample in log.samples)
    assert played == {name: len(game.experiments) for name, game in games.items()}
    expected = {}
    for name, game in games.items():
        instances = {i["id"]: i for i in load_instances(game).instances}
        episodes = [Episode(game, instances[s.id]) for s in log.samples if s.metadata["game"] == name]
        lockstep(episodes, scripted())
        expected[name] = summarise([episode_score(e.outcome) for e in episodes if e.outcome], intervals=False)
    found = metrics(log)
    total = clemscore({name: (score.played, score.quality) for name, score in expected.items()})
    assert (found["clemscore"], found["played"], found["quality"]) == total
    assert found["games"] == len(games)
    for name, score in expected.items():
        assert found[f"clemscore/{name}"] == pytest.approx(score.clemscore)
        assert found[f"played/{name}"] == pytest.approx(score.played)


def test_the_axes_are_the_games_of_the_suite() -> None:
    assert [len(axis_games(axis)) for axis in AXES if axis != "lmrl"] == [7, 7, 4, 2, 1, 1]
    chess = {"chess", "chess_endgames"}
    dialogue = {"twenty_questions", "guess_my_city", "car_dealer"}
    walks = {"maze_fo", "maze_po", "textnav_fo", "textnav_po"}
    assert axis_games("lmrl").keys() == walks | {"lmrl_wordle"} | chess | dialogue
    assert "taboo" in axis_games("unseen_instances")
    assert "codenames" in axis_games("unseen_games")
    assert "static_bbh" not in axis_games("statscore")


def test_beside_a_partner_the_model_takes_the_learners_role(tmp_path: Path) -> None:
    log = run(tmp_path, "unseen_instances", partner="scripted:breaker")
    assert log.samples is not None
    for sample in log.samples:
        record = sample.store["playpen_episode"]
        assert record["learner_roles"] == [load_game(record["game"]).learner]
    assert metrics(log)["partner_aborted"] > 0


def test_eval_set_measures_both_axes_and_a_rerun_is_a_no_op(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {
        "tasks": [f"playpen/{axis}" for axis in GAMES],
        "model": "playpen-scripted/best",
        "log_dir": str(tmp_path),
        "task_args": {"limit_per_experiment": 1},
        "display": "none",
    }
    done, logs = eval_set(**arguments)
    assert done
    assert {log.eval.task for log in logs} == {f"playpen/{axis}" for axis in GAMES}
    before = sorted(path.name for path in tmp_path.glob("*.eval"))
    assert eval_set(**arguments)[0]
    assert sorted(path.name for path in tmp_path.glob("*.eval")) == before


def test_a_split_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UserError, match="train"):
        axis_task("unseen_games", split="train")


def test_the_error_of_the_clemscore_is_that_of_a_bootstrap() -> None:
    """Two games of 400 episodes: linearisation and resampling agree within their own noise."""
    rng = Random("error")
    kinds = {
        "a": [EpisodeScore("success", 1.0), EpisodeScore("lose", 0.0), EpisodeScore("aborted", None)],
        "b": [EpisodeScore("success", 0.4), EpisodeScore("success", 0.9), EpisodeScore("aborted", None)],
    }
    games = {name: rng.choices(scores, weights=(5, 3, 2), k=400) for name, scores in kinds.items()}

    def product(drawn: dict[str, list[EpisodeScore]]) -> float:
        parts = [summarise(scores, intervals=False) for scores in drawn.values()]
        qualities = [part.quality for part in parts if part.quality is not None]
        return sum(part.played or 0 for part in parts) / 2 * sum(qualities) / 2 / 100

    values = [product({name: rng.choices(scores, k=400) for name, scores in games.items()}) for _ in range(600)]
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    instances = {name: list(range(400)) for name in games}
    assert clemscore_error(games, instances) == pytest.approx(deviation, rel=0.1)
    repeated = {name: [index // 2 for index in range(400)] for name in games}
    assert clemscore_error(games, repeated) != clemscore_error(games, instances)
    assert clemscore_error({"a": games["a"][:1]}, {"a": [0]}) is None
    assert clemscore_error({"a": [EpisodeScore("aborted", None)] * 5}, {"a": [0, 1, 2, 3, 4]}) is None
