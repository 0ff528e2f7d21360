"""Guess what: our own rules, clembench's rules to the letter, the forbidden questions, the words, the scripted pair."""

from __future__ import annotations

import importlib
import re
import time
from collections import Counter
from operator import methodcaller
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome, words_in
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game

GAME = load_game("guesswhat")
content: Any = importlib.import_module("playpen_eval.games.guesswhat.content")
questions: Any = importlib.import_module("playpen_eval.games.guesswhat.questions")
cases = methodcaller("split", "|")

WORDS = ["cow", "violin", "apple", "chair", "iron", "tulip", "doctor", "boat"]
OWN = {"target": "iron", "candidates": WORDS, "turns": 8}
PATTERNS = {
    "letter_based": r"(does the word begin with|is the (first|second) letter [a-z])",
    "direct_guess": "^is the word\\s*(['\"])[^'\"]+?\u0001\\s*\\?",
    "length_question": r"does the word have (more|less) \d+ letters",
    "syllable_question": r"does the word have (one|two) syllables",
    "pos_question": r"^is the word (a|an)\s+(noun|verb)\s*\?",
}


def clembench(version: str = "2.0", target: str = "Iron", **changes: Any) -> dict[str, Any]:
    experiment: dict[str, Any] = {"name": "Level_1", "max_turns": 8}
    experiment |= {f"{tag}_tag": f"{tag.upper()}:" for tag in ("question", "answer", "guess")}
    experiment["answer_variations"] = [f"ANSWER: {answer}" for answer in cases("yes|no|Yes.|Yes|No.|No")]
    experiment |= {f"{name}_pattern": pattern for name, pattern in PATTERNS.items()}
    experiment["guesser_initial_prompt"] = "Ask $N$ times.\n$LIST$"
    experiment["answerer_initial_prompt"] = "It is $TARGET WORD$, yes, $TARGET WORD$."
    data = {"game_id": 0, "target_word": target, "candidate_list": [word.capitalize() for word in WORDS]}
    return GAME.from_clembench(experiment | changes, data, version) | {"rules": f"clembench-{version}"}


CLEMBENCH = clembench()
BOTH = pytest.mark.parametrize("instance", [OWN, CLEMBENCH, clembench("3.0")], ids=["own", "clembench", "newer"])
TURN = ["QUESTION: Is it big?", "ANSWER: no"]


