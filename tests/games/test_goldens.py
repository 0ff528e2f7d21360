"""Whole transcripts, compared byte by byte: what players are told and how an episode is judged must not change unseen.

A golden changes only together with the version of its game. Raise the version, then write the goldens anew:

    python tests/games/test_goldens.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from playpen_eval.episode import Episode
from playpen_eval.game import Game
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game, shipped_games

FOLDER = Path(__file__).resolve().parent.parent / "goldens"
OUTCOMES = ("success", "lose", "aborted")
# Experiment and number of the instance in the shipped test split; its id holds the version of the game as well.
INSTANCES = {
    "taboo": {"success": "medium/0-0", "lose": "high/0-0", "aborted": "low/0-0"},
    "wordle": {"success": "high/0-0", "lose": "medium/0-0", "aborted": "high/0-1"},
    "wordle_withclue": {"success": "medium/0-1", "lose": "high/0-0", "aborted": "medium/0-0"},
    "wordle_withcritic": {"success": "high/0-0", "lose": "medium/0-0", "aborted": "high/0-1"},
}
CASES = [(game, outcome) for game in INSTANCES for outcome in OUTCOMES]
# Of every other game the first instance of the test split: won as its solution says, and broken after one good reply,
# or at once where one reply is the whole game.
BROKEN = {
    "privateshared": ["?"] * 4,  # its first asks are probes, which forgive
    **dict.fromkeys(("maze_fo", "maze_po", "textnav_fo", "textnav_po"), ["?"] * 3),
    **dict.fromkeys(("lmrl_wordle", "lmrl_wordle_short"), ["?"] * 3),
    "car_dealer": ["Output: Deal!"],
    **{game: ["No.", *["?"] * 3] for game in ("twenty_questions", "guess_my_city")},
    "chess": ["?"] * 3,  # one unreadable reply is an illegal move
    "chess_endgames": ["?"] * 3,
}
OTHERS = [game for game in shipped_games() if game not in INSTANCES]
CASES += [(game, outcome) for game in OTHERS for outcome in ("success", "aborted")]


def _guess(word: str) -> str:
    return f"explanation: a try\nguess: {word}"


WRONG = ["zzzzz", "slate", "stone", "slate", "pride", "grown", "juicy"]
"""An unknown word and six wrong guesses."""
LOSING = {
    "taboo": [
        "clue: a word that I\nlike",
        "guess: Word!",
        "CLUE: another one",
        "GUESS: two words",
        "CLUE: x",
        "GUESS: y",
    ],
    "wordle": [_guess(word) for word in WRONG],
    "wordle_withclue": [_guess(word) for word in WRONG],
    "wordle_withcritic": [
        _guess(WRONG[0]),
        *(r for w in WRONG[1:] for r in (_guess("crane"), "explanation: no idea\nagreement: no", _guess(w))),
    ],
}
BREAKING = {
    "taboo": ["CLUE: a word", "It is a word."],
    "wordle": [_guess("slate"), "slate"],
    "wordle_withclue": [_guess("slate"), _guess("slates")],
    "wordle_withcritic": [_guess("slate"), "explanation: hm\nagreement: perhaps"],
}


def _instance(game: Game, outcome: str) -> dict[str, Any]:
    if game.name in OTHERS:
        return load_instances(game, "test").instances[0]
    name = f"{game.name}/{game.version}/test/{INSTANCES[game.name][outcome]}"
    by_id = {instance["id"]: instance for instance in load_instances(game, "test").instances}
    if name not in by_id:
        raise ValueError(f"the test split no longer holds {name}")
    return by_id[name]


def transcript(game: Game, outcome: str, replies: list[str] | None) -> str:
    """The text of a golden; without replies, the success is played by the scripted players."""
    episode = Episode(game, _instance(game, outcome))
    if replies is None and game.name in OTHERS:
        solution = game.solution(episode.instance, last=True)
        replies = solution if outcome == "success" else [*solution[:-1][:1], *BROKEN.get(game.name, "?")]
    elif replies is None and outcome != "success":
        replies = (LOSING if outcome == "lose" else BREAKING)[game.name]
    for reply in replies or ():
        episode.act(reply)
    while replies is None and episode.outcome is None:
        episode.act(scripted_reply(episode.observe(), "best"))
    if episode.outcome is None or episode.outcome.kind != outcome:
        raise ValueError(f"{game.name}: the {outcome} golden now ends as {episode.outcome}")
    data = {
        "game": game.name,
        "version": game.version,
        "instance": episode.instance,
        "turns": [turn._asdict() | {"reward": dict(turn.reward)} for turn in episode.turns],
        "outcome": episode.outcome.to_dict(),
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def problem(game: Game, outcome: str, golden: str) -> str | None:
    """What is wrong with a golden, and what to do about it; None if it is what the game plays now."""
    data = json.loads(golden)
    if data["version"] != game.version:
        return f"{game.name} is of version {game.version}, its golden of {data['version']}; run {Path(__file__).name}"
    try:
        now = transcript(game, outcome, [turn["reply"] for turn in data["turns"]])
    except (RuntimeError, ValueError) as error:  # it now ends early, late or otherwise
        now = str(error)
    if now == golden:
        return None
    pairs = zip(golden.splitlines(), now.splitlines(), strict=False)
    old, new = next(((a, b) for a, b in pairs if a != b), ("the end", "more, or less"))
    return (
        f"{game.name} plays otherwise than its {outcome} golden without a new version: undo the change, or raise "
        f"{type(game).__name__}.version and run {Path(__file__).name}\n- {old}\n+ {new}"
    )


def _file(game: str, outcome: str) -> Path:
    return FOLDER / f"{game}-{outcome}.json"


@pytest.mark.parametrize(("game", "outcome"), CASES)
def test_golden(game, outcome):
    golden = _file(game, outcome).read_bytes().decode("utf-8")
    found = problem(load_game(game), outcome, golden)
    assert found is None, found


def test_there_is_no_golden_of_anything_else():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(_file(*case).name for case in CASES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Tries left: 2", "2 tries left"),
        ('"kind": "lose"', '"kind": "success"'),
        ("}\n", "}"),
        ("guess: Word!", "Word!"),
    ],
)
def test_a_change_without_a_new_version_is_reported_as_such(old, new):
    golden = _file("taboo", "lose").read_text(encoding="utf-8")
    assert old in golden
    found = problem(load_game("taboo"), "lose", golden[::-1].replace(old[::-1], new[::-1], 1)[::-1])
    assert found is not None
    assert "without a new version" in found
    assert "Taboo.version" in found


def test_a_golden_of_another_version_is_reported_as_such():
    golden = _file("taboo", "lose").read_text(encoding="utf-8").replace('"version": 1', '"version": 0', 1)
    found = problem(load_game("taboo"), "lose", golden)
    assert found is not None
    assert "its golden of 0" in found


def test_the_script_refuses_to_hide_a_change_without_a_new_version(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules[__name__], "FOLDER", tmp_path)
    assert main() == 0
    assert len(list(tmp_path.iterdir())) == len(CASES)
    path = _file("wordle", "success")
    changed = path.read_text(encoding="utf-8").replace("raise", "erase")
    path.write_text(changed, encoding="utf-8")
    assert main() == 1
    assert "without a new version" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == changed
    path.write_text(changed.replace('"version": 1', '"version": 0', 1), encoding="utf-8")
    assert main() == 0
    assert '"version": 1' in path.read_text(encoding="utf-8")


def main() -> int:
    """Writes the goldens that are missing or of an older version; refuses to change the others."""
    refused = 0
    for name, outcome in CASES:
        game, path = load_game(name), _file(name, outcome)
        if path.exists():
            golden = path.read_bytes().decode("utf-8")
            if json.loads(golden)["version"] == game.version:
                if found := problem(game, outcome, golden):
                    print(found, file=sys.stderr)
                    refused = 1
                continue
        path.write_bytes(transcript(game, outcome, None).encode("utf-8"))
        print(f"wrote {path.name}")
    return refused


if __name__ == "__main__":
    sys.exit(main())
