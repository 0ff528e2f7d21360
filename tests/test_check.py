"""The conformance suite passes on every game, and finds every defect that it is meant to find."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import hypothesis
import pytest

from playpen_eval import Episode, load_game
from playpen_eval.check import CHECKS, Budget, CheckFailedError, run_checks
from playpen_eval.check.content import instances_come_from_the_generator, splits_share_no_content
from playpen_eval.check.purity import observing_changes_nothing
from playpen_eval.cli import main
from playpen_eval.registry import ENV, shipped_games

GAMES = shipped_games()

SOURCE = '''
import datetime, math, random, time
from pathlib import Path
from time import time as clock
from playpen_eval import Abort, Ask, Game, Outcome
from playpen_eval.game import Deferred

class Good(Game):
    """A hinter helps a seeker to a word."""
    name, fails = "good", ""
    roles = ("hinter", "seeker")
    sizes = {"train": 6, "validation": 3, "test": 3}
    visible = {"hinter": ("word", "colours"), "seeker": ()}
    tries = 2
    def play(self, instance):
        hint = yield from self.ask("hinter", self.to_hinter(instance))
        for tried in range(self.tries):
            guess = yield from self.ask("seeker", self.to_seeker(instance, hint))
            if guess == instance["word"]:
                return self.win(tried)
        return self.loss()
    def to_hinter(self, instance): return f"Hint at {instance['word']}, avoid {' and '.join(instance['colours'])}."
    def to_seeker(self, instance, hint): return f"A hint: {hint}. What is it?"
    def ask(self, role, text):
        reply = yield Ask(role, text)
        if not reply.startswith(f"{role}: "):
            raise Abort(role, "it does not say who it is")
        return self.read(reply.removeprefix(f"{role}: "))
    def read(self, reply): return reply
    def win(self, tried): return Outcome.success(1 / (tried + 1))
    def loss(self): return Outcome.lose(reason="out of tries")
    def max_turns(self, instance): return 1 + self.tries
    def generate(self, experiment, rng):
        colours = ["red", "green", "blue", "grey", "pink", "gold", "black", "white"]
        return {"word": f"word{rng.randrange(10**6)}", "colours": rng.sample(colours, 6)}
    def key(self, instance): return instance["word"]
    def scripted(self, role, view, style):
        if style == "breaker":
            return lambda messages: "broken"
        if role == "hinter":
            return lambda messages: f"hinter: {view['word']}"
        return lambda messages: "seeker: " + messages[-1]["content"].removeprefix("A hint: ").split(". ")[0]
    def solution(self, instance, *, last=False):
        wrong = ["seeker: nothing"] * (self.tries - 1 if last else 0)
        return ["hinter: it", *wrong, f"seeker: {instance['word']}"]
    policies = ("mix",)
    def behave(self, policy, instance, rng): return self.solution(instance, last=rng.random() < 0.5)

class GlobalRandom(Good):
    name, fails = "global_random", "touches_nothing_outside"
    def win(self, tried):
        random.random()
        return super().win(tried)
class Clock(Good):
    name, fails = "clock", "touches_nothing_outside"
    def win(self, tried): return Outcome.success(1 / (tried + 1), metrics={"seconds": 0 * time.monotonic()})
class ClockByName(Good):
    name, fails = "clock_by_name", "touches_nothing_outside"
    def win(self, tried): return Outcome.success(1 / (tried + 1), metrics={"seconds": 0 * clock()})
class ClockInMetrics(Good):
    name, fails = "clock_in_metrics", "touches_nothing_outside"
    def win(self, tried):
        return Outcome.success(1 / (tried + 1), metrics=Deferred(lambda: {"seconds": 0 * time.time()}))
class Today(Good):
    name, fails = "today", "touches_nothing_outside"
    def to_seeker(self, instance, hint):
        return super().to_seeker(instance, hint) + (" It is late." if datetime.datetime.now().year > 9000 else "")
class File(Good):
    name, fails = "file", "touches_nothing_outside"
    def to_hinter(self, instance): return super().to_hinter(instance) + Path(__file__).read_text()[:0]
class InstanceGrows(Good):
    name, fails = "instance_grows", "interleaved_episodes_do_not_meet"
    def play(self, instance):
        instance["count"] = instance.get("count", 0) + 1
        return (yield from super().play(instance))
class InstanceMarked(Good):
    name, fails = "instance_marked", "interleaved_episodes_do_not_meet"
    def play(self, instance):
        instance["colours"].sort()
        return (yield from super().play(instance))
class SharedState(Good):
    name, fails = "shared_state", "interleaved_episodes_do_not_meet"
    def play(self, instance):
        self.current = instance["word"]
        return (yield from super().play(instance))
    def win(self, tried): return Outcome.success(1 / (tried + 1), f"{self.current} was found")
class HashOrder(Good):
    name, fails = "hash_order", "other_processes_agree"
    def to_hinter(self, instance): return super().to_hinter({**instance, "colours": set(instance["colours"])})
class Leak(Good):
    name, fails = "leak", "secrets_stay_secret"
    def to_seeker(self, instance, hint):
        return super().to_seeker(instance, hint) + f" Do not say {instance['word'].upper()}!"
class LeakInside(Good):
    name, fails = "leak_inside", "secrets_stay_secret"
    def to_seeker(self, instance, hint):
        return super().to_seeker(instance, hint) + f" It is not {instance['colours'][-1]}."
class EmptyReply(Good):
    name, fails = "empty_reply", "any_reply_ends_or_continues"
    def read(self, reply): return reply.split()[0]
class HalfCharacter(Good):
    name, fails = "half_character", "any_reply_ends_or_continues"
    def read(self, reply): return reply.encode("utf-8").decode("utf-8")
class Endless(Good):
    name, fails = "endless", "any_reply_ends_or_continues"
    def play(self, instance):
        tried, hint = 0, (yield from self.ask("hinter", self.to_hinter(instance)))
        while (yield from self.ask("seeker", self.to_seeker(instance, hint))) != instance["word"]:
            tried = 1
        return self.win(tried)
class NaN(Good):
    name, fails = "nan", "any_reply_ends_or_continues"
    def loss(self): return Outcome.lose(metrics={"speed": math.nan})
class LastWinLost(Good):
    name, fails = "last_win_lost", "solution_wins_first_and_last"
    def win(self, tried): return super().win(tried) if tried + 1 < self.tries else self.loss()
class LateWinIsBetter(Good):
    name, fails = "late_win_is_better", "solution_wins_first_and_last"
    def win(self, tried): return Outcome.success((tried + 1) / self.tries)
class WeakExpert(Good):
    name, fails = "weak_expert", "best_players_finish_every_instance"
    def scripted(self, role, view, style): return super().scripted(role, {**view, "word": "no idea"}, style)
class RudeExpert(Good):
    name, fails = "rude_expert", "best_players_finish_every_instance"
    def scripted(self, role, view, style):
        return super().scripted(role, view, "breaker" if view.get("word", "")[-1:] in tuple("1234") else style)
class TameBreaker(Good):
    name, fails = "tame_breaker", "breaker_aborts_with_its_role"
    def scripted(self, role, view, style): return super().scripted(role, view, "best" if role == "seeker" else style)
class WrongRole(Good):
    name, fails = "wrong_role", "breaker_aborts_with_its_role"
    def ask(self, role, text):
        try:
            return (yield from super().ask(role, text))
        except Abort as abort:
            raise Abort("hinter", abort.reason)
class TalkativePolicy(Good):
    name, fails = "talkative_policy", "policies_play_whole_episodes"
    def behave(self, policy, instance, rng): return [*super().behave(policy, instance, rng), "seeker: again"]
class HastyPolicy(Good):
    name, fails = "hasty_policy", "policies_play_whole_episodes"
    def behave(self, policy, instance, rng): return super().behave(policy, instance, rng)[:-1]
class MoodyPolicy(Good):
    name, fails = "moody_policy", "policies_play_whole_episodes"
    def behave(self, policy, instance, rng):
        self.mood = not getattr(self, "mood", False)
        return self.solution(instance, last=self.mood)
class KeyById(Good):
    name, fails = "key_by_id", "splits_share_no_content"
    def key(self, instance): return instance.get("id", instance["word"])
class IntegerKeys(Good):
    name, fails = "integer_keys", "copies_and_json_continue_alike other_processes_agree"
    def to_seeker(self, instance, hint): return super().to_seeker(instance, hint) + instance["ends"][1]
    def generate(self, experiment, rng): return super().generate(experiment, rng) | {"ends": {1: ""}}
class Undeclared(Good):
    name, fails = "undeclared", "declares_what_the_engine_needs"
    visible = {"hinter": ("word", "colours")}
class StrangeLearner(Good):
    name, fails = "strange_learner", "declares_what_the_engine_needs"
    learner = "nobody"
'''
PLANTED = dict(re.findall(r'name, fails = "(\w+)", "([\w ]*)"', SOURCE))
SMALL = Budget(instances=3)
SLOW = {"other_processes_agree", "any_reply_ends_or_continues"}
"""Checks that are left out for the defects that are no concern of theirs."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    """A folder outside the package, for the check that starts other processes needs to load the games there."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "hints").mkdir()
    source = re.sub(r"(class \w+\(Good\):\n)", r'\1    """A game with a defect."""\n', SOURCE)
    (folder / "hints" / "game.py").write_text(source)
    return folder


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", GAMES)
def test_every_game_keeps_every_promise(name, check):
    # 20,000 replies of every game take minutes: `playpen-eval check GAME --replies 20000` is for who changes a game.
    check(GAMES[name], Budget(replies=20_000, seconds=3))


