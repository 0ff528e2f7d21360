"""Letter-number task switching: the prompts, the forms of an answer, the metrics, the items, the worth of guessing."""

from __future__ import annotations

import importlib
import re
from itertools import pairwise
from operator import methodcaller
from pathlib import Path
from random import Random
from statistics import mean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game

GAME: Any = load_game("lnt")
items: Any = importlib.import_module("playpen_eval.games.lnt.items")
cases = methodcaller("split", "|")
WORDS = ["vowel", "consonant", "even", "odd"]
SEQUENCE = {"cued": False, "tasks": "LLNNLLNN", "items": ["a4", "g3", "e8", "k5", "m2", "i7", "r9", "u6"]}
CUED = SEQUENCE | {"cued": True}
RIGHT = ["vowel", "consonant", "even", "odd", "consonant", "vowel", "odd", "even"]


def ended(instance: dict[str, Any], replies: list[str]) -> Outcome:
    outcome = Episode(GAME, instance, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def said(reply: str) -> str:
    """Which word a reply is taken as, by which item it is right for."""
    for item, task, word in (("a3", "L", "vowel"), ("g3", "L", "consonant"), ("a4", "N", "even"), ("a3", "N", "odd")):
        outcome = ended({"cued": True, "tasks": task, "items": [item]}, [reply])
        if outcome.kind == "aborted":
            assert outcome.faulty_role == "participant"
            return "aborted"
        if outcome.score == 1:
            return word
    raise AssertionError(f"{reply!r} is right for nothing")


TASKS = """You will see 8 items, one in each message. An item is a letter and a digit, such as o1. There are two tasks:

- letter: say whether the letter is a vowel or a consonant, and ignore the digit.
- number: say whether the digit is even or odd, and ignore the letter.

"""
END = """Reply with one word, vowel, consonant, even or odd, and write nothing else. You will not be told whether your \
answers are right.

"""
SWITCHING = """The messages do not name the task. It changes after every second item: first two items letter, then two \
items number, then two items letter again, and so on to the end. """


def test_what_the_participant_is_told():
    told = [turn.text for turn in Episode(GAME, CUED, RIGHT).turns]
    assert told[0] == f"{TASKS}Each message names the task for its item. {END}Task: letter\nItem: a4"
    assert told[1:3] == ["Task: letter\nItem: g3", "Task: number\nItem: e8"]
    told = [turn.text for turn in Episode(GAME, SEQUENCE, RIGHT).turns]
    assert told == [f"{TASKS}{SWITCHING}{END}Item: a4", *(f"Item: {item}" for item in SEQUENCE["items"][1:])]
    other = Episode(GAME, SEQUENCE | {"tasks": "NNLLNNLL"}).observe()
    assert "first two items number, then two items letter, then two items number again" in other.messages[0]["content"]
    assert other.view == {"cued": False}


@pytest.mark.parametrize("instance", [CUED, SEQUENCE], ids=["cued", "sequence"])
# The items at 2, 4 and 6 (counted from 0) are switches, those at 1, 3, 5 and 7 repetitions.
@pytest.mark.parametrize(
    ("changes", "kind", "score", "right", "switch", "repeat", "wrong_task"),
    [
        ({}, "success", 1.0, 8, 1.0, 1.0, 0),
        ({0: "consonant"}, "success", 0.75, 7, 1.0, 1.0, 0),
        ({2: "odd"}, "success", 0.75, 7, 2 / 3, 1.0, 0),
        ({2: "vowel", 3: "consonant"}, "lose", 0.5, 6, 2 / 3, 3 / 4, 2),
        ({1: "odd", 3: "even", 5: "consonant", 7: "odd"}, "lose", 0.0, 4, 1.0, 0.0, 1),
        ({0: "consonant", 1: "vowel", 4: "vowel"}, "lose", 0.25, 5, 2 / 3, 3 / 4, 0),
    ],
)
def test_score_and_metrics(instance, changes, kind, score, right, switch, repeat, wrong_task):
    outcome = ended(instance, [changes.get(place, word) for place, word in enumerate(RIGHT)])
    assert (outcome.kind, outcome.score) == (kind, pytest.approx(score))
    assert outcome.metrics == {
        "accuracy": right / 8,
        "balanced_accuracy": pytest.approx((score + 1) / 2),
        "switch_accuracy": pytest.approx(switch),
        "repeat_accuracy": repeat,
        "switch_cost": pytest.approx(repeat - switch),
        "wrong_task": wrong_task,
    }
    assert outcome.reason == f"{right} of 8 answers are right"


def test_balanced_accuracy_weighs_the_four_words_alike():
    instance = {"cued": True, "tasks": "LLLN", "items": ["a4", "e3", "g8", "k5"]}
    outcome = ended(instance, ["vowel", "consonant", "consonant", "odd"])
    assert outcome.metrics["accuracy"] == 3 / 4
    assert outcome.score == pytest.approx(2 * (1 / 2 + 1 + 1) / 3 - 1), "no item is even"


def test_who_does_not_look_or_does_not_switch_scores_nothing():
    for instance in load_instances(GAME, "test").instances[:8]:
        solution, tasks = GAME.solution(instance), instance["tasks"]
        for word in WORDS:
            assert ended(instance, [word] * 33).score == 0
        assert ended(instance, ["vowel" if task == "L" else "odd" for task in tasks]).score == 0
        for stuck in "LN":
            replies = [items.right_answer(stuck, item) for item in instance["items"]]
            outcome = ended(instance, replies)
            assert outcome.score == 0
            assert outcome.metrics["wrong_task"] == 33 - tasks.count(stuck)
            assert outcome.metrics["accuracy"] == sum(a == b for a, b in zip(replies, solution, strict=True)) / 33


def test_switch_figures_are_none_where_there_is_no_such_item():
    metrics = ended({"cued": True, "tasks": "LL", "items": ["a4", "g3"]}, RIGHT[:2]).metrics
    assert (metrics["switch_accuracy"], metrics["repeat_accuracy"], metrics["switch_cost"]) == (None, 1, None)


def test_forms_of_an_answer():
    for word in WORDS:
        article = "an" if word in ("even", "odd") else "a"
        tagged = "|answer: {0}|Answer:{0}|Answer: {2} {0}.|**Answer:** {0}|Answer: **{1}**|ANSWER:\n\n{0}"
        for reply in cases("{0}|{1}| {0}.\n|'{0}'|**{1}**|`{0}`!" + tagged):
            assert said(reply.format(word, word.upper(), article)) == word, reply
    assert [said(reply) for reply in cases("even number|An odd number.")] == ["even", "odd"]
    wrong = "||v|vowels|a|an|an vowel|a even|vowel number|number|vowel even|vowel, even|even or odd|odd\neven"
    for reply in cases(wrong + "|uneven|the letter is a vowel|ｏdd|oddſ|answer:|letter|a4|not even"):
        assert said(reply) == "aborted", reply
    for unit in ("vowel", " ", "\n", "answer: ", "a ", "even number", "*"):
        assert said(unit * 100_000) == "aborted", unit
    assert said(f"{' ' * 100_000}odd{'.' * 100_000}") == "odd"


@given(st.sampled_from(["", "answer:", "Answer: "]), st.sampled_from(["", "a ", "an ", "the "]), st.text(max_size=6))
def test_text_after_a_word_is_no_answer_unless_it_is_harmless(tag, article, more):
    for word in ("vowel", "odd"):
        harmless = not more.strip(" \t\r\n\"'`*.!") and article in ("", {"vowel": "a ", "odd": "an "}[word])
        assert said(f"{tag}{article}{word}{more}") == (word if harmless else "aborted")


@pytest.mark.parametrize("experiment", GAME.experiments)
def test_instances(experiment):
    rng, firsts = Random(experiment), set()
    for _ in range(150):
        instance = GAME.generate(experiment, rng)
        tasks, drawn = instance["tasks"], instance["items"]
        assert (instance["cued"], len(tasks), len(drawn)) == (experiment == "cued", 33, 33)
        assert sum(a != b for a, b in pairwise(tasks)) == 16
        assert experiment == "cued" or tasks in (("LLNN" * 9)[:33], ("NNLL" * 9)[:33])
        assert all(item[0] in "aeiugkmr" and item[1] in "23456789" and len(item) == 2 for item in drawn)
        assert all(a[0] != b[0] and a[1] != b[1] for a, b in pairwise(drawn))
        for task in "LN":
            under = [item for item, other in zip(drawn, tasks, strict=True) if other == task]
            for place, kind in ((0, "aeiu"), (1, "2468")):
                count = sum(item[place] in kind for item in under)
                assert abs(2 * count - len(under)) <= 1
        firsts.add(tasks[0])
    assert firsts == {"L", "N"}


def test_best_player_wins_every_instance():
    for split in ("validation", "test"):
        instances = load_instances(GAME, split).instances
        assert len(instances) == 2 * GAME.sizes[split]
        for instance in instances:
            episode = Episode(GAME, instance)
            while episode.outcome is None:
                episode.act(scripted_reply(episode.observe(), "best"))
            assert (episode.outcome.kind, episode.outcome.score) == ("success", 1)


@pytest.mark.parametrize("experiment", GAME.experiments)
@pytest.mark.parametrize("column", [0, 1], ids=["random", "right task"])
def test_what_guessing_is_worth_is_as_the_readme_says(experiment, column):
    readme = (Path(items.__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \|$", readme, re.MULTILINE)
    stated = {name: float(figures[column]) for name, *figures in rows}
    rng, drawn = Random(f"chance {experiment}"), []
    for instance in load_instances(GAME, "test", experiment).instances * 20:
        replies = [rng.choice(items.ANSWERS[task] if column else WORDS) for task in instance["tasks"]]
        outcome = ended(instance, replies)
        assert outcome.kind == "lose"
        drawn.append({"score": outcome.score, **outcome.metrics})
    assert stated.keys() == drawn[0].keys()
    for name, figure in stated.items():
        values = [numbers[name] for numbers in drawn]
        assert abs(mean(values) - figure) < 4 * stdev(values) / len(values) ** 0.5 + 0.0005, name
