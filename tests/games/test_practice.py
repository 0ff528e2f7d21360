"""The practice games: what players are told, how replies are read, scores, and what no two splits share."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable
from operator import methodcaller
from random import Random
from typing import Any

import pytest

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.instances import SPLITS, load_instances
from playpen_eval.registry import AXES, axis_games, load_game

SLOTS, NEWS, CLUES, DRILLS = (load_game(f"practice_{name}") for name in ("slots", "news", "clues", "drills"))
words: Any = importlib.import_module("playpen_eval.games.practice.words")
cases = methodcaller("split", "|")

ITEMS = [["animal", "cat"], ["place", "lake"], ["colour", "red"], ["food", "rice"]]
TALK = {"items": ITEMS, "ask": ["place", "animal", "food"], "checks": ["place", "colour", "animal"]}
RIGHT = ["QUESTION: place", "ANSWER: lake", "ANSWER: yes", "QUESTION: animal", "ANSWER: cat", "ANSWER: no"]
RIGHT += ["QUESTION: food", "ANSWER: rice", "ANSWER: yes"]
LOOK = {
    "items": [[colour, thing] for thing in ("hat", "cup", "key") for colour in ("red", "blue", "pink")],
    "target": 0,
}


def ended(game: Any, instance: dict[str, Any], replies: list[str]) -> Outcome:
    outcome = Episode(game, instance, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def test_what_the_players_of_slots_are_told():
    episode = Episode(SLOTS, TALK, RIGHT[:4])
    told = {role: [turn.text for turn in episode.turns if turn.role == role] for role in SLOTS.roles}
    assert "place, animal, food" in told["asker"][0]
    assert told["asker"][1] == "ANSWER: lake"
    assert told["answerer"][0].startswith("You have: animal cat, place lake, colour red, food rice.")
    assert told["answerer"][0].endswith("\n\nQUESTION: place")
    assert told["answerer"][1] == "ASKED: place"
    assert episode.observe().messages[-1]["content"] == "QUESTION: animal"


@pytest.mark.parametrize(
    ("place", "reply", "kind"),
    [
        (1, "ANSWER: cat", "lose"),
        (2, "answer: No.", "lose"),
        (1, "answer:  LAKE!", "success"),
        (5, "ANSWER: yes", "lose"),
    ],
)
def test_every_answer_counts(place, reply, kind):
    outcome = ended(SLOTS, TALK, [*RIGHT[:place], reply, *RIGHT[place + 1 :]])
    assert (outcome.kind, outcome.score) == (kind, 1 if kind == "success" else 5 / 6)


@pytest.mark.parametrize(
    ("place", "reply", "role"),
    [
        (0, "QUESTION: colour", "asker"),
        (3, "QUESTION: place", "asker"),
        (0, "place", "asker"),
        (1, "ANSWER: a lake", "answerer"),
        (1, "ANSWER:", "answerer"),
        (2, "ANSWER: yes it was", "answerer"),
        (2, "yes", "answerer"),
    ],
)
def test_another_form_aborts(place, reply, role):
    outcome = ended(SLOTS, TALK, [*RIGHT[:place], reply])
    assert (outcome.kind, outcome.faulty_role) == ("aborted", role)


def test_news_asks_only_for_what_was_told():
    items = [*ITEMS, ["time", "noon"]]
    instance = {"items": items, "questions": ["animal", "colour", "place", "time"]}
    replies = ["ANSWER: cat", "ANSWER: red", "ANSWER: lake", "ANSWER: noon"]
    texts = [turn.text for turn in Episode(NEWS, instance, replies).turns]
    assert texts[0].startswith("You have: animal cat, place lake.")
    assert texts[1:3] == [
        "You have also: colour red.\n\nQUESTION: colour",
        "You have also: food rice.\n\nQUESTION: place",
    ]
    assert ended(NEWS, instance, replies).kind == "success"
    assert ended(NEWS, instance, [*replies[:3], "ANSWER: rice"]).score == 0.75
    for index in range(200):
        drawn = NEWS.generate("default", Random(index))
        for told, question in enumerate(drawn["questions"], 2):
            assert question in dict(drawn["items"][:told])


@pytest.mark.parametrize(
    ("replies", "kind", "score"),
    [
        ("CLUE: hat|GUESS: red hat", "success", 1),
        ("CLUE: hat|guess: Red  HAT.", "success", 1),
        ("CLUE: hat|GUESS: blue hat|CLUE: red|GUESS: red hat", "success", 0.5),
        ("CLUE: hat|GUESS: blue hat|CLUE: red|GUESS: blue hat", "lose", 0),
        ("CLUE: hat|GUESS: green hat", "lose", 0),
        ("CLUE: hat|GUESS: hat", "aborted", None),
        ("CLUE: red hat", "aborted", None),
        ("CLUE: warm", "aborted", None),
    ],
)
def test_clues(replies, kind, score):
    outcome = ended(CLUES, LOOK, cases(replies))
    assert (outcome.kind, outcome.score) == (kind, score)


def test_clues_are_ambiguous_one_by_one_and_clear_together():
    for index in range(200):
        items = CLUES.generate("default", Random(index))["items"]
        assert len(items) == 9
        for colour, thing in items:
            assert [sum(word in item for item in items) for word in (colour, thing)] == [3, 3]
            assert items.count([colour, thing]) == 1


def likes(items: list[list[str]], place: int, word: int) -> list[int]:
    """The places of the items that share the colour (word 0) or the name (1) of the one at a place."""
    return [other for other, item in enumerate(items) if item[word] == items[place][word]]


def blind_hits(instances: list[dict[str, Any]], look: Callable[[list[list[str]], int], object]) -> float:
    """Share of the second half that is guessed by what was right most often in the first half.

    Args:
        instances: Things and the right one.
        look: What the guesser sees of a thing in its list.
    """
    half = len(instances) // 2
    seen = {True: Counter[str](), False: Counter[str]()}
    for instance in instances[:half]:
        for place in range(len(instance["items"])):
            seen[place == instance["target"]][str(look(instance["items"], place))] += 1

    def odds(items: list[list[str]], place: int) -> float:
        right, wrong = (seen[kind][str(look(items, place))] for kind in (True, False))
        return right / (right + wrong) if right + wrong else 0.0

    hits = 0
    for instance in instances[half:]:
        places = range(len(instance["items"]))
        hits += max(places, key=lambda place: odds(instance["items"], place)) == instance["target"]
    return hits / half


LOOKS = {
    "its place": lambda items, place: place,
    "its words": lambda items, place: items[place],
    "how many are like it": lambda items, place: [len(likes(items, place, word)) for word in (0, 1)],
    "where those of its colour stand": lambda items, place: (place, likes(items, place, 0)),
    "where those of its name stand": lambda items, place: (place, likes(items, place, 1)),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_nobody_finds_the_thing_without_clues(look):
    instances = [CLUES.generate("default", Random(index)) for index in range(20_000)]
    assert blind_hits(instances, look) < 1 / 9 + 4 * (1 / 9 * 8 / 9 / 10_000) ** 0.5


def test_a_blind_guesser_finds_a_thing_that_is_alike_in_a_way_of_its_own():
    instances = []
    for index in range(200):
        rng = Random(index)
        colours, things = rng.sample(words.COLOURS, 3), rng.sample(words.THINGS, 3)
        right = [colours[0], things[0]]
        items = [right, [colours[0], things[1]], [colours[1], things[0]], [colours[2], things[2]]]
        rng.shuffle(items)
        instances.append({"items": items, "target": items.index(right)})
    assert blind_hits(instances, LOOKS["how many are like it"]) == 1
    assert blind_hits(instances, LOOKS["its place"]) < 0.5


@pytest.mark.parametrize(
    ("task", "listed", "answer"),
    [
        ("copy", "red hat cat noon", "red hat cat noon"),
        ("first", "red hat cat noon", "red"),
        ("last", "red hat cat noon", "noon"),
        ("animal", "red hat cat noon", "cat"),
    ],
)
def test_drills(task, listed, answer):
    instance = {"task": task, "words": listed.split()}
    assert ended(DRILLS, instance, [f"ANSWER: {answer}"]).score == 1
    assert ended(DRILLS, instance, [f"ANSWER: {' '.join(['lamp'] * len(answer.split()))}"]).score == 0
    assert ended(DRILLS, instance, [answer]).kind == "aborted"
    assert ended(DRILLS, instance, [f"ANSWER: {answer} boat"]).kind == "aborted"


def test_checks_are_of_both_kinds_equally_often():
    rows = [SLOTS.generate("default", Random(index)) for index in range(2000)]
    for place in range(3):
        share = sum(row["checks"][place] in row["ask"][: place + 1] for row in rows) / len(rows)
        assert 0.45 < share < 0.55


def test_no_word_is_of_two_kinds():
    every = [word for kind in words.KINDS.values() for word in kind]
    assert len(set(every)) == len(every) == 60
    assert not set(every) & set(words.KINDS)


def test_no_two_splits_share_what_is_looked_up():
    for game in (SLOTS, NEWS, CLUES):
        seen: dict[str, str] = {}
        for split in SPLITS:
            for instance in load_instances(game, split).instances if game.sizes.get(split) else ():
                assert seen.setdefault(str(sorted(instance["items"])), split) == split


def test_the_games_have_axes_of_their_own():
    axes = {name: axis for axis in AXES for name in axis_games(axis) if name.startswith("practice_")}
    assert axes == {
        "practice_slots": "practice_instances",
        "practice_clues": "practice_instances",
        "practice_news": "practice_games",
        "practice_drills": "practice_skills",
    }
    assert [game.held_out for game in (SLOTS, CLUES, DRILLS, NEWS)] == [False, False, False, True]