@pytest.mark.parametrize("name", PLANTED)
def test_each_defect_fails_its_check_alone(name, planted, monkeypatch):
    monkeypatch.setenv(ENV, str(planted))
    if name != "good" and not SLOW & set(PLANTED[name].split()):
        monkeypatch.setattr("playpen_eval.check.CHECKS", [c for c in CHECKS if c.__name__ not in SLOW])
    failures = {result.check: result.failure for result in run_checks(load_game(name), SMALL) if result.failure}
    assert set(failures) == set(PLANTED[name].split()), failures


def test_every_check_has_a_defect_that_it_finds():
    found = {check for fails in PLANTED.values() for check in fails.split()}
    assert found | {"instances_come_from_the_generator", "observing_changes_nothing"} == {c.__name__ for c in CHECKS}


def test_the_time_for_hostile_replies_is_limited(monkeypatch):
    any_reply, seeds = CHECKS[-1], []
    seed = hypothesis.seed
    monkeypatch.setattr("hypothesis.seed", lambda number: seeds.append(number) or seed(number))
    any_reply(GAMES["guesswhat"], Budget(replies=10**9, instances=1, seconds=0))
    assert seeds == [0]


def test_an_engine_that_gives_its_own_lists_away_is_found(monkeypatch):
    kept: dict[tuple[int, int], tuple[Episode, list]] = {}
    observe = Episode.observe

    def careless(episode: Episode):
        seen = observe(episode)
        return seen._replace(messages=kept.setdefault((id(episode), len(episode.turns)), (episode, seen.messages))[1])

    monkeypatch.setattr(Episode, "observe", careless)
    with pytest.raises(CheckFailedError, match="observing changed the episode"):
        observing_changes_nothing(GAMES["taboo"], SMALL)


