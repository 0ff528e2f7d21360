"""The command line: what it prints, what it writes, and its exit status."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from playpen_eval import Episode, __version__, load_game
from playpen_eval.cli import main
from playpen_eval.instances import load_instances
from playpen_eval.registry import ENV
from playpen_eval.run import RunFolder

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
COMMAND = [sys.executable, "-m", "playpen_eval"]
RUN = ["run", "taboo", "--model", "scripted", "-o", "unused"]


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch):
    monkeypatch.setenv(ENV, "")
    monkeypatch.setenv("COLUMNS", "80")


def test_the_version():
    done = subprocess.run([*COMMAND, "--version"], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"playpen-eval {__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["play"], ["run", "taboo"], ["generate", "taboo", "-n", "x"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: playpen-eval" in capsys.readouterr().err


@pytest.mark.parametrize("command", [
    ["play", "tabo"], ["check", "tabo"], ["generate", "tabo"],
    ["run", "tabo", "--model", "scripted", "-o", "unused"],
])  # fmt: skip
def test_an_unknown_game_suggests(command, capsys):
    assert main(command) == 2
    assert capsys.readouterr().err == f"playpen-eval {command[0]}: unknown game 'tabo'; did you mean 'taboo'?\n"


def test_help_imports_nothing_heavy():
    heavy = ["torch", "transformers", "inspect_ai", "lm_eval", "scipy", "numpy", "rich", "httpx", "hypothesis"]
    code = f"""
import sys
import playpen_eval.cli
try:
    playpen_eval.cli.main(["--help"])
except SystemExit as stop:
    assert not stop.code
print([name for name in {heavy!r} if name in sys.modules], "playpen_eval" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] True"


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["generate", "taboo"]])
def test_a_reader_that_went_away(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, *arguments], env=ENVIRONMENT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_first_lines_alone():
    command = ["bash", "-c", '"$@" list | head -1', "bash", *COMMAND]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_list_shows_every_game(capsys):
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    rows = {row["game"]: row for row in listed["games"]}
    assert listed["broken"] == {}
    game = load_game("taboo")
    facts = {"game": "taboo", "version": game.version, "summary": game.summary, "learner": "guesser", "held_out": False}
    lists = {"roles": ["describer", "guesser"], "experiments": ["high", "medium", "low"]}
    splits = {split: len(load_instances(game, split).instances) for split in ("train", "validation", "test")}
    assert rows["taboo"] == {**facts, **lists, "splits": splits}
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for name in rows:
        # A name is what one copies from here.
        assert re.search(rf"(?<!\w){name}(?!\w)", text), f"{name} is not to be read in 80 columns"


def test_generate_prints_instances(capsys):
    assert main(["generate", "taboo", "-n", "3", "--split", "test", "--experiment", "low", "--seed", "s"]) == 0
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [row["id"] for row in rows] == [f"taboo/{load_game('taboo').version}/test/low/s-{i}" for i in range(3)]
    assert captured.err == ""
    assert main(["generate", "taboo", "-n", "2"]) == 0
    assert [json.loads(line)["experiment"] for line in capsys.readouterr().out.splitlines()] == [
        *["high"] * 2, *["medium"] * 2, *["low"] * 2
    ]  # fmt: skip


def test_generate_writes_a_file_that_can_be_played(tmp_path, capsys):
    path = tmp_path / "new" / "more.jsonl"
    assert main(["generate", "taboo", "-n", "2", "--experiment", "high", "-o", str(path)]) == 0
    assert capsys.readouterr().err == f"{path}: 2 instances\n"
    run = ["run", "taboo", "--model", "scripted", "--instances", str(path), "-o", str(tmp_path / "out"), "--json"]
    assert main(run) == 0
    assert json.loads(capsys.readouterr().out)["games"]["taboo"]["n"] == 2


def test_generate_says_when_there_is_no_more(monkeypatch, capsys):
    monkeypatch.setattr("playpen_eval.instances.ATTEMPTS", 200)
    assert main(["generate", "wordle", "--split", "validation", "--experiment", "high", "-n", "9999"]) == 2
    captured = capsys.readouterr()
    assert re.search(r"validation/high has content for \d+ distinct instances, not 9999", captured.err)
    assert captured.out == ""


