"""Games are found by path; a broken folder costs only itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from random import Random

import pytest

from playpen_eval import registry
from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.registry import ENV, load_game, load_games, scan

ROOT = Path(__file__).parent.parent

GAME = '''
"""A game for the tests."""
from playpen_eval import Ask, Game, Outcome

from .words import WORDS


class Small(Game):
    """One says a word."""

    name = "NAME"
    roles = ("player",)
    sizes = {"train": 1, "validation": 1, "test": 1}
    visible = {"player": ()}

    def play(self, instance):
        reply = yield Ask("player", "Say " + instance["word"])
        return Outcome.success() if reply == instance["word"] else Outcome.lose()

    def generate(self, experiment, rng):
        return {"word": rng.choice(WORDS)}
'''

BROKEN = {
    "syntax": ("def play(:\n", "SyntaxError"),
    "importing": ("import no_such_module_anywhere\n", "no_such_module_anywhere"),
    "raising": ("1 / 0\n", "ZeroDivisionError"),
    "leaving": ("import sys\nsys.exit(3)\n", "SystemExit"),
    "empty": ("", "defines no subclass of Game with a name"),
    "nameless": (GAME.replace('    name = "NAME"\n', ""), "defines no subclass of Game with a name"),
    "twin": (GAME.replace("NAME", "sound"), "already defines a game called 'sound'"),
    "namesake": (GAME.replace("NAME", "taboo"), "already defines a game called 'taboo'"),
    "roleless": (GAME.replace("NAME", "roleless").replace('    roles = ("player",)\n', ""), "roles"),
}


def add_game(folder: Path, name: str, source: str | None = None) -> Path:
    home = folder / name
    home.mkdir(parents=True)
    (home / "words.py").write_text("WORDS = [f'word{number}' for number in range(50)]\n")
    (home / "game.py").write_text(source if source is not None else GAME.replace("NAME", name))
    return home


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder of games outside the package, known by the environment."""
    path = tmp_path / "my games"
    path.mkdir()
    monkeypatch.setenv(ENV, str(path))
    return path


@pytest.fixture
def no_folder(monkeypatch) -> None:
    """No folder yet; what a command sets is undone after the test."""
    monkeypatch.setenv(ENV, "")


def test_the_games_of_the_package_are_found(no_folder):
    assert {"taboo", "wordle"} <= set(load_games())
    assert scan().broken == {}


def test_a_game_in_a_folder_outside(folder):
    add_game(folder, "sound")
    game = load_game("sound")
    assert game.generate("default", Random(1))["word"].startswith("word")
    assert {"sound", "taboo"} <= set(load_games())
    assert list(load_games("sound", "taboo")) == ["sound", "taboo"]


def test_a_folder_by_argument(tmp_path, no_folder, capsys):
    add_game(tmp_path / "one", "sound")
    add_game(tmp_path / "two", "loud")
    arguments = ["--games-dir", str(tmp_path / "one"), "--games-dir", str(tmp_path / "two")]
    assert main([*arguments, "list", "--json"]) == 0
    games = {row["game"] for row in json.loads(capsys.readouterr().out)["games"]}
    assert {"sound", "loud", "taboo"} <= games


def test_arguments_come_before_the_environment(tmp_path, folder, capsys):
    add_game(folder, "sound")
    add_game(tmp_path / "two", "loud")
    assert main(["--games-dir", str(tmp_path / "two"), "list", "--json"]) == 0
    assert {"sound", "loud"} <= {row["game"] for row in json.loads(capsys.readouterr().out)["games"]}
    # Harnesses and worker processes read it from there.
    assert os.environ[ENV].split(os.pathsep) == [str(tmp_path / "two"), str(folder)]