def _rewrite(path: Path, change) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    change(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def shipped(planted, tmp_path, monkeypatch) -> Path:
    """A game of its own folder with its instances/ files; gives the file of the test split."""
    (tmp_path / "hints" / "instances").mkdir(parents=True)
    source = (planted / "hints" / "game.py").read_text().partition("class GlobalRandom")[0]
    (tmp_path / "hints" / "game.py").write_text(source.replace('"good"', '"shipping"'))
    monkeypatch.setenv(ENV, str(tmp_path))
    assert main(["generate", "shipping", "--ship"]) == 0
    return tmp_path / "hints" / "instances" / "shipping-test.jsonl"


@pytest.mark.parametrize(("change", "message"), [
    (lambda rows: rows[0]["colours"].reverse(), "the shipped test file is not what the generator makes"),
    (lambda rows: rows[1].update({**rows[0], "id": "other"}), "the test split has the same content twice"),
    (lambda rows: rows[1].update(id=rows[0]["id"]), "the test split has an id twice"),
    (lambda rows: rows.pop(), "the test split has 2 instances, not 3"),
])  # fmt: skip
def test_spoilt_files_are_found(change, message, shipped):
    game = load_game("shipping")
    instances_come_from_the_generator(game, SMALL)
    _rewrite(shipped, change)
    with pytest.raises(CheckFailedError, match=message):
        instances_come_from_the_generator(game, SMALL)


def test_a_target_of_another_split_is_found(shipped):
    game = load_game("shipping")
    train = (shipped.parent / "shipping-train.jsonl").read_text()
    splits_share_no_content(game, SMALL)
    _rewrite(shipped, lambda rows: rows[0].update(word=json.loads(train.partition("\n")[0])["word"]))
    with pytest.raises(CheckFailedError, match="belongs to the train split"):
        splits_share_no_content(game, SMALL)


def test_checking_one_game(planted, capsys):
    assert main(["check", "taboo", "--replies", "50"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["taboo", check.__name__] for check in CHECKS]
    assert all(line.endswith("  ok") for line in lines[:-1])
    assert lines[-1] == f"1 games, {len(CHECKS)} checks, 0 failed"


def test_a_failing_check_exits_with_1(planted, monkeypatch, capsys):
    monkeypatch.setenv(ENV, "")
    assert main(["--games-dir", str(planted), "check", "wrong_role", "good", "--replies", "1"]) == 1
    out = capsys.readouterr().out
    failed = [line for line in out.splitlines() if "FAILED: " in line]
    assert len(failed) == 1
    assert re.search(r"wrong_role +breaker_aborts_with_its_role .* put down to hinter", failed[0])
    assert out.endswith(f"2 games, {2 * len(CHECKS)} checks, 1 failed\n")


def test_checking_all_games_as_json(monkeypatch, capsys):
    monkeypatch.setattr("playpen_eval.check.CHECKS", CHECKS[:2])
    assert main(["check", "--all", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert list(results) == list(GAMES)
    assert {row["check"] for rows in results.values() for row in rows} == {check.__name__ for check in CHECKS[:2]}
    assert all(row["failure"] is None and row["seconds"] >= 0 for rows in results.values() for row in rows)


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "name the games to check, or give --all"),
    (["taboo", "--all"], "name the games to check, or give --all"),
    (["tabu"], "unknown game 'tabu'; did you mean 'taboo'"),
    (["taboo", "--replies", "0"], "--replies must be at least 1, not 0"),
])  # fmt: skip
def test_bad_arguments_exit_with_2(arguments, message, capsys):
    assert main(["check", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_without_hypothesis_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    assert main(["check", "taboo"]) == 2
    assert "hypothesis is not installed; run: pip install 'playpen-eval[dev]'" in capsys.readouterr().err
