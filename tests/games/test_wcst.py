"""Wisconsin card sorting: the prompt, the forms of an answer, changing rules, the metrics, the worth of guessing."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from itertools import pairwise, product
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

GAME: Any = load_game("wcst")
cards: Any = importlib.import_module("playpen_eval.games.wcst.cards")
sorting: Any = importlib.import_module("playpen_eval.games.wcst.sorting")
cases = methodcaller("split", "|")

# One red triangle, two green stars, three yellow crosses, four blue circles. The card matches the first reference
# card by number, the second by colour, the third by shape and the fourth by nothing; so the answer names the feature.
REFERENCES = [[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3]]
CARD = [0, 1, 2]
BY = {"n": "1", "c": "2", "s": "3", "x": "4"}


def instance(rules: str, trials: int = 48) -> dict[str, Any]:
    return {"references": REFERENCES, "cards": [CARD] * trials, "rules": ["ncs".index(rule) for rule in rules]}


def ended(case: dict[str, Any], replies: list[str]) -> Outcome:
    outcome = Episode(GAME, case, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def said(reply: str) -> str:
    """Which of the four cards a reply is taken as, by where it is right."""
    outcome = Episode(GAME, instance("n", 2), [reply]).outcome
    if outcome is not None:
        assert (outcome.kind, outcome.faulty_role) == ("aborted", "participant")
        return "aborted"
    right = [rule for rule in "ncs" if ended(instance(rule, 1), [reply]).metrics["accuracy"] == 1]
    return BY[right[0] if right else "x"]


START = """This is a sorting test. There are four reference cards:

1: one red triangle
2: two green stars
3: three yellow crosses
4: four blue circles

In each message you get one more card. Match it with one of the reference cards by replying with the number of that \
reference card. I cannot tell you how to match the cards; after each answer I will only say whether it was right or \
wrong. Try to be right as often as you can.

Reply with one number from 1 to 4 and write nothing else.

