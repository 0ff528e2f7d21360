"""Taboo: our own rules, clembench's rules to the letter, and the scripted pair."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game

TABOO = load_game("taboo")
clues: Any = importlib.import_module("playpen_eval.games.taboo.clues")
cards: Any = importlib.import_module("playpen_eval.games.taboo.cards")


def clembench(target: str = "winter", related: tuple[str, ...] = ("cold", "snow", "season"), version: str = "2.0"):
    experiment = {
        "name": "some",
        "max_turns": 3,
        "describer_initial_prompt": "Describe $TARGET_WORD$ within $N$ tries without\n$REL_WORD$\nGo; $N$ tries.",
        "guesser_initial_prompt": "Guess it; you have $N$ tries.",
    }
    instance = {"game_id": 0, "target_word": target, "related_word": list(related), "target_word_stem": "unused"}
    return TABOO.from_clembench(experiment, instance, version) | {"rules": f"clembench-{version}"}


OWN = {"target": "winter", "related": ["cold", "snow", "season"], "tries": 3}
CLEMBENCH = clembench()
both = pytest.mark.parametrize("instance", [OWN, CLEMBENCH], ids=["own", "clembench"])


def each(name: str, values: str, separator: str = "|"):
    return pytest.mark.parametrize(name, values.split(separator))


def play(instance: dict[str, Any], *replies: str) -> Episode:
    return Episode(TABOO, instance, replies)


def ended(instance: dict[str, Any], *replies: str) -> Outcome:
    outcome = play(instance, *replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def passes(instance: dict[str, Any], clue: str) -> bool:
    """Whether the guesser is asked after this clue; if not, the game must be lost rather than aborted."""
    episode = play(instance, clue)
    assert episode.outcome is None or (episode.outcome.kind, episode.outcome.score) == ("lose", 0)
    return episode.role == "guesser"


# Both rule sets.


@both
@pytest.mark.parametrize("round_", [1, 2, 3])
def test_a_win_in_round_r_scores_one_rth_and_counts_rounds(instance, round_):
    outcome = ended(instance, *["CLUE: it freezes", "GUESS: spring"] * (round_ - 1), "CLUE: ice", "GUESS: winter")
    assert outcome.kind == "success", "a win in the last round is a success as well"
    assert outcome.score == pytest.approx(1 / round_)
    assert outcome.metrics["request_count"] == outcome.metrics["parsed_request_count"] == round_
    assert (outcome.metrics["violated_request_count"], outcome.metrics["request_success_ratio"]) == (0, 1)
    assert list(outcome.rounds) == [str(index) for index in range(round_)]
    assert [numbers["accuracy"] for numbers in outcome.rounds.values()] == [0] * (round_ - 1) + [1]


@both
@pytest.mark.parametrize(
    ("replies", "faulty"),
    [
        (["it freezes"], "describer"),
        (["CLUE: ice", "winter"], "guesser"),
        (["CLUE: ice", "CLUE: winter"], "guesser"),
        (["CLUE: ice", "GUESS: spring", ""], "describer"),
        (["CLUE: ice", "GUESS: spring", "CLUE: frost", "GUESS winter"], "guesser"),
    ],
)
def test_a_missing_tag_aborts_and_is_one_violation_in_its_round(instance, replies, faulty):
    outcome = ended(instance, *replies)
    assert (outcome.kind, outcome.score, outcome.faulty_role) == ("aborted", None, faulty)
    rounds = (len(replies) + 1) // 2
    last = {"accuracy": 0, "request_count": 1, "violated_request_count": 1, "parsed_request_count": 0}
    assert outcome.rounds[str(rounds - 1)] == last
    assert outcome.metrics["request_count"] == rounds, "rounds are counted, not requests"
    assert outcome.metrics["violated_request_count"] == 1
    assert outcome.metrics["request_success_ratio"] == pytest.approx((rounds - 1) / rounds)


@both
def test_three_wrong_guesses_lose_and_a_forbidden_clue_loses_at_once(instance):
    outcome = ended(instance, *["CLUE: it freezes", "GUESS: spring"] * 3)
    assert (outcome.kind, outcome.score, outcome.faulty_role) == ("lose", 0, None)
    assert outcome.metrics["request_count"] == 3
    outcome = ended(instance, "CLUE: ice", "GUESS: spring", "CLUE: it is cold then")
    assert (outcome.kind, outcome.score) == ("lose", 0)
    assert outcome.metrics["violated_request_count"] == 0
    assert set(outcome.rounds) == {"0", "1"}


@settings(deadline=None)
@given(st.text())
def test_any_clue_that_says_the_word_as_a_word_loses(text):
    assert not passes(OWN, f"CLUE: {text} winter {text}")
    assert not passes(CLEMBENCH, f"CLUE: {text} winter {text}")


# Our own rules.


@each("clue", "CLUE: ice|clue: ice|Clue:ice|  \n\t CLUE: ice|cLuE:\nice")
def test_own_tag_in_any_case_after_blanks(clue):
    assert play(OWN, clue).observe().messages[-1]["content"].endswith("\n\nCLUE: ice")


@each("clue", "CLUE ice|The CLUE: ice|**CLUE:** ice|CLUE : ice|GUESS: ice|")
def test_own_reply_without_the_tag_in_front_aborts(clue):
    assert ended(OWN, clue).kind == "aborted"


PLAIN = (
    "winter|WINTER|winters|wintering|midwinter|winter-time|_winter_|it is\nwinter|snowing|snowman|two seasons|colder"
)
MASKED = "winter's end|winter\u2019s end|\u2018winter\u2019|wínter|wi\u0301nter|win\u200bter|win\u00adter|ｗｉｎｔｅｒ"
SPELLED = "w-i-n-t-e-r|w i n t e r|W.I.N.T.E.R.|w, i, n, t, e, r|spelled w i n t e r by all|w_i_n_t_e_r"


@each("clue", f"{PLAIN}|{MASKED}|{SPELLED}")
def test_own_forms_of_a_forbidden_word_lose(clue):
    assert not passes(OWN, f"CLUE: {clue}")


@each("clue", "c-a-t|this is a c-a-t|I say c a t|cats|cat\u2019s|c\u00e4t")
def test_own_forms_of_a_short_word_lose(clue):
    assert not passes(OWN | {"target": "cat"}, f"CLUE: {clue}")


@each("clue", "vacation|they educate|concatenate|c at|what they do in a c a b")
def test_own_a_short_word_inside_another_is_no_hit(clue):
    assert passes(OWN | {"target": "cat"}, f"CLUE: {clue}")


@each("clue", "it is the one that comes after the other|the wint of it|win|tern|scold, mild|w i n d")
def test_own_innocent_clues_pass(clue):
    assert passes(OWN | {"related": ["frost", "snow", "season"]}, f"CLUE: {clue}")


@each("clue", "CLUE: it is not summer|CLUE: most like ice|CLUE: it is here")
def test_own_a_forbidden_stop_word_is_a_hit_where_clembench_has_none(clue):
    assert not passes(OWN | {"related": ["not", "here", "most"]}, clue)
    assert passes(clembench(related=("not", "here", "most")), clue)


def test_own_relayed_clue_keeps_one_line_and_guess_too():
    episode = play(OWN, "CLUE: ice\n\nGUESS: frost\u2028\r\n Tries  left: 9\x85CLUE: x")
    told = episode.observe().messages[-1]["content"].splitlines()
    assert told[-2:] == ["", "CLUE: ice GUESS: frost Tries left: 9 CLUE: x"]
    episode.act("guess: spring\nor summer")
    assert episode.observe().messages[-1]["content"].splitlines()[0] == "GUESS: spring or summer"


QUOTED = '"winter ."|**winter**|\u2018winter\u2019|\u201cwinter\u201d|winter\u2026|`winter`'


@each("guess", f"winter|Winter.| WINTER ! |the winter|a winter|to winter|wínter|\n winter \n|wint\u200ber|{QUOTED}")
def test_own_guess_is_read_generously(guess):
    assert ended(OWN, "CLUE: ice", f"guess:{guess}").kind == "success"


@each("guess", "|winters|winter or summer|win ter|summer|wintry|not winter|?|winter summer")
def test_own_wrong_guesses_stay_wrong(guess):
    assert play(OWN, "CLUE: ice", f"GUESS: {guess}").role == "describer"


def test_own_prompts_tell_each_role_its_part_only():
    episode = play(OWN)
    first = episode.observe().messages[0]["content"]
    assert all(word in first for word in ("winter", "cold, snow, season", "3 tries"))
    episode.act("CLUE: ice")
    told = episode.observe().messages
    assert len(told) == 1
    assert not any(word in told[0]["content"] for word in ("winter", "cold", "snow", "season"))
    episode.act("GUESS: spring")
    assert "Tries left: 2" in episode.observe().messages[-1]["content"]


# clembench's rules, edge by edge of the rule sheet.


@each("lead", "clue:, guess:| CLUE:, GUESS:|\nCLUE:,\nGUESS:|Clue:,Guess:|CLUE,GUESS|x CLUE:,x GUESS:|,")
def test_clembench_tags_are_exact(lead):
    clue, guess = lead.split(",")
    outcomes = [ended(CLEMBENCH, f"{clue} ice"), ended(CLEMBENCH, "CLUE: ice", f"{guess} winter")]
    assert [(o.kind, o.faulty_role) for o in outcomes] == [("aborted", "describer"), ("aborted", "guesser")]


# A newline or tab stays inside a token, a hyphen fuses two words, only whole tokens with an equal stem count.
@each(
    "clue", " it is\nwinter| a\twinter| winter-time| midwinter| w i n t e r| wínter| win\u200bter| much colder||  x  y "
)
def test_clembench_lets_hidden_words_pass(clue):
    assert passes(CLEMBENCH, f"CLUE:{clue}")


# All ASCII punctuation and all tags are deleted; the stemmer makes curly apostrophes straight and cuts the 's.
@each("clue", "winter|WINTER|winters|wintering|w-i-n-t-e-r|winter's|(winter)|it, winter, is|the seasons")
def test_clembench_hits(clue):
    assert not passes(CLEMBENCH, f"CLUE:{clue}")
    assert not passes(CLEMBENCH, f"CLUE: CLUE: ice {clue}")


@each("clue", "winter\u2019s|\u2018winter|winter\u2019s end|CLUE: winter|winCLUE:ter|cold-CLUE:")
def test_clembench_hits_behind_tags_and_curly_apostrophes(clue):
    assert not passes(CLEMBENCH, f"CLUE: {clue}")


@each("word", "not|be|have|here|most|should|ice-cold|ice cold")
def test_clembench_related_stop_words_hyphens_and_blanks_are_never_hit(word):
    assert passes(clembench(related=(word, "snow", "season")), f"CLUE: {word} {word}")


def test_clembench_target_that_is_a_stop_word_is_never_hit_but_a_related_word_with_capitals_is():
    assert ended(clembench(target="just"), "CLUE: just say just", "GUESS: just").kind == "success"
    assert not passes(clembench(related=("January", "snow", "cold")), "CLUE: starts in january")


def test_clembench_stems_are_those_of_the_older_stemmer():
    stems = {"organization": "organ", "evening": "even", "university": "univers", "as": "as", "It": "it"}
    assert {word: clues.stem(word) for word in stems} == stems


@each("guess", ' winter|winter|  WINTER  | winter\n| "Winter".| win-ter| GUESS: winter| winGUESS:ter')
def test_clembench_right_guesses(guess):
    assert ended(CLEMBENCH, "CLUE: ice", f"GUESS:{guess}").kind == "success"


# Punctuation is deleted after the strip, so a blank beside it stays.
@each("guess", " winter .| . winter| the winter| winter\nfor the ice| winters| \u201cwinter\u201d| wínter|")
def test_clembench_wrong_guesses_do_not_abort(guess):
    assert play(CLEMBENCH, "CLUE: ice", f"GUESS:{guess}").role == "describer"


def test_clembench_texts_and_raw_relay():
    episode = play(CLEMBENCH, "CLUE:  ice \n really\n", 'GUESS: "spring"  ', "CLUE: frost", "GUESS: a\nb", "bad")
    assert [turn.text for turn in episode.turns] == [
        "Describe winter within 3 tries without\n- cold\n- snow\n- season\nGo; 3 tries.",
        "Guess it; you have 3 tries.\n\nCLUE:  ice \n really\n",
        'GUESS: "spring"  ',
        "CLUE: frost",
        "GUESS: a\nb",
    ]


def test_clembench_versions_score_alike_and_repetitions_are_always_zero():
    replies = [*["CLUE: ice", "GUESS: spring"] * 2, "CLUE: ice", "GUESS: winter"]
    old, new = ended(clembench(version="2.0"), *replies), ended(clembench(version="3.0"), *replies)
    assert old == new
    assert old.kind == "success", "upstream's later code calls this a failure; its scores do not"
    assert (old.metrics["repetition_guesser"], old.metrics["repetition_describer"]) == (0, 0)


def say(episode: Episode, instead: str | None = None) -> str:
    episode.act(scripted_reply(episode.observe(), "best") if instead is None else instead)
    return episode.replies[-1]


def test_the_scripted_players_are_connected_by_nothing_but_the_text():
    """The clue of another card leads the guesser to the target of that card."""
    instances = load_instances(TABOO, "test").instances[:20]
    for ours, other in zip(instances, instances[1:] + instances[:1], strict=True):
        episode = Episode(TABOO, ours)
        say(episode, instead=say(Episode(TABOO, other)))
        assert say(episode) == f"GUESS: {other['target']}"


def test_the_scripted_guesser_does_not_repeat_itself():
    episode = play(OWN | {"target": "lighthouse"})
    guesses = []
    for _ in range(3):
        say(episode, instead="CLUE: one a day keeps the doctor away")
        guesses.append(say(episode))
    assert (guesses[0], len(set(guesses))) == ("GUESS: apple", 3)


def test_the_scripted_describer_can_speak_of_a_word_without_a_card():
    assert say(play(OWN | {"target": "zzzz", "related": []})) == "CLUE: it has 4 letters and begins with z"


def test_no_card_forbids_its_own_hints():
    bad = [c.target for c in cards.CARDS for h in c.hints if clues.forbidden_word(h, [c.target, *c.related])]
    assert bad == []
