"""Reading recorded clembench runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from playpen_eval import load_game
from playpen_eval.clembench import translate
from playpen_eval.errors import UserError
from playpen_eval.recordings import read_recording
from playpen_eval.runs import INVALID, UNREADABLE, UNSCORED, read_run, read_transcript
from playpen_eval.scoring import clemscore, summarise

RECORDINGS = ("llama3-8b-base", "llama3-8b-sft", "llama3-8b-dpo")


@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_have_the_published_figures(shared, name):
    path = shared / "recordings" / f"{name}.tar.gz"
    run, recording = read_run(path), read_recording(path)
    assert not run.problems
    assert len(run.episodes) == len(recording.episodes)
    assert run.meta.partner == "self"
    for folder, published in recording.published.items():
        mine = [episode for episode in run.episodes if str(episode.locator.place).startswith(folder)]
        games: dict[str, list] = {}
        for episode in mine:
            games.setdefault(episode.game, []).append(episode.score_entry)
        scores = {game: summarise(entries, intervals=False) for game, entries in games.items()}
        total = clemscore({game: (score.played, score.quality) for game, score in scores.items()})
        assert total.clemscore == float(published["-, clemscore"])


def test_recorded_instances_have_the_ids_of_the_checkout(shared):
    path = shared / "recordings" / "llama3-8b-base.tar.gz"
    run = {str(episode.locator.place): episode for episode in read_run(path).episodes}
    for recorded in read_recording(path).episodes:
        if recorded.game in ("taboo", "wordle_withclue"):
            expected = translate(load_game(recorded.game), recorded.experiment, recorded.instance, "2.0")
            assert run[recorded.path].instance == expected["id"]
            assert run[recorded.path].experiment == expected["experiment"]


def test_a_transcript_of_a_recording(shared):
    run = read_run(shared / "recordings" / "llama3-8b-base.tar.gz")
    episode = next(episode for episode in run.episodes if episode.game == "taboo" and (episode.turns or 0) > 1)
    turns = read_transcript(episode.locator)
    assert len(turns) == episode.turns
    assert len({turn.role for turn in turns}) == 2


def record(folder: Path, scores: dict[str, Any] | None, number: int = 0, model: str = "m") -> None:
    """One recorded episode in clembench's layout."""
    episode = folder / model / "taboo" / "0_high" / f"episode_{number}"
    episode.mkdir(parents=True)
    (episode.parent / "experiment.json").write_text(json.dumps({"name": "high"}))
    (episode / "instance.json").write_text(json.dumps({"game_id": number}))
    players = {"GM": {"model_name": "programmatic"}, "Player 1": {"model_name": model}}
    meta = {"clem_version": "3.2.0"}
    (episode / "interactions.json").write_text(json.dumps({"meta": meta, "players": players, "turns": []}))
    if scores is not None:
        (episode / "scores.json").write_text(json.dumps({"episode scores": scores}))


def test_bad_recordings(tmp_path):
    record(tmp_path, {"Aborted": 0, "Success": 0, "Lose": 1, "Main Score": 50.0}, 0)
    record(tmp_path, {"Aborted": 1, "Success": 0, "Lose": 0, "Main Score": math.nan}, 1)
    record(tmp_path, {"Aborted": 0, "Success": 1, "Lose": 0, "Main Score": math.nan}, 2)
    record(tmp_path, {"Aborted": 0, "Success": 0, "Lose": 0, "Main Score": 0}, 3)
    record(tmp_path, None, 4)
    (tmp_path / "m" / "taboo" / "0_high" / "episode_0" / "instance.json").rename(tmp_path / "away.json")
    run = read_run(tmp_path)
    assert [(episode.instance, episode.kind) for episode in run.episodes] == [("taboo/clembench-2.0/high/1", "aborted")]
    assert {problem.kind: problem.count for problem in run.problems} == {UNREADABLE: 1, UNSCORED: 1, INVALID: 2}
    record(tmp_path, {"Aborted": 1, "Success": 0, "Lose": 0}, 5, model="other")
    with pytest.raises(UserError, match="different models"):
        read_run(tmp_path)