@pytest.fixture
def typed(monkeypatch):
    """Types lines, then leaves with Ctrl-D."""

    def type_lines(*lines: str) -> None:
        waiting = iter(lines)

        def read(*_: object) -> str:
            with contextlib.suppress(StopIteration):
                return next(waiting)
            raise EOFError

        monkeypatch.setattr("builtins.input", read)

    return type_lines


def solution(*, last: bool = False) -> tuple[dict, list[str]]:
    game = load_game("taboo")
    instance = load_instances(game, "validation").instances[2]
    return instance, game.solution(instance, last=last)


def test_a_person_wins(typed, tmp_path, capsys):
    instance, replies = solution(last=True)
    typed(*(line for reply in replies for line in (*reply.split("\n"), "")))
    saved = tmp_path / "saved.jsonl"
    arguments = ["play", "taboo", "--role", "all", "--index", "2", "--save", str(saved)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "success, score 33.33: the word was found" in out
    episode = Episode.from_json(json.loads(saved.read_text()), load_game("taboo"))
    assert (episode.instance, episode.replies) == (instance, replies)
    assert all(turn.text in out for turn in episode.turns)


def test_a_person_plays_with_a_script(typed, capsys):
    typed(solution()[1][1], "")
    assert main(["play", "taboo", "--index", "2"]) == 0
    out = capsys.readouterr().out
    assert "the describer answers" in out
    assert "to the guesser (you)" in out
    assert "success, score 100.00" in out
    typed("[bold]no tag[/nothing]", "a second line", "")
    assert main(["play", "taboo", "--role", "describer", "--index", "2"]) == 0
    assert "aborted: the clue does not begin with CLUE:" in capsys.readouterr().out


def test_leaving_a_game(typed, tmp_path, capsys):
    typed("GUESS: half a")
    assert main(["play", "taboo", "--save", str(tmp_path / "saved.jsonl")]) == 1
    assert "left before the end" in capsys.readouterr().out
    assert not (tmp_path / "saved.jsonl").exists()


@pytest.mark.parametrize(("key", "status"), [(b"\x04", 1), (b"\x03", 130)])
def test_keys_of_a_terminal_leave_the_game(key, status):
    # A process of its own makes the terminal its own, or Ctrl-C would be a character as any other.
    code = "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from playpen_eval.cli import main; "
    here, there = pty.openpty()
    command = [sys.executable, "-c", code + "sys.exit(main(['play', 'taboo']))"]
    child = subprocess.Popen(command, env=ENVIRONMENT, stdin=there, stdout=there, stderr=there, start_new_session=True)
    os.close(there)
    shown = b""
    try:
        while not shown.endswith(b"> "):
            shown += os.read(here, 1000)
        # Again, if need be: a signal in the moment before the process waits for input is noticed at the next one.
        for _ in range(5):
            os.write(here, key)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(5)
                break
        assert child.poll() == status
        assert b"Traceback" not in os.read(here, 10_000)
    finally:
        child.kill()
        child.wait()
        os.close(here)


def run(out: Path, *more: str) -> int:
    return main(["run", "taboo", "--limit", "4", "-o", str(out), "--model", "scripted", "--json", *more])


def rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "episodes.jsonl").read_text().splitlines()]


BREAKER = "scripted:breaker"


@pytest.mark.parametrize(("more", "counted", "faulty"), [
    ([], 4, None),
    (["--model", BREAKER], 4, "describer"),
    (["--model", BREAKER, "--partner", "scripted"], 4, "guesser"),
    (["--model", BREAKER, "--partner", "scripted", "--role", "describer"], 4, "describer"),
    # What a partner breaks does not count.
    (["--partner", BREAKER], 0, "describer"),
    (["--partner", BREAKER, "--role", "describer"], 0, "guesser"),
])  # fmt: skip
def test_who_sits_where(more, counted, faulty, tmp_path, capsys):
    assert run(tmp_path / "out", *more) == 0
    figures = json.loads(capsys.readouterr().out)["games"]["taboo"]
    assert (figures["n"], figures["aborted"]) == (counted, counted if faulty else 0)
    assert {row["outcome"]["faulty_role"] for row in rows(tmp_path / "out")} == {faulty}