Card to match: one green cross"""


def test_what_the_participant_is_told():
    told = [turn.text for turn in Episode(GAME, instance("c"), ["1", "2", "4"]).turns]
    assert told == [START, "Wrong.\nCard to match: one green cross", "Right.\nCard to match: one green cross"]
    assert cards.show([2, 3, 1, 0]) == "three solid blue stars"
    assert cards.show([0, 2, 3, 3]) == "one hollow yellow circle"
    assert len({cards.show(card) for size in (3, 4) for card in product(range(4), repeat=size)}) == 64 + 256
    assert dict(Episode(GAME, instance("c")).observe().view) == {"references": REFERENCES}


def test_the_rule_changes_after_six_right_answers_in_a_row_and_not_before():
    def heard(answers: str) -> str:
        episode = Episode(GAME, instance("ncs"), [BY[answer] for answer in answers] + ["1"])
        return "".join(turn.text[0] for turn in episode.turns[1:])

    assert heard("nnnnnnn") == "RRRRRRW"
    assert heard("nnnnncnnnnnnn") == "RRRRRWRRRRRRW", "an error begins the run anew"
    assert heard("nnnnnnccccccs") == "RRRRRRRRRRRRR"
    assert heard("nnnnnnxscccccc") == "RRRRRRWWRRRRRR"


# Twelve trials: blindly 4 are right, and ideal play is sure of 8 (two errors and six right, two errors and two right).
@pytest.mark.parametrize(
    ("answers", "score", "right", "categories", "perseverative", "lost", "first"),
    [
        ("nnnnnncccccc", 1.0, 12, 2, 0, 0, 6),
        ("csnnnnnnnscc", 1.0, 8, 1, 1, 0, 8),
        ("nnnnnnnnnnnn", 0.5, 6, 1, 6, 0, 6),
        ("nnnnnnxsncnc", 1.0, 8, 1, 2, 0, 6),
        ("nnnnncnnnnnn", 1.0, 11, 1, 0, 1, 12),
        ("nnxnnncnnnnx", 1.0, 9, 0, 0, 2, None),
        ("nnnnnxnnnsnn", 1.0, 10, 0, 0, 2, None),
        ("nnnxnnnnxnxn", 1.0, 9, 0, 0, 2, None),
        ("nnnxxxcxcxnn", 0.25, 5, 0, 0, 1, None),
        ("nncsncsncsxx", 0.0, 4, 0, 0, 0, None),
        ("xxxxxxxxxxxx", 0.0, 0, 0, 0, 0, None),
    ],
)
def test_score_and_metrics(answers, score, right, categories, perseverative, lost, first):
    outcome = ended(instance("ncn", 12), [BY[answer] for answer in answers])
    assert (outcome.kind, outcome.score) == ("success" if score >= 0.75 else "lose", pytest.approx(score))
    assert outcome.metrics == {
        "accuracy": right / 12,
        "categories": categories,
        "perseverative_errors": perseverative,
        "nonperseverative_errors": 12 - right - perseverative,
        "failures_to_maintain_set": lost,
        "trials_to_first_category": first,
    }
    assert outcome.reason == f"{right} of 12 right, {categories} categories"


def test_perseveration_is_by_the_rule_before_the_last_change_alone():
    answers = "nnnnnnccccccncns"
    metrics = ended(instance("ncs", 16), [BY[answer] for answer in answers]).metrics
    assert (metrics["perseverative_errors"], metrics["nonperseverative_errors"]) == (1, 2)


@pytest.mark.parametrize(("features", "blind", "assured", "least"), [(3, 16, 36, 31), (4, 12, 30, 26)])
def test_what_the_score_is_measured_by(features, blind, assured, least):
    assert sorting.assured(48, features) == assured
    assert [sorting.assured(trials, 3) for trials in (1, 2, 3, 8, 10, 11)] == [0, 0, 1, 6, 6, 7]
    for right, kind, score in (
        (blind, "lose", 0),
        (least - 1, "lose", (least - 1 - blind) / (assured - blind)),
        (least, "success", (least - blind) / (assured - blind)),
        (assured, "success", 1),
    ):
        test = sorting.Sorting([0] * 8)
        for trial in range(48):
            test.answer(0 if trial < right else None)
        outcome = test.outcome(features)
        assert (outcome.kind, outcome.score) == (kind, pytest.approx(score))


def test_forms_of_an_answer():
    for reply in cases("2|two|Two.| 2 \n|'2'|**2**|`2`!|card 2|Card 2.|card: 2|the card two|Reference card 2|number 2"):
        assert said(reply) == "2", reply
    tagged = "Answer: 4|answer:4|Answer: the reference card number four.|**Answer:** 4|Answer: **4**|ANSWER:\n\n4|"
    for reply in cases(tagged + '#4|card #4|4.|"card four"|card4'):
        assert said(reply) == "4", reply
    for reply in cases(
        "||0|5|12|22|1 2|1 or 2|2\n3|2, because|-1|1.5|two green stars|２|²|fivе|fourth|card|I say 2|ii"
    ):
        assert said(reply) == "aborted", reply
    for unit in ("2", " ", "\n", "card ", "the ", "answer: ", "*"):
        assert said(unit * 100_000) == "aborted", unit
    assert said(f"{' ' * 100_000}3{'.' * 100_000}") == "3"


LEADS = [["", "Answer: ", "answer:"], ["", "the "], ["", "reference "], ["", "Card ", "card: "], ["", "number ", "#"]]


@given(st.tuples(*map(st.sampled_from, LEADS)), st.sampled_from("1234"), st.text(max_size=5))
def test_a_number_may_follow_its_lead_and_be_followed_by_nothing_but_marks(lead, number, more):
    harmless = not more.strip(" \t\r\n\"'`*.!")
    assert said(f"{''.join(lead)}{number}{more}") == (number if harmless else "aborted")


@pytest.mark.parametrize(("experiment", "features"), [("standard", 3), ("distractor", 4)])
def test_instances(experiment, features):
    rng, firsts = Random(experiment), Counter()
    for _ in range(100):
        drawn = GAME.generate(experiment, rng)
        references, rules = drawn["references"], drawn["rules"]
        assert all(sorted(column) == [0, 1, 2, 3] for column in zip(*references, strict=True))
        assert len(references[0]) == features
        assert sorted(Counter(map(tuple, drawn["cards"])).values()) == [2] * 24
        assert all(card != other for card, other in pairwise(drawn["cards"]))
        for card in drawn["cards"]:
            matched = [cards.match(card, references, feature) for feature in range(features)]
            assert len(set(matched)) == features == len(card)
            found = [cards.matched_by(card, references, choice) for choice in range(4)]
            assert [found[choice] for choice in matched] == list(range(features))
            assert found.count(None) == 4 - features
        assert len(rules) == 8
        assert sorted(rules[:3]) == [0, 1, 2]
        assert all(rule != other for rule, other in pairwise(rules))
        assert set(rules) <= {0, 1, 2}
        firsts[rules[0]] += 1
    assert len(firsts) == 3
    references = [card * 2 for card in ([0, 0], [1, 1], [2, 2], [3, 3])]
    decks = {str(cards.draw_cards([card[:features] for card in references], Random(seed))) for seed in range(20)}
    assert len(decks) == 20, "the order is random"


def test_ideal_play_wins_every_instance_with_one_perseverative_error_a_change_and_never_loses_the_set():
    for split in ("validation", "test"):
        instances = load_instances(GAME, split).instances
        assert len(instances) == 2 * GAME.sizes[split]
        for case in instances:
            episode = Episode(GAME, case)
            while episode.outcome is None:
                episode.act(scripted_reply(episode.observe(), "best"))
            metrics: Any = episode.outcome.metrics
            assert (episode.outcome.kind, episode.outcome.score) == ("success", 1)
            assert 5 <= metrics["categories"] <= 6
            assert metrics["categories"] - 1 <= metrics["perseverative_errors"] <= metrics["categories"]
            assert metrics["failures_to_maintain_set"] == 0
            assert metrics["trials_to_first_category"] <= 6 + len(case["references"][0]) - 1
            size = sum(len(turn.text) + len(turn.reply) for turn in episode.turns)
            assert size < 3000, "a context of 4096 tokens suffices"


def test_ideal_play_is_sure_of_its_share_whatever_the_rules():
    for rules in product(range(3), repeat=8):
        if all(rule != other for rule, other in pairwise(rules)):
            test, possible, right = sorting.Sorting(rules), [0, 1, 2], 0
            for _ in range(48):
                feature = possible[-1]
                if test.answer(feature):
                    possible, right = [feature], right + 1
                else:
                    possible = possible[:-1] or [f for f in range(3) if f != feature]
            assert right >= 36


GUESSES = [(3, (0, 1, 2, None)), (3, (0, 1, 2)), (4, (0, 1, 2, 3))]
"""Features of the cards, and those among which one guesses; None is the card that matches nothing."""


@pytest.mark.parametrize("column", range(3))
def test_what_guessing_is_worth_is_as_the_readme_says(column):
    readme = (Path(cards.__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", readme, re.MULTILINE)
    (features, guesses), rng, drawn = GUESSES[column], Random(f"chance {column}"), []
    experiment = "distractor" if features == 4 else "standard"
    for case in load_instances(GAME, "test", experiment).instances * 800:
        test = sorting.Sorting(case["rules"])
        for guess in rng.choices(guesses, k=48):
            test.answer(guess)
        outcome = test.outcome(features)
        drawn.append({"score": outcome.score, **outcome.metrics})
    assert [name for name, *_ in rows] == [name for name in drawn[0] if name != "trials_to_first_category"]
    for name, *figures in rows:
        values = [numbers[name] for numbers in drawn]
        rounding = 0.5 / 10 ** len(figures[column].partition(".")[2])
        assert abs(mean(values) - float(figures[column])) < 4 * stdev(values) / len(values) ** 0.5 + rounding, name
    assert round(mean(numbers["categories"] > 0 for numbers in drawn), 2) <= 0.04


def test_who_never_gives_up_a_feature_scores_nothing():
    for case in load_instances(GAME, "test").instances:
        for feature in range(len(case["references"][0])):
            outcome = ended(case, [str(cards.match(card, case["references"], feature) + 1) for card in case["cards"]])
            assert outcome.score == 0
            assert outcome.metrics["accuracy"] == (6 / 48 if case["rules"][0] == feature else 0)
