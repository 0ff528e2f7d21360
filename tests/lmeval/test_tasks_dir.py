"""The task files: every game and role, the groups, games outside the package."""

from __future__ import annotations

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml
from lm_eval.tasks import TaskManager
from support import FakeLM, episodes, evaluate, figure, simple_evaluate

from playpen_eval.errors import UserError
from playpen_eval.lmeval.tasks_dir import write_tasks_dir
from playpen_eval.registry import ENV, load_game, load_games


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    """Tests here look at files of the cache, and spoil some."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# Tasks


def test_every_game_and_role_is_indexed():
    manager = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False)
    expected = {"playpen_unseen_instances", "playpen_unseen_games"}
    for name, game in load_games().items():
        expected.add(f"playpen_{name}")
        if len(game.roles) > 1:
            expected |= {f"playpen_{name}_{role}" for role in game.roles}
    assert {"playpen_taboo_guesser", "playpen_relay_taker", "playpen_solo"} <= expected
    assert expected <= set(manager.all_tasks)


def test_groups_are_the_axes():
    folder = write_tasks_dir()
    seen = yaml.safe_load((folder / "playpen_unseen_instances.yaml").read_text())
    unseen = yaml.safe_load((folder / "playpen_unseen_games.yaml").read_text())
    assert "playpen_relay" in seen["task"]
    assert "playpen_solo" not in seen["task"]
    assert "playpen_solo" in unseen["task"]
    for group in (seen, unseen):  # each game counts the same, however many instances it has
        assert [entry["metric"] for entry in group["aggregate_metric_list"]] == ["played", "quality", "success"]
        assert not any(entry["weight_by_size"] for entry in group["aggregate_metric_list"])


def test_the_version_of_a_group_follows_its_games(monkeypatch):
    def version() -> str:
        games = {"relay": load_game("relay")}
        return yaml.safe_load((write_tasks_dir(games) / "playpen_unseen_instances.yaml").read_text())["metadata"][
            "version"
        ]

    before = version()
    monkeypatch.setattr(type(load_game("relay")), "version", 4)
    assert version() != before


def test_no_group_without_games():
    folder = write_tasks_dir({"relay": load_game("relay")})
    assert not (folder / "playpen_unseen_games.yaml").exists()


def test_games_of_no_suite_stay_out_of_the_groups(monkeypatch):
    monkeypatch.setattr(type(load_game("relay")), "suite", "")
    folder = write_tasks_dir({"relay": load_game("relay")})
    assert (folder / "playpen_relay.yaml").exists()
    assert not (folder / "playpen_unseen_instances.yaml").exists()


def test_writing_again_changes_nothing_and_repairs():
    folder = write_tasks_dir()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "playpen_relay.yaml").unlink()
    assert write_tasks_dir() == folder
    after = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert after.keys() == before.keys()
    assert [path.name for path in before if before[path] != after[path]] == ["playpen_relay.yaml"]


def test_writing_at_once_leaves_whole_files_only():
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: write_tasks_dir(), range(16)))
    (folder,) = folders
    assert not list(folder.glob(".*"))
    assert "playpen_relay" in TaskManager(include_path=str(folder), include_defaults=False).all_tasks


def test_an_unwritable_cache_is_the_users_to_mend(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    with pytest.raises(UserError, match="XDG_CACHE_HOME"):
        write_tasks_dir()


def test_games_outside_the_package_need_no_environment(monkeypatch):
    folder = write_tasks_dir()
    monkeypatch.delenv(ENV)
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    results = simple_evaluate(FakeLM(), tasks=["playpen_solo"], task_manager=manager, bootstrap_iters=0)
    assert figure(results, "success", "playpen_solo") == 100


def test_a_broken_game_is_named_and_the_others_stay(tmp_path, monkeypatch, caplog):
    (tmp_path / "games" / "bad").mkdir(parents=True)
    (tmp_path / "games" / "bad" / "game.py").write_text("import nothing_of_that_name\n")
    monkeypatch.setenv(ENV, str(tmp_path / "games"))
    with caplog.at_level(logging.WARNING, "lm_eval.playpen"):
        folder = write_tasks_dir()
    assert "nothing_of_that_name" in caplog.text
    assert (folder / "playpen_taboo.yaml").is_file()
    assert not (folder / "playpen_bad.yaml").exists()


def test_a_missing_games_folder_is_an_error(monkeypatch):
    monkeypatch.setenv(ENV, "/no/such/folder")
    with pytest.raises(UserError, match="/no/such/folder"):
        write_tasks_dir()


def test_the_document_holds_the_instance():
    task: Any = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False).load(["playpen_relay"])
    docs = list(task["tasks"]["playpen_relay"].test_docs())
    assert len(docs) == 10
    assert {doc["experiment"] for doc in docs} == {"near", "far"}
    instance = json.loads(docs[0]["instance"])
    assert docs[0]["id"] == instance["id"]
    assert docs[0]["prompt"] == f"RULES of the giver. Say {instance['number']}."


def test_metadata_chooses_the_instances():
    results = evaluate(
        FakeLM(), "playpen_relay", metadata={"playpen_source": "validation", "playpen_experiment": "far"}
    )
    ids = [episode["id"] for episode in episodes(results)]
    assert len(ids) == 3
    assert all("/validation/far/" in name for name in ids)


# Playing
