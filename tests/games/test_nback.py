"""Verbal n-back: the prompt, the forms of an answer, the score and d', the blocks, and what guessing is worth."""

from __future__ import annotations

import importlib
import re
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

GAME: Any = load_game("nback")
letters: Any = importlib.import_module("playpen_eval.games.nback.letters")
game: Any = importlib.import_module("playpen_eval.games.nback.game")
cases = methodcaller("split", "|")
SHORT = {"n": 2, "letters": "bcbccd"}
"""Its third and fourth letters are matches; the fifth is a lure."""


def ended(instance: dict[str, Any], replies: list[str] | str) -> Outcome:
    outcome = Episode(GAME, instance, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def said(reply: str) -> str:
    """What a reply to the first letter is taken as; the others are then answered right."""
    episode = Episode(GAME, SHORT, [reply])
    if episode.outcome is not None:
        assert (episode.outcome.kind, episode.outcome.faulty_role) == ("aborted", "participant")
        return "aborted"
    return "m" if ended(SHORT, [reply, *"-mm--"]).metrics["false_alarms"] else "-"


FIRST = """This is a memory test. You will see 6 letters, one in each message. For every letter, decide whether it is \
the same letter as the one two places before it.

Reply with m if it is the same (a match), and with - if it is not. The first two letters have nothing to be compared \
with, so the answer there is -. Reply with this one character only and write nothing else. You will not be told \
whether your answers are right.

Letter: b"""


def test_what_the_participant_is_told():
    episode = Episode(GAME, SHORT, "--mm--")
    assert [turn.text for turn in episode.turns] == [FIRST, *(f"Letter: {letter}" for letter in "cbccd")]
    wordings = {
        1: ("directly before it.", "The first letter has"),
        3: ("three places before", "first three letters have"),
    }
    for n, parts in wordings.items():
        text = Episode(GAME, SHORT | {"n": n}).observe().messages[0]["content"]
        assert all(part in text for part in parts)
    assert Episode(GAME, SHORT).observe().view == {"n": 2}


# 2 matches and 4 other letters; d' with the halves added is z((hits + 0.5) / 3) - z((false alarms + 0.5) / 5).
@pytest.mark.parametrize(
    ("replies", "kind", "score", "accuracy", "hits", "alarms", "d_prime"),
    [
        ("--mm--", "success", 1.0, 1.0, 2, 0, 0.967422 + 1.281552),
        ("--mmm-", "lose", 0.75, 5 / 6, 2, 1, 0.967422 + 0.524401),
        ("--m---", "lose", 0.5, 5 / 6, 1, 0, 1.281552),
        ("m-m---", "lose", 0.25, 4 / 6, 1, 1, 0.524401),
        ("------", "lose", 0.0, 4 / 6, 0, 0, -0.967422 + 1.281552),
        ("mmmmmm", "lose", 0.0, 2 / 6, 2, 4, 0.967422 - 1.281552),
        ("mm--mm", "lose", 0.0, 0.0, 0, 4, -0.967422 - 1.281552),
    ],
)
def test_score_and_metrics(replies, kind, score, accuracy, hits, alarms, d_prime):
    outcome = ended(SHORT, replies)
    assert (outcome.kind, outcome.score) == (kind, score)
    assert outcome.metrics == {
        "accuracy": pytest.approx(accuracy),
        "hits": hits,
        "false_alarms": alarms,
        "hit_rate": hits / 2,
        "false_alarm_rate": alarms / 4,
        "d_prime": pytest.approx(d_prime, abs=1e-5),
    }
    assert outcome.reason == f"{hits} of 2 matches found, {alarms} false alarms"


@pytest.mark.parametrize(
    ("misses", "alarms", "kind"),
    [(0, 0, "success"), (1, 0, "success"), (0, 2, "success"), (1, 1, "lose"), (0, 3, "lose")],
)
def test_what_a_success_needs_in_a_whole_block(misses, alarms, kind):
    instance = load_instances(GAME, "test").instances[0]
    replies = GAME.solution(instance)
    for answer, count in (("m", misses), ("-", alarms)):
        for place in [place for place, reply in enumerate(replies) if reply == answer][:count]:
            replies[place] = "-" if answer == "m" else "m"
    outcome = ended(instance, replies)
    assert outcome.kind == kind
    assert outcome.score == pytest.approx(1 - misses / 8 - alarms / 16)


def test_constant_answers_score_nothing_and_the_largest_d_prime_is_as_stated():
    instance = load_instances(GAME, "test").instances[0]
    assert [ended(instance, [reply] * 24).score for reply in "m-"] == [0, 0]
    assert ended(instance, ["-"] * 24).metrics["accuracy"] == 16 / 24
    largest = ended(instance, GAME.solution(instance)).metrics["d_prime"]
    assert f"largest value is {largest:.2f}." in _readme().replace("\n", " ")


def test_forms_of_an_answer():
    tagged = "|answer: m|Answer:m|*Answer: match*|**Answer:** m|Answer: `m`|ANSWER:\n\nm"
    for reply in cases("m|M| m \n|m.|'m'|\"m\"|`m`|**m**|match|Match.|MATCH!" + tagged):
        assert said(reply) == "m", reply
    for reply in cases("-| -\n|-.|'-'|`-`|**-**|–|—|−|no match|No match.|no-match|non-match|Nonmatch|Answer: -"):
        assert said(reply) == "-", reply
    for reply in cases("||.|x|mm|--|m -|m or -|- m|m\n-|m\n\nbecause|yes|no|ｍ|matches|not a match|ma tch|_|answer:|b"):
        assert said(reply) == "aborted", reply
    for unit in ("m", "-", " ", "\n", "answer: ", "'", "no match"):
        assert said(unit * 100_000) == "aborted", unit
        assert said(f"{' ' * 100_000}m{'.' * 100_000}") == "m"


@given(st.sampled_from(["", "answer:"]), st.text(alphabet="mM-–matchno answer:.'\n", max_size=12))
def test_an_answer_is_one_of_the_forms_and_nothing_else(tag, text):
    text = tag + text
    bare = text.strip(" \t\r\n\"'`*.!").lower()
    bare = bare.removeprefix("answer:").lstrip(" '\n") if bare.startswith("answer:") else bare
    forms = {"m": "m", "match": "m"} | dict.fromkeys(cases("-|–|no match|no-match|non-match|nonmatch"), "-")
    assert said(text) == forms.get(bare, "aborted")


@given(st.text(alphabet="bcd", min_size=1, max_size=12), st.integers(1, 3))
def test_matches_are_letters_equal_to_the_one_n_before(text, n):
    padded = "?" * n + text
    assert letters.matches(text, n) == [a == b for a, b in zip(text, padded, strict=False)]


@pytest.mark.parametrize("experiment", GAME.experiments)
def test_blocks(experiment):
    n, nearer = int(experiment[0]), 3 if experiment != "1back" else 0
    rng, seen = Random(experiment), set()
    for _ in range(150):
        instance = GAME.generate(experiment, rng)
        text = instance["letters"]
        assert (instance["n"], len(text), set(text) <= set("bcdfghjklnpqrstvwxyz")) == (n, 24, True)
        truth = letters.matches(text, n)
        others = [i for i in range(24) if not truth[i]]
        lures = [i for i in others if text[i] in text[max(0, i - n - 1) : i]]
        assert (sum(truth), len(lures), truth[:n]) == (8, 6, [False] * n)
        assert not set(lures) & set(range(n)), "the first n letters differ from each other"
        assert all((n > 1 and text[i] == text[i - n + 1]) or text[i] == text[i - n - 1] for i in lures)
        assert sum(text[i] in text[max(0, i - n) : i] for i in others) >= nearer, "false alarms of a blurred memory"
        seen |= {i for i in range(24) if truth[i]}
    assert seen == set(range(n, 24)), "a match may be anywhere"


def test_best_player_wins_every_instance_and_one_who_blurs_places_never_does():
    for split in ("validation", "test"):
        instances = load_instances(GAME, split).instances
        assert len(instances) == 3 * GAME.sizes[split]
        for instance in instances:
            episode = Episode(GAME, instance)
            while episode.outcome is None:
                episode.act(scripted_reply(episode.observe(), "best"))
            assert (episode.outcome.kind, episode.outcome.score) == ("success", 1)
            text, n = instance["letters"], instance["n"]
            for window in {n, n + 1, 4} - {1}:
                blurred = ["m" if text[i] in text[max(0, i - window) : i] else "-" for i in range(24)]
                assert ended(instance, blurred).kind == "lose"


def _readme() -> str:
    return (Path(game.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_what_guessing_is_worth_is_as_the_readme_says():
    stated = dict(re.findall(r"^\| (\w+) \| ([\d.]+) \|$", _readme(), re.MULTILINE))
    rng, drawn = Random("chance"), []
    for instance in load_instances(GAME, "test").instances * 20:
        outcome = ended(instance, [rng.choice("m-") for _ in range(24)])
        drawn.append({"score": outcome.score, **outcome.metrics})
    assert stated.keys() == drawn[0].keys()
    for name, figure in stated.items():
        values = [numbers[name] for numbers in drawn]
        assert abs(mean(values) - float(figure)) < 4 * stdev(values) / len(values) ** 0.5 + 0.0005, name