def test_two_folders_may_have_subfolders_of_one_name(tmp_path, monkeypatch):
    add_game(tmp_path / "one", "same", GAME.replace("NAME", "first"))
    home = add_game(tmp_path / "two", "same", GAME.replace("NAME", "second"))
    (home / "words.py").write_text("WORDS = ['other']\n")
    monkeypatch.setenv(ENV, os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")]))
    games = load_games("first", "second")
    drawn = {name: game.generate("default", Random(1))["word"] for name, game in games.items()}
    assert drawn["first"] != "other"
    assert drawn["second"] == "other"


def test_a_folder_of_two_games(folder):
    add_game(folder, "pair", GAME.replace("NAME", "first") + GAME.replace("NAME", "second").replace("Small", "Other"))
    assert {"first", "second"} <= set(load_games())


def test_a_folder_without_a_game_py_is_none(folder):
    (folder / "notes").mkdir()
    (folder / "notes" / "readme.txt").write_text("no game")
    assert scan().broken == {}
    assert "notes" not in load_games()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_costs_only_itself(name, folder, capsys):
    add_game(folder, "sound")
    source, why = BROKEN[name]
    home = add_game(folder, name, source)
    assert load_game("taboo").name == "taboo"
    assert load_game("sound").name == "sound"
    assert main(["list", "--json"]) == 1
    captured = capsys.readouterr()
    listed = json.loads(captured.out)
    assert {"taboo", "sound"} <= {row["game"] for row in listed["games"]}
    assert why in listed["broken"][str(home)]
    assert str(home) in captured.err
    assert why in captured.err


@pytest.mark.parametrize("name", ["syntax", "importing", "empty", "twin"])
def test_loading_a_broken_game_says_why(name, folder):
    add_game(folder, "sound")
    source, why = BROKEN[name]
    home = add_game(folder, name, source)
    with pytest.raises(UserError) as caught:
        load_game(name)
    assert str(home) in str(caught.value)
    assert why in str(caught.value)


def test_all_games_means_all(folder, capsys):
    home = add_game(folder, "syntax", BROKEN["syntax"][0])
    with pytest.raises(UserError, match="some game folders cannot be loaded") as caught:
        load_games()
    assert str(home) in str(caught.value)
    assert main(["check", "--all"]) == 2
    assert str(home) in capsys.readouterr().err
    assert list(load_games("taboo")) == ["taboo"]


def test_a_game_without_instances_does_not_hide_the_others(folder, capsys):
    add_game(folder, "sound")
    add_game(folder, "barren", GAME.replace("NAME", "barren").replace("rng.choice(WORDS)", "WORDS[999]"))
    assert main(["list", "--json"]) == 1
    captured = capsys.readouterr()
    assert {"taboo", "sound"} <= {row["game"] for row in json.loads(captured.out)["games"]}
    assert "barren" in captured.err


def test_a_game_may_ship_a_test_split_only(folder, capsys):
    add_game(folder, "sound", GAME.replace("NAME", "sound").replace('"train": 1, "validation": 1, ', ""))
    assert main(["list", "--json"]) == 0
    rows = {row["game"]: row for row in json.loads(capsys.readouterr().out)["games"]}
    assert rows["sound"]["splits"] == {"test": 1}


@pytest.mark.parametrize(("name", "hint"), [("tabo", "did you mean 'taboo'"), ("xyzzy", "known: ")])
def test_an_unknown_name_suggests(name, hint, no_folder):
    with pytest.raises(UserError, match=f"unknown game '{name}'; {hint}"):
        load_game(name)
    with pytest.raises(UserError, match=f"unknown game '{name}'"):
        load_games("taboo", name)


def test_a_missing_folder_is_named(tmp_path, no_folder, capsys):
    missing = tmp_path / "nowhere"
    assert main(["--games-dir", str(missing), "list"]) == 2
    assert f"games folder {str(missing)!r} does not exist" in capsys.readouterr().err


def test_a_home_folder_is_expanded(tmp_path, monkeypatch):
    add_game(tmp_path / "games", "sound")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(ENV, "~/games")
    registry._scan.cache_clear()
    try:
        assert load_game("sound").name == "sound"
    finally:
        registry._scan.cache_clear()


def test_another_process_finds_the_same(folder):
    add_game(folder, "sound")
    done = subprocess.run(
        [sys.executable, "-c", "from playpen_eval import load_game; print(load_game('sound').summary)"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "One says a word.\n"


# Entry points


@pytest.fixture
def entry_point(tmp_path, monkeypatch):
    """Declares a package as the entry point of the group; the scan is cached by the environment alone."""
    monkeypatch.setenv(ENV, "")
    monkeypatch.syspath_prepend(str(tmp_path))

    def declare(package: str) -> None:
        point = EntryPoint("mine", package, "playpen_eval.games")
        monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
        registry._scan.cache_clear()

    yield declare
    registry._scan.cache_clear()


def test_a_package_of_games_by_entry_point(tmp_path, entry_point):
    package = tmp_path / "installed_games_of_a_test"
    add_game(package, "sound")
    (package / "__init__.py").write_text("")
    entry_point(package.name)
    assert load_game("sound").summary == "One says a word."
    assert {"sound", "taboo"} <= set(load_games())


def test_a_broken_entry_point_costs_only_itself(entry_point, capsys):
    entry_point("no_such_package_anywhere")
    assert load_game("taboo").name == "taboo"
    assert main(["list"]) == 1
    assert "no_such_package_anywhere" in capsys.readouterr().err