@pytest.mark.parametrize(("name", "more"), [
    ("model", ["--model", "scripted:breaker"]),
    ("temperature", ["--temperature", "0.7"]),
    ("max_tokens", ["--max-tokens", "9"]),
    ("partner", ["--partner", "scripted"]),
    ("games", ["--instances", "train"]),
    ("experiment", ["--experiment", "low"]),
])  # fmt: skip
def test_other_settings_are_refused_by_name(name, more, tmp_path, capsys):
    assert run(tmp_path / "out") == 0
    before = rows(tmp_path / "out")
    assert run(tmp_path / "out", *more) == 2
    assert re.search(rf"holds another run: (games was .*; )?{name} was ", capsys.readouterr().err)
    assert rows(tmp_path / "out") == before


def test_two_runs_at_once_are_refused(tmp_path, capsys):
    assert run(tmp_path / "out") == 0
    held = RunFolder(tmp_path / "out", json.loads((tmp_path / "out" / "run.json").read_text()))
    assert run(tmp_path / "out") == 2
    assert "another process is writing to" in capsys.readouterr().err
    held.close()
    assert run(tmp_path / "out") == 0


@pytest.mark.parametrize(("file", "text", "message"), [
    ("", "a file", "cannot write to the output folder"),
    ("episodes.jsonl/a-folder", "", "cannot write to the output folder"),
    ("run.json", "[]", "run.json is broken"),
    ("run.json", '{"format": 1, ', "run.json is broken"),
    ("episodes.jsonl", "{}\n", "holds episodes.jsonl without a run.json"),
])  # fmt: skip
def test_a_folder_that_cannot_be_used(file, text, message, tmp_path, capsys):
    path = tmp_path / "out" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert run(tmp_path / "out") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), [
    (["generate", "taboo", "--split", "tests"], "unknown split 'tests'; did you mean 'test'?"),
    (["generate", "taboo", "--experiment", "hihg"], "unknown experiment of taboo 'hihg'; did you mean 'high'?"),
    (["generate", "taboo", "-n", "0"], "-n must be at least 1, not 0"),
    (["generate", "taboo", "-o", "/dev/null/x.jsonl"], "cannot write /dev/null/x.jsonl"),
    (["play", "taboo", "--role", "gueser"], "unknown role of taboo 'gueser'; did you mean 'guesser'?"),
    (["play", "taboo", "--partner", "gpt"], "partner 'gpt' is no scripted player and needs --base-url"),
    (["play", "taboo", "--partner", "scripted:x"], "unknown style of scripted player 'x'"),
    (["play", "taboo", "--index", "-1"], "--index -1 is not in 0.."),
    (["play", "taboo", "--instances", "validatoin"], "unknown instances 'validatoin'"),
    ([*RUN, "--limit", "0"], "--limit must be at least 1, not 0"),
    ([*RUN, "--concurrency", "0"], "--concurrency must be at least 1, not 0"),
    ([*RUN, "--all"], "name the games to play, or give --all"),
    ([*RUN, "--model", "gpt"], "'gpt' is no scripted player"),
    ([*RUN, "--role", "gueser"], "unknown role of taboo 'gueser'; did you mean 'guesser'?"),
])  # fmt: skip
def test_bad_arguments_are_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"kind": "success"', '"kind": "lose"', "the outcome is now"),
        ('"replies": ["CLUE:', '"replies": ["SAY:', "the outcome is now"),
        ('"outcome": {', '"outcome": null, "was": {', "is no episode"),
    ],
)
def test_episodes_that_would_end_differently_now_are_never_mixed_in(tmp_path, capsys, old, new, message):
    assert run(tmp_path / "out") == 0
    path = tmp_path / "out" / "episodes.jsonl"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert run(tmp_path / "out") == 2
    assert message in capsys.readouterr().err


def test_held_out_games_make_no_train_instances_unless_told(capsys, tmp_path):
    output = tmp_path / "more.jsonl"
    assert main(["generate", "guesswhat", "-n", "1", "-o", str(output)]) == 2
    assert "guesswhat is held out from training" in capsys.readouterr().err
    assert not output.exists()
    assert main(["generate", "guesswhat", "-n", "1", "-o", str(output), "--allow-held-out"]) == 0
    assert main(["generate", "guesswhat", "--split", "test", "-n", "1", "-o", str(output)]) == 0