def ended(instance: dict[str, Any], *replies: str) -> Outcome:
    outcome = Episode(GAME, instance, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def verdict(instance: dict[str, Any], *replies: str) -> str:
    """What a reply after good ones leads to: goes on, success, lose, or whose violation of which kind it is."""
    outcome = Episode(GAME, instance, replies).outcome
    if outcome is None or outcome.kind != "aborted":
        return outcome.kind if outcome else "goes on"
    (kind,) = [name for name, value in outcome.metrics.items() if name.startswith("invalid_") and value]
    assert kind.split("_")[2] == outcome.faulty_role
    return kind.removeprefix("invalid_").removesuffix("_response")


def expect(kind: str, instance: dict[str, Any], form: str, texts: str) -> None:
    """Every text, put into the form, leads to this as the guesser's reply, or the answerer's if it is an answer."""
    before = [TURN[0]] if kind == "format_answerer" or "ANSWER" in form else []
    for text in cases(texts):
        assert verdict(instance, *before, form.replace("{}", text)) == kind, text


@pytest.mark.parametrize(
    ("instance", "scores"),
    [(OWN, [100, 100, 100, 100, 80, 60, 40, 20]), (CLEMBENCH, [100] * 5 + [200 / 3, 100 / 3, 0])],
    ids=["own", "clembench"],
)
def test_score_of_a_success_by_turn(instance, scores):
    for turns, score in enumerate(scores, 1):
        outcome = ended(instance, *TURN * (turns - 1), "GUESS: iron")
        assert outcome.kind == "success"
        assert outcome.score is not None
        assert (100 * outcome.score, outcome.metrics["speed"]) == pytest.approx((score, score))


@BOTH
def test_numbers_of_a_success_a_loss_and_an_abort(instance):
    fine = {"request_count": 1, "violated_request_count": 0, "parsed_request_count": 1, "accuracy": 0}
    bad = {"request_count": 1, "violated_request_count": 1, "parsed_request_count": 0, "accuracy": 0}
    kinds = [f"invalid_{kind}_{role}_response" for kind in ("format", "content") for role in GAME.roles]

    def numbers(violated: int, **more: float) -> dict[str, float]:
        counts = {"request_count": 2, "violated_request_count": violated, "parsed_request_count": 2 - violated}
        return counts | {"request_success_ratio": 1 - violated / 2} | dict.fromkeys(kinds, 0) | more

    won = ended(instance, *TURN, "GUESS: iron")
    assert (won.metrics, won.rounds) == (numbers(0, speed=100), {"0": fine, "1": fine | {"accuracy": 1}})
    lost = ended(instance, *TURN, "GUESS: cow")
    assert (lost.kind, lost.score, lost.metrics) == ("lose", 0, numbers(0))
    assert lost.rounds == {"0": fine, "1": fine}
    for reply, kind in (("What?", "format_guesser"), ("QUESTION: is the word a noun?", "content_guesser")):
        out = ended(instance, *TURN, reply)
        assert (out.kind, out.faulty_role, out.score) == ("aborted", "guesser", None)
        assert (out.metrics, out.rounds) == (numbers(1, **{f"invalid_{kind}_response": 1}), {"0": fine, "1": bad})
    out = ended(instance, *TURN, TURN[0], "yes")
    assert (out.kind, out.faulty_role) == ("aborted", "answerer")
    assert (out.metrics, out.rounds) == (numbers(1, invalid_format_answerer_response=1), {"0": fine, "1": bad})


def test_without_a_guess_the_game_is_lost_after_eight_turns():
    assert ended(OWN, *TURN * 7, TURN[0]).kind == "lose", "nobody answers the last question"
    assert verdict(CLEMBENCH, *TURN * 7, TURN[0]) == "goes on"
    for instance, replies in ((OWN, [*TURN * 7, TURN[0]]), (CLEMBENCH, TURN * 8)):
        outcome = ended(instance, *replies)
        assert (outcome.kind, outcome.score, outcome.metrics["request_count"]) == ("lose", 0, 8)
    assert verdict(OWN, *TURN * 7, "QUESTION:") == "format_guesser"
    assert verdict(CLEMBENCH, *TURN * 7, TURN[0], "no") == "format_answerer"


def test_own_transcript():
    episode = Episode(GAME, OWN, ["question:  Is it\ta  metal ", "Answer: YES.", *TURN * 6, "guess: Iron."])
    told = [turn.text for turn in episode.turns]
    for part in (", ".join(WORDS), "You have 8 turns.", "7 times at most", "up to 4 cost nothing"):
        assert part in told[0]
    assert "word is: iron\n" in told[1]
    assert told[1].endswith("\n\nQUESTION: Is it a metal")
    assert "cow" not in told[1]
    assert told[2] == "ANSWER: yes\n\nQuestions left: 6."
    assert told[3] == "QUESTION: Is it big?"
    assert told[-1] == "ANSWER: no\n\nNo questions left. Now write GUESS: followed by the word."
    assert episode.outcome
    assert episode.outcome.score == 0.2


def test_own_format_is_generous_with_blanks_and_case_and_strict_with_the_rest():
    expect("goes on", OWN, " Question:{}", "a b|A b?| a? |\na?\n|a?? |'a?'|a.|a?!|a")
    expect("format_guesser", OWN, "QUESTION:{}", "| |?|...|a? b?|a? It must be|a？ b？|a\nb?|a guess: a|a? GUESS: a")
    expect("format_guesser", OWN, "{}", "|iron|a?|QUESTION a?|**QUESTION:** a?|ANSWER: no|My QUESTION: a?")
    assert verdict(OWN, "QUESTION:" + "a" * 500) == "goes on"
    assert verdict(OWN, "QUESTION:" + "a" * 501) == "format_guesser"


def test_own_guess_and_answer():
    expect("success", OWN, "guess:{}", "iron|IRON|'Iron'.| iron |(iron)|the iron")
    expect("lose", OWN, "GUESS:{}", "cow|irons|steel|i.ron|!")
    expect("format_guesser", OWN, "GUESS:{}", "| |a|iron or cow|iron, cow|it is iron|iron\nBecause")
    expect("goes on", OWN, "ANSWER:{}", "yes| no|  No. | Yes!\n|YES")
    expect("format_answerer", OWN, "{}", "|yes|ANSWER: |ANSWER: maybe|ANSWER: yes, a|ANSWER: no\nyes|ANSWER no")


FORMS = """Does it contain the letter e|Does it start with b|Does it begin with the letter "s"
Is it an odd number of letters|Does it have more than five letters|Is it a 5-letter word|Does it contain an 'e'
Is there an e in it|Does it end in -ing|Does it end with 'tion'|Does it start with a|Does it start with an S or a T
Does it have two syllables|Is it a long word|Is the target word an adjective|Is it used as a verb
Does it rhyme with cat|Is the first letter a vowel|Is it a palindrome|Is the length of the target word even
Does it come before M in alphabetical order|Is it spelled with a double letter|Is the word plural
Does it have fewer letters than "apple"|Does it start with ‘ch’|Is it capitalized|Is it a short word
Are there letters in its name that repeat|Is the target word long|ｄoes it have a vow\u200bel|Is its last letter a y"""
MEANINGS = """Is it a letter that you post|Is it used to write letters|Does it start with a bang|Is it long
Is it an action|Is it longer than a car|Is it an instrument with keys|Does it have a length|Does it start in spring
Is it a T-shirt|Is the target word long and thin|Does it have characters, like a play|Is it made of metal
Is it one of: cow, iron|Is the word related to time|Does it have two legs|Does it contain vitamins
Is it used to end friendships"""


def test_own_questions_about_the_form_of_the_word_are_refused_and_others_are_not():
    expect("content_guesser", OWN, "QUESTION: {}?", FORMS.replace("\n", "|"))
    expect("goes on", OWN, "QUESTION: {}?", MEANINGS.replace("\n", "|"))
    expect("content_guesser", OWN, "QUESTION: Is {}?", "it iron|it a chair|the word 'cow'|the secret word Iron")
    expect("goes on", OWN, "QUESTION: Is {}?", "it steel|it a chair or a cow|it iron ore|it used by a doctor")
    for word in content.PLACES:
        assert questions.asked_form(f"is it one of: {word}") is None, word


@given(st.text(max_size=60))
def test_own_replies_of_any_text_are_shown_to_the_other_player_as_one_line(text):
    episode = Episode(GAME, OWN, [*TURN, f"Question:{text}"])
    if episode.outcome is None:
        assert episode.observe().messages[-1]["content"] == f"QUESTION: {' '.join(text.split())}"
    assert verdict(OWN, f"guess:{text}") in ("success", "lose", "format_guesser")
    assert verdict(OWN, TURN[0], f"answer:{text}") in ("goes on", "format_answerer")


def test_clembench_relays_are_raw():
    episode = Episode(GAME, CLEMBENCH, ["QUESTION:  a\nb ? ", "ANSWER: Yes.", *TURN, "GUESS: Iron!"])
    listed = "['Cow', 'Violin', 'Apple', 'Chair', 'Iron', 'Tulip', 'Doctor', 'Boat']"
    told = [f"Ask 7 times.\n{listed}", "It is Iron, yes, Iron.\n\nQUESTION:  a\nb ? ", "ANSWER: Yes.", *TURN]
    assert [turn.text for turn in episode.turns] == told


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_clembench_format_and_content(version):
    instance = clembench(version)
    expect("goes on", instance, "QUESTION:{}", "| a| a? \n|?| GUESS: a| is the word 'iron'?")
    expect("format_guesser", instance, "{}", " QUESTION: a|question: a|ANSWER: no||iron| GUESS: iron|guess: iron")
    expect("format_guesser", instance, "QUESTION:{}", "a? b|a??|a QUESTION: b|does the word begin with? a")
    expect("content_guesser", instance, "QUESTION: {}", "So does the word BEGIN with|Is the word a noun?")
    expect("content_guesser", instance, "QUESTION: does the word have {}", "more 3 letters|one syllables")
    assert verdict(instance, "QUESTION: So is the word a noun?") == "goes on", "matched at the beginning only"
    expect("success", instance, "GUESS:{}", "iron| IRON.| 'i-r-o-n'!|iron \n")
    expect("lose", instance, "GUESS:{}", "| ?| cow| iron !")
    assert verdict(instance, "GUESS: the iron") == "format_guesser"
    assert verdict(clembench(version, target="Two-step"), "GUESS: Two-step") == "lose", "its hyphen is deleted"
    expect("goes on", instance, "ANSWER: {}", "yes|no|Yes.|Yes|No.|No")
    expect("format_answerer", instance, "{}", "ANSWER: no.|ANSWER:no|ANSWER: NO|answer: no| ANSWER: no|ANSWER: no |no")


def test_clembench_data_of_another_form_are_refused():
    with pytest.raises(UserError, match="FRAGE"):
        clembench(question_tag="FRAGE:")
    with pytest.raises(UserError, match="pos_question_pattern"):
        clembench(pos_question_pattern="(")


def played(instance: dict[str, Any], breaker: str = "") -> Outcome:
    episode = Episode(GAME, instance)
    while episode.outcome is None:
        seen = episode.observe()
        episode.act(scripted_reply(seen, "breaker" if seen.role == breaker else "best"))
    return episode.outcome


@pytest.mark.parametrize(("version", "won"), [("2.0", 59), ("3.0", 60)])
def test_all_instances_of_clembench_finish(shared, version, won):
    instances = load_instances(GAME, f"clembench:{shared / 'clembench'}@v{version}").instances
    assert len(instances) == 60
    assert sum(played(instance).score == 1 for instance in instances) == won, "Two-step cannot be guessed"
    assert {played(i, breaker=role).faulty_role == role for i in instances for role in GAME.roles} == {True}
    long = [" " * 100_000, "'a" * 50_000, "'" + "\x01 " * 50_000, "have more " + "1" * 100_000, "a " * 50_000]
    start = time.process_time()
    for text in long:
        for lead in ("is the target word", "does the target word", "does the target word have the letter"):
            Episode(GAME, instances[0], [f"QUESTION: {lead}{text}"])
    assert time.process_time() - start < 2


def test_best_players_win_every_shipped_instance_in_turn_four():
    for split, size in (("validation", 24), ("test", 72)):
        outcomes = [played(instance) for instance in load_instances(GAME, split).instances]
        assert len(outcomes) == size
        assert {(o.kind, o.score, o.metrics["request_count"]) for o in outcomes} == {("success", 1, 4)}


def test_scripted_answerer_knows_words_and_categories():
    answerer = GAME.scripted("answerer", {"target": "cow"}, "best")
    questions = {"Is the target word one of: cow, hat?": "yes", "Is the target word one of: cowboy, hat?": "no"}
    questions |= {"Is it an animal?": "yes", "Is it a farm animal?": "yes", "Is it a wild animal?": "no"}
    questions |= {"Is it a hat or a cow?": "yes", "Is it a food?": "no", "Is it red?": "no"}
    for question, answer in questions.items():
        assert answerer([{"role": "user", "content": f"QUESTION: {question}"}]) == f"ANSWER: {answer}", question


def test_words():
    trees = content.CONCRETE, content.ABSTRACT
    counts = [len(words) for tree in trees for subs in tree.values() for words in subs.values()]
    assert sum(counts) == len(content.PLACES) == 620, "no word is there twice"
    assert all(re.fullmatch("[a-z]+", word) for word in content.PLACES)
    assert not words_in(content.PROMPTS) & content.PLACES.keys()


@pytest.mark.parametrize("experiment", GAME.experiments)
def test_levels_and_that_the_place_of_the_target_is_uniform(experiment):
    shape = {"1": (4, 8, 8), "2": (2, 4, 8), "3": (1, 4, 8)}[experiment[-1]]
    rng, places = Random(experiment), Counter()
    tree = content.ABSTRACT if experiment.startswith("abs") else content.CONCRETE
    for _ in range(800):
        instance = GAME.generate(experiment, rng)
        found = [content.PLACES[word] for word in instance["candidates"]]
        assert (len({place.category for place in found}), len(set(found)), len(set(instance["candidates"]))) == shape
        assert {place.category for place in found} <= tree.keys()
        places[instance["candidates"].index(instance["target"])] += 1
    assert all(60 < places[place] < 145 for place in range(8))
