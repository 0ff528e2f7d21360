"""LMRL-Gym's wordle: the paper's figures, both rules of marking, how guesses are read, what each is worth."""
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
import statistics
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from playpen_eval.train.rewards import turn_credit

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.instances import SPLITS, load_instances
from playpen_eval.registry import load_game

feedback, policies, rules = (
    importlib.import_module(f"playpen_eval.games.lmrl_wordle.{name}") for name in ("feedback", "policies", "game")
)
GAME: Any = load_game("lmrl_wordle")
SHORT: Any = load_game("lmrl_wordle_short")
WORDS: Sequence[str] = GAME.lexicon.words
CASES = [(game, rule) for game in (GAME, SHORT) for rule in game.experiments]
WRONG = [word for word in WORDS if word != "above"]


def hidden(target: str, rule: str = "loose") -> dict[str, str]:
    return {"target": target, "feedback": rule}


def played(replies: Sequence[str], target: str = "above") -> Outcome:
    episode = Episode(GAME, hidden(target), replies)
    assert episode.outcome is not None, "the episode still runs"
    assert episode.outcome.metrics["return"] == sum(turn_credit(episode, "guesser"))
    return episode.outcome


def returns(policy: str, rule: str, rounds: int, game: Any = GAME) -> list[float]:
    rng, found = Random(policy), []
    for word in game.lexicon.words * rounds:
        instance = hidden(word, rule)
        outcome = Episode(game, instance, game.behave(policy, instance, rng)).outcome
        assert outcome is not None
        found.append(outcome.metrics["return"] or 0.0)
    return found


def test_the_list_is_as_long_as_the_papers():
    assert len(set(WORDS)) == len(WORDS) == 431
    assert all(len(word) == 5 and word.isalpha() and word.isascii() and word.islower() for word in WORDS)


@pytest.mark.parametrize("rule", GAME.experiments)
def test_the_data_are_as_good_as_the_papers(rule):
    found = returns("mix", rule, 8)
    assert statistics.mean(found) == pytest.approx(-4.10, abs=0.12)  # on the paper's words
    assert statistics.pstdev(found) == pytest.approx(1.59, abs=0.05)
    assert sum(value > -6 for value in found) / len(found) == pytest.approx(0.70, abs=0.03)


@pytest.mark.parametrize("rule", GAME.experiments)
def test_greedy_guesses_are_the_upper_bound(rule):
    assert statistics.mean(returns("best", rule, 1)) == pytest.approx(-1.94, abs=0.04)  # on the paper's words
    assert statistics.mean(returns("fitting", rule, 2)) == pytest.approx(-2.37, abs=0.1)


@pytest.mark.parametrize(("game", "rule"), CASES)
def test_the_scale_is_that_of_the_list(game, rule):
    rounds = 3600 // len(game.lexicon.words)
    assert statistics.mean(returns("mix", rule, rounds, game)) == pytest.approx(game.average[rule], abs=0.08)
    assert statistics.mean(returns("best", rule, 1, game)) == pytest.approx(game.best[rule], abs=0.005)


def test_the_short_list_is_a_part_of_the_long_one():
    assert len(set(SHORT.lexicon.words)) == 32
    assert SHORT.lexicon.known < GAME.lexicon.known
    shipped = [row["target"] for split in SPLITS for row in load_instances(SHORT, split).instances]
    assert sorted(shipped) == list(SHORT.lexicon.words)


def test_a_word_of_the_long_list_alone_tells_nothing_in_the_short_game():
    other = next(word for word in WORDS if word not in SHORT.lexicon.known)
    target = SHORT.lexicon.words[0]
    episode = Episode(SHORT, hidden(target), [other, target])
    assert episode.turns[1].text == rules.PROMPTS["unknown"]
    assert episode.outcome is not None
    assert (episode.outcome.metrics["unknown"], episode.outcome.metrics["return"]) == (1, -1)


@pytest.mark.parametrize(
    ("target", "guess", "loose", "standard"),
    [
        ("lemon", "level", "ggbyy", "ggbbb"),
        ("above", "above", "ggggg", "ggggg"),
        ("eerie", "there", "bbyyg", "bbyyg"),
        ("abide", "speed", "bbyyy", "bbyby"),
    ],
)
def test_marks(target, guess, loose, standard):
    assert feedback.mark_loose(target, guess) == loose
    assert feedback.mark_standard(target, guess) == standard


def test_what_is_shown_can_be_read():
    for word in WORDS[:50]:
        marks = feedback.mark_loose("above", word)
        assert feedback.read(feedback.show(word, marks)) == (word, marks)
    assert feedback.read("g r e e n") is None


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        ("above", "above"),
        (" A b o V e.\n", "above"),
        ("`above`", "above"),
        ("aboves", None),
        ("my guess is above", None),
        ("abovİ", None),
        ("ab0ve", None),
        ("", None),
        ("above" + " " * 200, None),
    ],
)
def test_guesses_are_read(reply, word):
    assert rules.read_guess(reply) == word


@pytest.mark.parametrize(
    ("replies", "kind", "total"),
    [
        (["above"], "success", 0),
        ([*WRONG[:5], "a b o v e"], "success", -5),
        (WRONG[:6], "lose", -6),
        (["zzzzz"] * 6, "lose", -6),
        (["?", "above"], "success", -1),
        (["?", "?", WRONG[0], "?", "?", "above"], "success", -5),
        ([WRONG[0], "?", "?", "?"], "aborted", -6),
    ],
)
def test_every_guess_but_the_right_one_costs_a_point(replies, kind, total):
    outcome = played(replies)
    assert (outcome.kind, outcome.metrics["return"]) == (kind, total)


def test_what_the_guesser_is_told():
    episode = Episode(GAME, hidden("abide"), ["above", "zzzzz", "?"])
    told = [message["content"] for message in episode.observe().messages[2::2]]
    assert told == ["a b o v e\ng g b b g", "That word is not in the list.", "That was not a guess of five letters."]
    openings = [Episode(GAME, hidden("abide", rule)).observe().messages[0]["content"] for rule in GAME.experiments]
    assert ["not once more" in opening for opening in openings] == [False, True]


def test_scores_follow_the_scale():
    scores = [played([*WRONG[:wrong], "above"]).score or 0.0 for wrong in range(6)]
    assert scores[:2] == [1, 1]
    assert scores == sorted(scores, reverse=True)
    assert scores[4] == pytest.approx(0.5, abs=0.02)
    assert played(WRONG[:6]).score == 0


def test_splits_are_those_of_the_other_wordles():
    ours = {
        row["target"]: split
        for game in (GAME, SHORT)
        for split in SPLITS
        for row in load_instances(game, split).instances
    }
    other = load_game("wordle")
    for split in SPLITS:
        for row in load_instances(other, split).instances:
            assert ours.get(row["target"], split) == split
