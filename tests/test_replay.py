"""Replay of recorded clembench runs: the real ones where they lie beside the checkout, and small ones made here."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playpen_eval.cli import main
from playpen_eval.drivers import lockstep
from playpen_eval.episode import Episode
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted
from playpen_eval.recordings import read_recording
from playpen_eval.registry import load_game, load_games
from playpen_eval.replay import replay

# The recorded runs and clembench's own instance files.

RECORDED = {"taboo": 36, "wordle": 18, "wordle_withclue": 18, "wordle_withcritic": 18}


def test_recorded_runs_give_the_recorded_scores(shared):
    paths = sorted((shared / "recordings").glob("*.tar.gz"))
    assert len(paths) == 3
    result = replay({path.name: read_recording(path) for path in paths}, load_games(",".join(RECORDED)))
    assert {name: row.episodes for name, row in result.games.items() if row.available} == RECORDED
    for name, episodes in RECORDED.items():
        row = result.games[name]
        assert (row.equal, row.explained, row.different, row.unscored) == (episodes, 0, 0, 0)
        assert row.messages == row.messages_equal > 0
    assert (result.differences, result.errors, result.failed) == ([], [], False)
    others = [row for row in result.games.values() if not row.available]
    assert len(others) >= 10
    assert all(row.episodes > 0 and row.equal == row.messages == 0 for row in others)


@pytest.mark.parametrize("version", ["2.0", "3.0"])
@pytest.mark.parametrize("name", RECORDED)
def test_scripted_experts_finish_all_of_clembenchs_instances(shared, name, version):
    loaded = load_instances(load_game(name), f"clembench:{shared / 'clembench'}@v{version}")
    assert loaded.source == f"clembench-{version}"
    assert len(loaded.instances) == (60 if name == "taboo" else 30)
    episodes = [Episode(load_game(name), instance) for instance in loaded.instances]
    lockstep(episodes, scripted())
    kinds = [episode.outcome.kind for episode in episodes if episode.outcome]
    assert len(kinds) == len(episodes)
    assert "aborted" not in kinds
    assert kinds.count("success") >= (1 if name == "taboo" else 0.9 * len(kinds))


# A small recording of our own: three episodes of taboo, with the scores that the rules of clembench give.

EXPERIMENT = {
    "name": "exp",
    "max_turns": 3,
    "describer_initial_prompt": "Describe $TARGET_WORD$ but not with\n$REL_WORD$\nin $N$ tries.",
    "guesser_initial_prompt": "Guess in $N$ tries.",
}
EPISODES = [
    ("success", ["CLUE: a season", "GUESS: spring", "CLUE: it freezes", "GUESS: winter"]),
    ("lose", ["CLUE: snow falls"]),
    ("aborted", ["CLUE: a season", "winter"]),
]
HEADER = ["", "-, clemscore", "all, Average % Played", "all, Average Quality Score"]
HEADER += ["taboo, % Played", "taboo, Quality Score", "taboo, Quality Score (std)"]
ROW = ["MODEL-t0.0", "16.67", "66.67", "25.0", "66.67", "25.0", "35.36"]


def _interactions(replies: list[str]) -> dict[str, Any]:
    told = "Describe winter but not with\n- cold\n- snow\n- dark\nin 3 tries."
    turns: list[list[dict[str, Any]]] = []
    for index, reply in enumerate(replies):
        player, start = f"Player {index % 2 + 1}", "Guess in 3 tries.\n\n" if index == 1 else ""
        if index % 2 == 0:
            turns.append([])
        turns[-1] += [
            {"from": "GM", "to": player, "action": {"type": "send message", "content": start + told}},
            {"from": player, "to": "GM", "action": {"type": "get message", "content": reply}},
            {"from": "GM", "to": "GM", "action": {"type": "valid response", "content": "continue"}},
        ]
        told = reply
    return {"meta": {"game_name": "taboo", "clem_version": "3.2.0"}, "turns": turns}


def _scores(kind: str, rounds: int) -> dict[str, Any]:
    bad, won = int(kind == "aborted"), int(kind == "success")
    turns = {
        str(index): {
            "Accuracy": won if index == rounds - 1 else 0,
            "Request Count": 1,
            "Parsed Request Count": 1 - (bad if index == rounds - 1 else 0),
            "Violated Request Count": bad if index == rounds - 1 else 0,
        }
        for index in range(rounds)
    }
    episode: dict[str, Any] = {"Aborted": bad, "Success": won, "Lose": int(kind == "lose")}
    episode |= {"Request Count": rounds, "Parsed Request Count": rounds - bad, "Violated Request Count": bad}
    episode |= {"Request Success Ratio": (rounds - bad) / rounds, "Repetition-Guesser": 0, "Repetition-Describer": 0}
    episode["Main Score"] = math.nan if bad else 100 / rounds if won else 0
    return {"turn scores": turns, "episode scores": episode}


def _results(row: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, row])
    return text.getvalue()


def recording(new: bool = False) -> dict[str, Any]:
    """Name -> content (JSON data or text) of every file, in the old or the new layout of clembench."""
    run, experiment = ("MODEL", "exp") if new else ("MODEL-t0.0", "0_exp")
    files: dict[str, Any] = {"results.csv": _results([run, *ROW[1:]])}
    files[f"{run}/taboo/{experiment}/experiment.json"] = EXPERIMENT
    for number, (kind, replies) in enumerate(EPISODES):
        folder = f"{run}/taboo/{experiment}/" + (f"instance_{number:05}" if new else f"episode_{number}")
        instance = {"game_id": number, "target_word": "winter", "related_word": ["cold", "snow", "dark"]}
        files[f"{folder}/instance.json"] = instance
        files[f"{folder}/interactions.json"] = _interactions(replies)
        files[f"{folder}/scores.json"] = _scores(kind, (len(replies) + 1) // 2)
        files[f"{folder}/transcript.html"] = "<not read>"
    return files


def write(files: dict[str, Any], folder: Path) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes | str) else json.dumps(content)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    folder.mkdir(exist_ok=True)
    return folder


def pack(folder: Path) -> Path:
    archive = folder.with_name("packed.tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "run")
    return archive


Run = Callable[..., tuple[int, dict[str, Any], str, str]]


@pytest.fixture
def run(tmp_path, capsys) -> Run:
    """Runs `playpen-eval replay`: status, the strict JSON it wrote, standard output, standard error."""

    def call(*paths: Path | str) -> tuple[int, dict[str, Any], str, str]:
        out = tmp_path / "out.json"
        status = main(["replay", *map(str, paths), "--json", str(out), "--messages"])

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        captured = capsys.readouterr()
        return status, json.loads(out.read_text("utf-8"), parse_constant=refuse), captured.out, captured.err

    return call


EQUAL = {"episodes": 3, "equal": 3, "explained": 0, "different": 0, "unscored": 0}
E0, E1, E2 = (f"MODEL-t0.0/taboo/0_exp/episode_{number}" for number in range(3))


def counts(data: dict[str, Any], game: str = "taboo") -> dict[str, int]:
    return {name: data["games"][game][name] for name in EQUAL}


@pytest.mark.parametrize("new", [False, True], ids=["old layout", "new layout"])
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_an_equal_recording(tmp_path, run, new, packed):
    folder = write(recording(new), tmp_path / "run")
    status, data, out, err = run(pack(folder) if packed else folder)
    assert (status, err) == (0, "")
    assert counts(data) == EQUAL
    name = ("run/" if packed else "") + ("MODEL" if new else "MODEL-t0.0")
    assert data["runs"] == {name: {"clemscore": 16.67, "published": 16.67, "equal": True}}
    assert data["differences"] == []
    assert "7 of 7" in out, "all messages to players are those that were recorded"
    assert f"{name}: clemscore 16.67, published 16.67" in out


def test_as_a_program(tmp_path):
    folder = write(recording() | {f"{E1}/scores.json": "{"}, tmp_path / "run")
    done = subprocess.run([sys.executable, "-m", "playpen_eval", "replay", folder], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{E1}/scores.json" in done.stderr
    assert "Traceback" not in done.stderr


def changed(name: str, old: str, new: str) -> dict[str, Any]:
    """The recording with one place of one file changed."""
    files = recording()
    text = files[name] if isinstance(files[name], str) else json.dumps(files[name])
    assert text.count(old) >= 1
    return files | {name: text.replace(old, new, 1)}


@pytest.mark.parametrize(
    ("old", "new", "score", "ours", "recorded"),
    [
        ('"Main Score": 50.0', '"Main Score": 60', "main_score", 50, 60),
        ('"Main Score": 50.0', '"Main Score": NaN', "main_score", 50, None),
        ('"Success": 1', '"Success": 0', "success", 1, 0),
        ('"Accuracy": 1', '"Accuracy": 0', "1/accuracy", 1, 0),
        ('"Lose": 0', '"Lose": 0, "Bonus": 3', "bonus", "missing", 3),
    ],
)
def test_a_changed_score_is_reported(tmp_path, run, old, new, score, ours, recorded):
    folder = write(changed(f"{E0}/scores.json", old, new), tmp_path / "run")
    status, data, out, _ = run(folder)
    found = {"game": "taboo", "episode": f"{folder}: {E0}", "score": score, "ours": ours, "recorded": recorded}
    assert data["differences"] == [found | {"explained": None}]
    assert (status, counts(data)) == (1, EQUAL | {"equal": 2, "different": 1})
    assert f"{E0}: {score}: ours" in out


@pytest.mark.parametrize("column", HEADER[2:])
def test_a_changed_cell_of_results_csv_is_reported(tmp_path, run, column):
    row = list(ROW)
    row[HEADER.index(column)] = "12.34"
    status, data, out, _ = run(write(recording() | {"results.csv": _results(row)}, tmp_path / "run"))
    assert (status, counts(data)) == (1, EQUAL)
    [difference] = data["differences"]
    assert (difference["episode"], difference["score"]) == ("MODEL-t0.0", f"results.csv: {column}")
    assert difference["recorded"] == 12.34
    assert data["runs"]["MODEL-t0.0"]["equal"] is False
    assert column in out


def test_a_changed_clemscore_is_reported(tmp_path, run):
    status, data, _, _ = run(write(changed("results.csv", "16.67", "16.68"), tmp_path / "run"))
    assert (status, data["differences"][0]["score"]) == (1, "results.csv: -, clemscore")
    assert data["runs"] == {"MODEL-t0.0": {"clemscore": 16.67, "published": 16.68, "equal": False}}


@pytest.mark.parametrize(
    ("episode", "old", "new", "scores"),
    [
        (E0, '"GUESS: winter"', '"GUESS: summer"', {"transcript"}),  # the recording ends too early
        (E0, '"CLUE: a season"', '"CLUE: cold"', {"transcript"}),  # our game does
        (E1, "CLUE:", "clue:", {"aborted", "lose", "main_score", "0/violated_request_count"}),
    ],
)
def test_a_changed_reply_is_reported(tmp_path, run, episode, old, new, scores):
    old, new = (f'"get message", "content": {text}' if text[0] == '"' else text for text in (old, new))
    status, data, _, _ = run(write(changed(f"{episode}/interactions.json", old, new), tmp_path / "run"))
    assert (status, counts(data)) == (1, EQUAL | {"equal": 2, "different": 1})
    found = [difference for difference in data["differences"] if not difference["score"].startswith("results.csv")]
    assert scores <= {difference["score"] for difference in found}
    assert all(difference["episode"].endswith(episode) for difference in found)


NO_JSON = ["", "{", '{"a": 1}}', "[]", "null", "7", b"\xff\x00", "[" * 200_000]
SHAPES = {
    "interactions": ["{}", '{"meta": [], "turns": []}', '{"turns": 5}', '{"turns": [[{}]]}', '{"turns": [5]}']
    + ['{"turns": [[{"from": "Player 1", "action": {"type": "get message", "content": 5}}]]}'],
    "instance": ["{}", '{"game_id": 1}', '{"game_id": 0, "target_word": 5, "related_word": []}']
    + ['{"game_id": 0, "target_word": "winter", "related_word": 3}'],
    "scores": ["{}", '{"a": 1}', '{"episode scores": []}', '{"episode scores": {}, "turn scores": {"0": 5}}']
    + ['{"episode scores": {}, "turn scores": [1]}'],
    "experiment": ["{}", json.dumps(EXPERIMENT | {"max_turns": "3"}), json.dumps(EXPERIMENT | {"max_turns": 0})],
}
FAULTS = [(f"{E0}/{name}.json", f"{name}.json", text) for name in list(SHAPES)[:3] for text in NO_JSON]
FAULTS += [(f"{E0}/{name}.json", E0, text) for name in list(SHAPES)[:3] for text in SHAPES[name]]
FAULTS += [("MODEL-t0.0/taboo/0_exp/experiment.json", "0_exp", text) for text in NO_JSON + SHAPES["experiment"]]
FAULTS += [("results.csv", "results.csv", text) for text in ("", b"\xff", "a,b\n1,2\n", "other,\n1\n", '"')]
FAULTS += [(f"{E0}/{name}", name, None) for name in ("instance.json",)]
FAULTS += [("MODEL-t0.0/taboo/0_exp/experiment.json", "experiment.json", None)]


@pytest.mark.parametrize(("name", "named", "content"), FAULTS, ids=lambda value: str(value)[-40:])
def test_a_broken_file_is_named_and_the_rest_is_processed(tmp_path, run, name, named, content):
    files = recording() | {name: content}
    broken = write({name: text for name, text in files.items() if text is not None}, tmp_path / "broken")
    status, data, _, err = run(broken, write(recording(new=True), tmp_path / "good"))
    assert status == 1
    assert any(str(broken) in line and named in line for line in err.splitlines())
    assert counts(data)["equal"] == (6 if name == "results.csv" else 3 if "experiment" in name else 5)
    assert data["runs"][f"{tmp_path / 'good'}: MODEL"]["equal"] is True


def test_a_truncated_archive_is_named_and_what_came_before_is_processed(tmp_path, run):
    archive = pack(write(recording(), tmp_path / "run"))
    for keep in (0.97, 0.5, 0.0):
        cut = tmp_path / "cut.tar.gz"
        cut.write_bytes(archive.read_bytes()[: int(keep * archive.stat().st_size)])
        status, data, _, err = run(cut, archive)
        assert status == 1
        assert str(cut) in err
        assert counts(data)["equal"] >= 3
    corrupt = bytearray(archive.read_bytes())
    corrupt[len(corrupt) // 2] ^= 0xFF
    cut.write_bytes(corrupt)
    status, data, _, err = run(cut, archive)
    assert (status, str(cut) in err, counts(data)["equal"] >= 3) == (1, True, True)


@pytest.mark.parametrize("kind", ["absent", "empty folder", "foreign folder", "short path", "text file", "no tar.gz"])
def test_a_path_without_recordings_is_named(tmp_path, run, kind):
    path = tmp_path / ("other.tar.gz" if kind == "no tar.gz" else "other")
    foreign = {"empty folder": {}, "foreign folder": {"a/b.txt": "x"}, "short path": {"x/interactions.json": {}}}
    if kind in foreign:
        write(foreign[kind], path)
    elif kind != "absent":
        path.write_text("text")
    good = write(recording(), tmp_path / "good")
    for paths in ([path], [path, good], [good, path]):
        status, data, _, err = run(*paths)
        assert (status, str(path) in err) == (1, True)
        assert len(paths) == 1 or counts(data) == EQUAL


def test_an_episode_without_scores_is_counted_as_unscored(tmp_path, run):
    files = {name: content for name, content in recording().items() if name not in (f"{E2}/scores.json", "results.csv")}
    status, data, _, err = run(write(files, tmp_path / "run"))
    assert (status, err, counts(data)) == (0, "", EQUAL | {"equal": 2, "unscored": 1})
    assert data["runs"]["MODEL-t0.0"] == {"clemscore": 25.0, "published": None, "equal": None}


def test_a_game_that_the_project_lacks_is_counted_and_named_in_full(tmp_path, run):
    name = "some_game_with_quite_a_long_name"
    files = recording() | {key.replace("taboo", name): content for key, content in recording().items()}
    status, data, out, err = run(write(files, tmp_path / "run"))
    assert (status, err, counts(data)) == (0, "", EQUAL)
    assert counts(data, name) == dict.fromkeys(EQUAL, 0) | {"episodes": 3}
    assert data["games"][name]["available"] is False
    assert data["runs"]["MODEL-t0.0"] == {"clemscore": None, "published": 16.67, "equal": None}
    assert name in out


@pytest.mark.parametrize("place", ["score", "cell"])
def test_numbers_that_json_does_not_have_are_written_as_json(tmp_path, run, place):
    one = changed(f"{E0}/scores.json", '"Main Score": 50.0', '"Main Score": Infinity')
    other = changed("results.csv", "66.67,25.0,35", "inf,25.0,35")
    status, data, _, _ = run(write(one if place == "score" else other, tmp_path / "run"))
    assert (status, len(data["differences"])) == (1, 1)
