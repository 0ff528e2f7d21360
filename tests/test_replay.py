"""Replay of recorded clembench runs: the real ones where they lie beside the checkout, and small ones made here."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from playpen_eval import Episode, load_game, load_games, lockstep
from playpen_eval.clembench import translate
from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted
from playpen_eval.recordings import read_recording
from playpen_eval.replay import replay

# Game -> recorded episodes, and instances in clembench 2.0 and 3.0 (of imagegame only 3.0 is there).
RECORDED = {
    "adventuregame": 72,
    "codenames": 78,
    "guesswhat": 36,
    "matchit_ascii": 24,
    "imagegame": 33,
    "privateshared": 30,
    "referencegame": 45,
    "taboo": 36,
    "textmapworld": 30,
    "textmapworld_graphreasoning": 18,
    "textmapworld_specificroom": 18,
    "wordle": 18,
    "wordle_withclue": 18,
    "wordle_withcritic": 18,
}
# Where texts are in clembench's code rather than its files, ours say the same in other words.
EQUAL_MESSAGES = {"adventuregame": 825, "codenames": 156}
# The recorded scores lack the similarity of maps: another game's scorer overwrote them.
EXPLAINED = {"textmapworld_graphreasoning"}
# Reference items, which clembench records like games.
STATIC = {"cladder": 303, "eqbench": 102, "ifeval": 162, "mmlu_pro": 339}
# The clemscores and statscores that came with the recordings.
PUBLISHED = {
    "clem/llama3-8b-t0.0": 29.28,
    "clem/llama3-8b-sft-t0.0": 41.28,
    "clem/llama3-8b-dpo-t0.0": 28.32,
    "static/llama3-8b-t0.0": 56.46,
    "static/llama3-8b-sft-t0.0": 53.25,
    "static/llama3-8b-dpo-t0.0": 55.58,
}
INSTANCES = RECORDED | {
    "codenames": 130,
    "guesswhat": 60,
    "matchit_ascii": 40,
    "imagegame": 40,
    "privateshared": 50,
    "referencegame": 90,
    "taboo": 60,
}
INSTANCES |= {"textmapworld": 50}
INSTANCES |= dict.fromkeys(("textmapworld_graphreasoning", "textmapworld_specificroom"), 30)
INSTANCES |= dict.fromkeys(("wordle", "wordle_withclue", "wordle_withcritic"), 30)


def test_recorded_runs_give_the_recorded_scores(shared):
    paths = sorted((shared / "recordings").glob("*.tar.gz"))
    assert len(paths) == 3
    recordings = {path.name: read_recording(path) for path in paths}
    result = replay(recordings, load_games(), clembench=shared / "clembench")
    assert {name: row.episodes for name, row in result.games.items() if row.available} == RECORDED | STATIC
    for name, episodes in (RECORDED | STATIC).items():
        row = result.games[name]
        explained = episodes if name in EXPLAINED else 0
        assert (row.equal, row.explained, row.different, row.unscored) == (episodes - explained, explained, 0, 0)
        assert row.messages_equal == EQUAL_MESSAGES.get(name, row.messages) > 0
    assert {difference["game"] for difference in result.differences} == EXPLAINED
    assert (result.errors, result.failed) == ([], False)
    assert {name.partition("/")[2]: run["clemscore"] for name, run in result.runs.items() if run["equal"]} == PUBLISHED


def test_games_that_are_not_there_are_counted_and_not_replayed(shared):
    path = shared / "recordings" / "llama3-8b-sft.tar.gz"
    result = replay({"sft": read_recording(path)}, load_games("taboo"))
    others = [row for name, row in result.games.items() if name != "taboo"]
    assert len(others) == 17
    assert [row for row in others if row.episodes > 0 == row.equal == row.messages and not row.available] == others


@pytest.mark.parametrize("version", ["2.0", "3.0"])
@pytest.mark.parametrize("name", RECORDED)
def test_scripted_players_finish_all_of_clembenchs_instances(shared, name, version):
    if (name, version) == ("imagegame", "2.0"):
        with pytest.raises(UserError, match=r"no version '2\.0' of 'imagegame'"):
            load_instances(load_game(name), f"clembench:{shared / 'clembench'}@v{version}")
        return
    loaded = load_instances(load_game(name), f"clembench:{shared / 'clembench'}@v{version}")
    expected = INSTANCES[name] if name != "adventuregame" else {"2.0": 128, "3.0": 40}[version]
    assert (loaded.source, len(loaded.instances)) == (f"clembench-{version}", expected)
    episodes = [Episode(load_game(name), instance) for instance in loaded.instances]
    lockstep(episodes, scripted())
    kinds = Counter(episode.outcome.kind for episode in episodes if episode.outcome)
    assert kinds["success"] + kinds["lose"] == len(episodes)
    # Related words may leave the scripted describer of taboo nothing to say; the adventurer brews no potions.
    share = {"taboo": 0.02, "adventuregame": 0.8}.get(name, 0.9)
    assert kinds["success"] >= share * len(episodes)


# A small recording of our own: three episodes of taboo, with the scores that the rules of clembench give.
EXPERIMENT = {"name": "exp", "max_turns": 3, "guesser_initial_prompt": "Guess in $N$ tries."}
EXPERIMENT["describer_initial_prompt"] = "Describe $TARGET_WORD$ but not with\n$REL_WORD$\nin $N$ tries."
CARD = {"game_id": 0, "target_word": "winter", "related_word": ["cold", "snow", "dark"]}
EPISODES = [
    ("success", ["CLUE: a season", "GUESS: spring", "CLUE: it freezes", "GUESS: winter"]),
    ("lose", ["CLUE: snow falls"]),
    ("aborted", ["CLUE: a season", "winter"]),
]
HEADER = ["", "-, clemscore", "all, Average % Played", "all, Average Quality Score"]
HEADER += ["taboo, % Played", "taboo, Quality Score", "taboo, Quality Score (std)"]
HEAD = ",".join(f'"{column}"' for column in HEADER)
ROW = ["MODEL-t0.0", "16.67", "66.67", "25.0", "66.67", "25.0", "35.36"]


def _interactions(replies: list[str]) -> dict[str, Any]:
    told = ["Describe winter but not with\n- cold\n- snow\n- dark\nin 3 tries.", *replies]
    told[1] = f"Guess in 3 tries.\n\n{told[1]}"
    turns: list[list[dict[str, Any]]] = [[] for _ in replies[::2]]
    for index, reply in enumerate(replies):
        player = f"Player {index % 2 + 1}"
        events = [("GM", player, "send message", told[index]), (player, "GM", "get message", reply)]
        for sender, to, kind, content in [*events, ("GM", "GM", "valid response", "continue")]:
            turns[index // 2].append({"from": sender, "to": to, "action": {"type": kind, "content": content}})
    return {"meta": {"game_name": "taboo", "clem_version": "3.2.0"}, "turns": turns}


def _scores(kind: str, rounds: int) -> dict[str, Any]:
    bad, won = int(kind == "aborted"), int(kind == "success")
    names = ("Accuracy", "Violated Request Count", "Parsed Request Count", "Request Count")
    turns: dict[str, dict[str, int]] = {str(i): dict(zip(names, (0, 0, 1, 1), strict=True)) for i in range(rounds)}
    turns[str(rounds - 1)] = dict(zip(names, (won, bad, 1 - bad, 1), strict=True))
    episode: dict[str, Any] = {name: sum(turn[name] for turn in turns.values()) for name in names[1:]}
    episode |= {"Aborted": bad, "Success": won, "Lose": int(kind == "lose"), "Request Success Ratio": 1 - bad / rounds}
    episode |= {"Repetition-Guesser": 0, "Repetition-Describer": 0}
    episode["Main Score"] = math.nan if bad else 100 / rounds if won else 0
    return {"turn scores": turns, "episode scores": episode}


def recording(new: bool = False) -> dict[str, Any]:
    """Name -> content (JSON data or text) of every file, in the old or the new layout of clembench."""
    run, experiment = ("MODEL", "exp") if new else ("MODEL-t0.0", "0_exp")
    files: dict[str, Any] = {"results.csv": "\n".join([HEAD, ",".join([run, *ROW[1:]])])}
    files[f"{run}/taboo/{experiment}/experiment.json"] = EXPERIMENT
    for number, (kind, replies) in enumerate(EPISODES):
        folder = f"{run}/taboo/{experiment}/" + (f"instance_{number:05}" if new else f"episode_{number}")
        files[f"{folder}/instance.json"] = CARD | {"game_id": number}
        files[f"{folder}/interactions.json"] = _interactions(replies)
        files[f"{folder}/scores.json"] = _scores(kind, (len(replies) + 1) // 2)
    return files


def write(files: dict[str, Any], folder: Path) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, bytes | str) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if not files:
        folder.mkdir()
    return folder


def pack(folder: Path) -> Path:
    archive = folder.with_name("packed.tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "run")
    return archive


@pytest.fixture
def run(tmp_path, capsys):
    """Runs `playpen-eval replay`: status, the strict JSON it wrote, standard output, standard error."""

    def call(*paths: Path) -> tuple[int, dict[str, Any], str, str]:
        out = tmp_path / "out.json"
        status = main(["replay", *map(str, paths), "--json", str(out), "--messages"])
        captured = capsys.readouterr()
        return status, json.loads(out.read_text("utf-8"), parse_constant=pytest.fail), captured.out, captured.err

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
    name = ("run/" if packed else "") + ("MODEL" if new else "MODEL-t0.0")
    assert data["runs"] == {name: {"clemscore": 16.67, "published": 16.67, "equal": True, "columns": 6}}
    assert (status, err, counts(data), data["differences"]) == (0, "", EQUAL, [])
    assert "7 of 7" in out, "all messages to players are those that were recorded"
    assert f"{name}: clemscore 16.67, published 16.67" in out


def test_as_a_program(tmp_path):
    folder = write(recording() | {f"{E1}/scores.json": "{"}, tmp_path / "run")
    done = subprocess.run([sys.executable, "-m", "playpen_eval", "replay", folder], capture_output=True, text=True)
    assert (done.returncode, f"{E1}/scores.json" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


def changed(name: str, old: str, new: str) -> dict[str, Any]:
    text = json.dumps(recording()[name]) if name.endswith(".json") else recording()[name]
    assert old in text
    return recording() | {name: text.replace(old, new, 1)}


@pytest.mark.parametrize(
    ("old", "new", "score", "ours", "recorded"),
    [
        ('"Main Score": 50.0', '"Main Score": 60', "main_score", 50, 60),
        ('"Main Score": 50.0', '"Main Score": NaN', "main_score", 50, None),
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


@pytest.mark.parametrize("column", HEADER[1:])
def test_a_changed_cell_of_results_csv_is_reported(tmp_path, run, column):
    row = ["12.34" if name == column else cell for name, cell in zip(HEADER, ROW, strict=True)]
    changes = {"results.csv": f"{HEAD}\n{','.join(row)}\n"}
    status, data, out, _ = run(write(recording() | changes, tmp_path / "run"))
    assert (status, counts(data)) == (1, EQUAL)
    [found] = data["differences"]
    assert (found["episode"], found["score"], found["recorded"]) == ("MODEL-t0.0", f"results.csv: {column}", 12.34)
    assert data["runs"]["MODEL-t0.0"]["equal"] is False
    assert f"results.csv: {column}: ours" in out


@pytest.mark.parametrize(
    ("episode", "index", "reply", "scores"),
    [
        (E0, 3, "GUESS: summer", {"transcript"}),  # the recording ends while our game runs on
        (E0, 2, "CLUE: cold", {"transcript"}),  # our game ends before the recording
        (E1, 0, "clue: snow", {"aborted", "lose", "main_score", "request_success_ratio", "0/violated_request_count"}),
    ],
)
def test_a_changed_reply_is_reported(tmp_path, run, episode, index, reply, scores):
    replies = [reply if place == index else old for place, old in enumerate(EPISODES[int(episode[-1])][1])]
    changes = {f"{episode}/interactions.json": _interactions(replies)}
    status, data, _, _ = run(write(recording() | changes, tmp_path / "run"))
    assert (status, counts(data)) == (1, EQUAL | {"equal": 2, "different": 1})
    assert scores <= {found["score"] for found in data["differences"] if found["episode"].endswith(episode)}


EXP = "MODEL-t0.0/taboo/0_exp/experiment.json"
NO_JSON = ["", "{", '{"a": 1}}', "[]", "null", "7", b"\xff\x00", "[" * 200_000]
SAID, NO = [[{"from": "Player 1", "action": {"type": "get message", "content": 5}}]], {"episode scores": {}}
SHAPES = {
    "interactions": [{}, {"meta": [], "turns": []}, {"turns": 5}, {"turns": [5]}, {"turns": [[{}]]}, {"turns": SAID}],
    "instance": [{}, {"game_id": 0}, CARD | {"related_word": 3}, CARD | {"target_word": 5}],
    "scores": [{}, {"a": 1}, {"episode scores": []}, NO | {"turn scores": [1]}, NO | {"turn scores": {"0": 5}}],
}
# (file, what the error has to name, content or None for a missing file)
FAULTS: list[tuple[str, str, Any]] = [(f"{E0}/instance.json", "instance.json", None), (EXP, "experiment.json", None)]
FAULTS += [(f"{E0}/{name}.json", f"{name}.json", text) for name in SHAPES for text in NO_JSON]
FAULTS += [(f"{E0}/{name}.json", E0, data) for name, shapes in SHAPES.items() for data in shapes]
FAULTS += [(EXP, "experiment.json", text) for text in NO_JSON]
FAULTS += [(EXP, E0, data) for data in ({}, EXPERIMENT | {"max_turns": "3"}, EXPERIMENT | {"max_turns": 0})]
FAULTS += [("results.csv", "results.csv", text) for text in ("", b"\xff", "a,b\n1,2\n", "other,\n1\n")]


@pytest.mark.parametrize(("name", "named", "content"), FAULTS, ids=lambda value: str(value)[-40:])
def test_a_broken_file_is_named_and_the_rest_is_processed(tmp_path, run, name, named, content):
    files = recording() | {name: content}
    broken = write({name: text for name, text in files.items() if text is not None}, tmp_path / "broken")
    status, data, _, err = run(broken, write(recording(new=True), tmp_path / "good"))
    assert (status, any(str(broken) in line and named in line for line in err.splitlines())) == (1, True)
    assert counts(data)["equal"] == (6 if name == "results.csv" else 3 if name == EXP else 5)
    assert data["runs"][f"{tmp_path / 'good'}: MODEL"]["equal"] is True


def test_a_broken_archive_is_named_and_the_rest_is_processed(tmp_path, run):
    archive, bad = pack(write(recording(), tmp_path / "run")), tmp_path / "bad.tar.gz"
    whole, middle = archive.read_bytes(), archive.stat().st_size // 2
    for content in (b"", b"text", whole[:middle], whole[:middle] + bytes(99) + whole[middle + 99 :]):
        bad.write_bytes(content)
        status, data, _, err = run(bad, archive)
        assert (status, str(bad) in err, counts(data)["equal"] >= 3) == (1, True, True)


def test_an_archive_cut_anywhere_is_reported_as_truncated(tmp_path):
    whole, bad = pack(write(recording(), tmp_path / "run")).read_bytes(), tmp_path / "bad.tar.gz"
    for length in [*range(20), *range(20, len(whole), 25), len(whole) - 1]:
        bad.write_bytes(whole[:length])
        assert any("truncated" in error for error in read_recording(bad).errors), length


# An empty folder, a foreign one, one of too few levels, a path that does not exist, a file of another kind.
@pytest.mark.parametrize("files", [{}, {"a/b.txt": "x"}, {"x/interactions.json": {}}, None, {"": "text"}])
def test_a_path_without_recordings_is_named(tmp_path, run, files):
    path, good = tmp_path / "other", write(recording(), tmp_path / "good")
    if files is not None:
        write(files, path)
    for paths in ([path], [path, good], [good, path]):
        status, data, _, err = run(*paths)
        assert (status, str(path) in err) == (1, True)
        assert len(paths) == 1 or counts(data) == EQUAL


def test_an_episode_without_scores_is_counted_as_unscored_and_another_message_as_not_equal(tmp_path, run):
    files = changed(f"{E0}/interactions.json", "Describe winter", "Describe spring")
    files = {name: text for name, text in files.items() if name not in (f"{E2}/scores.json", "results.csv")}
    status, data, out, err = run(write(files, tmp_path / "run"))
    assert (status, err, counts(data), "6 of 7" in out) == (0, "", EQUAL | {"equal": 2, "unscored": 1}, True)
    assert data["runs"]["MODEL-t0.0"] == {"clemscore": 25.0, "published": None, "equal": None, "columns": 0}


def test_a_game_that_the_project_lacks_is_counted_and_named_in_full(tmp_path, run):
    name = "some_game_with_quite_a_long_name"
    files = recording() | {key.replace("taboo", name): content for key, content in recording().items()}
    status, data, out, err = run(write(files, tmp_path / "run"))
    assert (status, err, counts(data), name in out) == (0, "", EQUAL, True)
    assert (counts(data, name), data["games"][name]["available"]) == (dict.fromkeys(EQUAL, 0) | {"episodes": 3}, False)
    assert data["runs"]["MODEL-t0.0"] == {"clemscore": None, "published": 16.67, "equal": None, "columns": 3}


@pytest.mark.parametrize("cell", [False, True])
def test_numbers_that_json_does_not_have_are_written_as_json(tmp_path, run, cell):
    results = ("results.csv", ",25.0,35", ",inf,35")
    score = (f"{E0}/scores.json", '"Main Score": 50.0', '"Main Score": Infinity')
    status, data, _, _ = run(write(changed(*(results if cell else score)), tmp_path / "run"))
    assert (status, len(data["differences"])) == (1, 1)


def test_the_rules_are_those_of_the_framework_that_recorded(tmp_path, run, monkeypatch):
    used = []
    monkeypatch.setattr("playpen_eval.replay.translate", lambda *args: used.append(args[3]) or translate(*args))
    for version in ("2.5.1", "3.2.0", "3.4.2", "3.5.0", "3.10.1"):
        run(write(changed(f"{E0}/interactions.json", "3.2.0", version), tmp_path / "run"))
    assert used[::3] == ["2.0", "2.0", "2.0", "3.0", "3.0"]
