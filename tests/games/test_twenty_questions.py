"""LMRL-Gym's twenty questions: the table of objects, how questions are read and paid."""
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playpen_eval.train.rewards import turn_credit

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.instances import SPLITS, load_instances
from playpen_eval.players import scripted
from playpen_eval.registry import load_game

objects, reading, rules = (
    importlib.import_module(f"playpen_eval.games.twenty_questions.{name}") for name in ("objects", "reading", "game")
)
GAME: Any = load_game("twenty_questions")
IDLE = ["Is it made of cheese?", "No."]
REPLIES = st.one_of(st.text(max_size=60), st.sampled_from(("Yes.", "No.", "Is it alive?", "Is it a cat?", "?")))


def played(replies: list[str], hidden: str = "cat") -> Outcome:
    episode = Episode(GAME, {"object": hidden}, replies)
    assert episode.outcome is not None, "the episode still runs"
    if episode.outcome.faulty_role != "oracle":
        assert episode.outcome.metrics["return"] == sum(turn_credit(episode, "guesser"))
    return episode.outcome


def told(replies: list[str], role: str, hidden: str = "cat") -> list[str]:
    """What a role is told after some replies, the replies included."""
    episode = Episode(GAME, {"object": hidden}, replies)
    assert episode.role == role
    return [message["content"] for message in episode.observe().messages]


def test_the_list_has_the_papers_shape():
    assert len(objects.NAMES) == 158
    assert len({item.category for item in objects.OBJECTS.values()}) == 17
    assert min(Counter(item.category for item in objects.OBJECTS.values()).values()) >= 6


def test_every_two_objects_differ():
    assert len({(item.attributes, item.size) for item in objects.OBJECTS.values()}) == len(objects.NAMES)
    told = {tuple(objects.answer(name, question) for question in objects.QUESTIONS) for name in objects.NAMES}
    assert len(told) == len(objects.NAMES)


def test_the_table_is_spelled_well_and_no_attribute_is_idle():
    used = Counter(attribute for item in objects.OBJECTS.values() for attribute in item.attributes)
    assert used.keys() == objects.ATTRIBUTES.keys()
    assert min(used.values()) >= 2


def test_no_name_means_two_objects():
    forms = {}
    for item in objects.OBJECTS.values():
        for name in (item.name, *item.variants):
            for form in (name, reading.plural(name)):
                assert forms.setdefault(reading.key(form), item.name) == item.name, form


@pytest.mark.parametrize("attribute", objects.ATTRIBUTES.values(), ids=lambda attribute: attribute.name)
def test_both_ways_to_ask_for_an_attribute_are_understood(attribute):
    true = {item.name for item in objects.OBJECTS.values() if attribute.name in item.attributes}
    assert len(attribute.questions) == 2
    for question in attribute.questions:
        assert reading.read_question(question, open_ended=False) == question
        assert {name for name in objects.NAMES if objects.answer(name, question) == "Yes."} == true


@pytest.mark.parametrize(
    ("question", "yes", "no"),
    [
        ("Is it a red fruit?", "cherry", "banana"),
        ("Is it a fruit or a vegetable?", "carrot", "cat"),
        ("Is it not alive?", "hammer", "cat"),
        ("Does it work without electricity?", "hammer", "toaster"),
        ("Is it bigger than a car?", "bus", "car"),
        ("Is it smaller than a shoebox?", "ring", "bus"),
        ("Is it bigger than a cat?", "horse", "dog"),
        ("Is it bigger than most tools?", "hammer", "cat"),
        ("Can you hold it in your hand?", "apple", "sofa"),
        ("Could it be a kind of furniture?", "chair", "lion"),
        ("Is it a dog?", "dog", "cat"),
        ("Is it orange?", "carrot", "lemon"),
        ("Is it a mammal?", "whale", "penguin"),
        ("Is it a percussion instrument?", "drum", "guitar"),
        ("Is it a citrus fruit?", "lemon", "apple"),
        ("Does it grow on a vine?", "grape", "rock"),
        ("Does it have two wheels?", "bicycle", "car"),
        ("Is it a kitchen appliance?", "oven", "knife"),
        ("Is it in the living room?", "sofa", "cat"),
        ("Is it a ball?", "basketball", "apple"),
        ("Is it a body of water?", "river", "whale"),
        ("Is it an inanimate object?", "hammer", "cat"),
        ("Can you hold it in one hand?", "pen", "piano"),
        ("Is it made of something other than metal?", "shirt", "nail"),
    ],
)
def test_the_oracle_knows(question, yes, no):
    assert (objects.answer(yes, question), objects.answer(no, question)) == ("Yes.", "No.")


@pytest.mark.parametrize("question", ["Is it nice?", "Does it rhyme with mat?", "Is it bigger than a dream?"])
def test_the_oracle_says_no_to_what_it_does_not_understand(question):
    assert {objects.answer(name, question) for name in objects.NAMES} == {"No."}


@pytest.mark.parametrize(
    "question",
    [
        "Is it a cat?",
        "is it a CAT",
        "Is it the cat?",
        "Could it be a kitten?",
        "Is it cats?",
        "Is it a type of cat?",
        "Is the object a cat?",
        "Is your object possibly a cat?",
        "Is the thing you are thinking of a house cat?",
        "Are you thinking of a cat?",
        "  *Is it a cat?*\n",
        "“Is it a cat?”",
        'Is it a "cat"?',
        "Is it a cat, by any chance?",
    ],
)
def test_naming_the_object_wins(question):
    assert played([question]).kind == "success"


@pytest.mark.parametrize(
    "question",
    [
        "Is it a cat, dog or horse?",
        "Is it a cat or a dog?",
        "Is it a cat and a dog?",
        "Is it bigger than a cat?",
        "Does it chase a cat?",
        "Is it used with a cat?",
        "Does it look like a cat?",
        "Is it a cat toy?",
        "Is it something for a cat?",
        "Is it a black dog or cat?",
    ],
)
def test_other_questions_with_the_name_do_not(question):
    assert Episode(GAME, {"object": "cat"}, [question]).role == "oracle"


def test_every_name_and_variant_wins():
    for item in objects.OBJECTS.values():
        assert played([objects.ask_for(item.name)], item.name).kind == "success"
        for variant in item.variants:
            assert played([f"Is it a {variant}?"], item.name).kind == "success"


@pytest.mark.parametrize(
    "reply",
    [
        "",
        " \n ",
        "?",
        "cat",
        "I think it is a cat.",
        "What is it?",
        "Tell me, is it a cat?",
        "Is it a cat? Is it a dog?",
        "Is",
        "Isabel is a cat?",
        "Is it " + "very " * 40 + "big?",
        "Is it " + "x" * 2000,
    ],
)
def test_what_is_no_question_is_answered_with_no_by_the_referee(reply):
    assert told([reply], "guesser")[-1] == "No."
    outcome = played([reply, "Is it a cat?"])
    assert (outcome.metrics["return"], outcome.metrics["malformed"]) == (-1, 1)


@pytest.mark.parametrize(
    ("replies", "kind", "total"),
    [
        (["Is it a cat?"], "success", 0),
        ([*IDLE * 19, "Is it a cat?"], "success", -19),
        ([*IDLE * 19, "Is it a dog?"], "lose", -20),
        (["?", "?", *IDLE, "?", "?", "Is it a cat?"], "success", -5),
        ([*IDLE, "?", "?", "?"], "aborted", -20),
    ],
)
def test_every_question_but_the_right_one_costs_a_point(replies, kind, total):
    outcome = played(replies)
    assert (outcome.kind, outcome.metrics["return"]) == (kind, total)


@pytest.mark.parametrize(
    ("reply", "heard"),
    [
        ("Yes", "Yes."),
        ("yes, it is, no doubt", "Yes."),
        ("NO!", "No."),
        ("Well... no.", "No."),
        ("**Yes.**", "Yes."),
        ("Not at all", None),
        ("Yesterday", None),
        ("It is a cat", None),
        ("", None),
        (" " * 5000 + "yes", None),
    ],
)
def test_the_first_yes_or_no_of_the_oracle_counts(reply, heard):
    if heard:
        assert told(["Is it big?", reply], "guesser")[-1] == heard
    else:
        outcome = played(["Is it big?", reply])
        assert (outcome.kind, outcome.faulty_role, outcome.metrics["return"]) == ("aborted", "oracle", -1)


def test_a_question_is_passed_on_in_one_form():
    for reply in ("is it a 'wild' thing", "Is it a ‘wild’ thing?", "**Is it a 'wild' thing?**"):
        assert reading.read_question(reply, open_ended=False) == "Is it a 'wild' thing?"


def test_the_oracle_knows_object_and_question_and_no_more():
    replies = ["Is it alive?", "Yes.", "Is it {big}?"]
    [prompt] = told(replies, "oracle")
    assert "cat" in prompt
    assert prompt.endswith("\nIs it {big}?")
    assert "alive" not in prompt
    assert told(["Is it {big}?"], "oracle") == [prompt]


def test_prompts_name_no_object():
    said = reading.plain_words(rules.PROMPTS["twenty_questions_guesser"])
    assert not [name for name in objects.NAMES if f" {name} " in said]


def test_scores_follow_the_scale():
    scores = [played([*IDLE * wrong, "Is it a cat?"]).score or 0.0 for wrong in range(20)]
    assert scores == sorted(scores, reverse=True)
    assert scores[7] == 1
    assert scores[17] == pytest.approx(0.5, abs=0.1)
    assert played([*IDLE * 19, "Is it a dog?"]).score == 0


@given(st.lists(REPLIES, max_size=40))
@settings(deadline=None)
def test_the_best_guesser_plays_on_whatever_the_oracle_says(replies):
    episode, said = Episode(GAME, {"object": "cat"}), iter(replies)
    while episode.outcome is None:
        if episode.role == "guesser":
            [question] = scripted()([episode.observe()])
            assert reading.read_question(question, open_ended=False) == question
            episode.act(question)
        else:
            episode.act(next(said, "No."))
    assert episode.outcome.faulty_role != "guesser"


@given(st.text(max_size=80) | st.from_regex(r"(is|does|can) it [a-z ,?']{0,60}", fullmatch=True))
def test_what_is_read_is_one_line_and_reads_the_same_again(reply):
    for open_ended in (False, True):
        question = reading.read_question(reply, open_ended=open_ended)
        if question is not None:
            assert question == " ".join(question.split())
            assert question.count("?") == 1
            assert len(question.split()) <= reading.WORDS
            assert reading.read_question(question, open_ended=open_ended) == question


@given(st.text(max_size=60))
def test_an_answer_is_read_as_yes_or_no_or_not_at_all(reply):
    assert reading.read_yes_no(reply) in ("Yes.", "No.", None)
    assert reading.read_yes_no(f"Yes, {reply}") == "Yes."


def test_splits_share_no_object():
    hidden = [{row["object"] for row in load_instances(GAME, split).instances} for split in SPLITS]
    assert set().union(*hidden) == set(objects.NAMES)
    assert sum(map(len, hidden)) == len(objects.NAMES)
