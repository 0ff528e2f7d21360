"""The wordle family: feedback, how replies are read under each rule set, scores, the critic, the scripted guesser."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playpen_eval.drivers import lockstep
from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted
from playpen_eval.registry import load_game

feedback: Any = importlib.import_module("playpen_eval.games.wordle.feedback")

GAMES = {name: load_game(name) for name in ("wordle", "wordle_withclue", "wordle_withcritic")}
CRITIC = GAMES["wordle_withcritic"]
OWN = {"target": "crane", "clue": "bird, or machine that lifts", "rounds": 6, "retries": 5}
NAMES = ("clue", "guess", "explanation", "guess_feedback", "agreement", "guess_agreement", "agreement_explanation")
TEXTS: dict[str, Any] = {f"{name}_lang": f"{name}:" for name in NAMES}
TEXTS |= {"guess_word_lang": "WORD", "explanataion_details_lang": "DETAILS", "agreement_word_lang": "YES OR NO"}
TEXTS["error_prompt_text"] = {"INVALID_FORMAT": "FORM", "NOT_VALID_WORD_FOR_GAME": "UNKNOWN.", "RETRY": "RETRY."}
TEXTS["agreement_match_keywords_lang"] = ["yes", "no"]
TEXTS["official_words_list"] = ["crane", "slate", "crown", "brown", "stone", "plant", "grant"]
EXPERIMENT = {
    "name": "some",
    "common_config": {"n_turns": 6, "max_retry_per_error": {"NOT_VALID_WORD_FOR_GAME": 5}, "max_word_length": 5},
    "guesser_prompt": "PROMPT",
    "guesser_critic_prompt": "CRITIC PROMPT",
    "lang_keywords": TEXTS,
}
FORM = "FORM\nexplanation: DETAILS\nguess: WORD"


def clembench(version: str) -> dict[str, Any]:
    instance = {
        "game_id": 1,
        "target_word": "crane",
        "target_word_clue": " lifts things ",
        "target_word_difficulty": "",
    }
    return CRITIC.from_clembench(EXPERIMENT, instance, version) | {"rules": f"clembench-{version}"}


OLD, NEW = clembench("2.0"), clembench("3.0")
every_rules = pytest.mark.parametrize("instance", [OWN, OLD, NEW], ids=["own", "2.0", "3.0"])


def guess(*words: str) -> list[str]:
    return [f"explanation: why\nguess: {word}" for word in words]


def judge(word: str) -> str:
    return f"explanation: so\nagreement: {word}"


def rounds(*parts: str) -> list[str]:
    """Replies of critic rounds written as "proposal yes commit"."""
    return [reply for part in parts for p, j, c in [part.split()] for reply in (*guess(p), judge(j), *guess(c))]


def play(instance: dict[str, Any], replies: list[str], game: str = "wordle") -> Episode:
    return Episode(GAMES[game], instance, replies)


def ended(instance: dict[str, Any], replies: list[str], game: str = "wordle") -> Outcome:
    outcome = play(instance, replies, game).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


# Feedback and its measures.

words = st.text("abcd", min_size=5, max_size=5)


@settings(deadline=None)
@given(words, words)
def test_marks_count_each_letter_as_often_as_both_words_have_it(target, said):
    marks = feedback.mark(target, said)
    assert [m == "g" for m in marks] == [a == b for a, b in zip(target, said, strict=True)]
    paid = Counter(letter for letter, m in zip(said, marks, strict=True) if m in "gy")
    assert paid == Counter(target) & Counter(said)
    assert set(marks) <= set("gyr")
    for letter in set(said):
        others = [m for c, m in zip(said, marks, strict=True) if c == letter and m != "g"]
        assert others == sorted(others, reverse=True), "yellows are paid from the left"


@settings(deadline=None)
@given(words, words)
def test_all_green_means_equal_and_both_directions_count_alike(one, other):
    assert (feedback.mark(one, other) == "ggggg") == (one == other) == (feedback.mark(other, one) == "ggggg")
    assert Counter(feedback.mark(one, other)) == Counter(feedback.mark(other, one))


@settings(deadline=None)
@given(st.lists(st.tuples(words, st.text("gyr", min_size=5, max_size=5)), max_size=4), st.text("xyz <>:\n", max_size=9))
def test_read_is_the_inverse_of_show(rows, between):
    text = between + between.join(f"guess_feedback: {feedback.show(*row)}\n" for row in rows)
    assert feedback.read(text) == rows


def test_marks_closeness_and_strategy_by_hand():
    table = {"crane crane": "ggggg", "abbey kebab": "rygyy", "abbey babes": "yyggr", "those geese": "rrrgg"}
    table |= {"dread added": "yyryg", "crane eerie": "rryrg", "eerie crane": "ryrrg"}
    assert {pair: feedback.mark(*pair.split()) for pair in table} == table
    assert feedback.show("crane", "gyrrg") == "c<green> r<yellow> a<red> n<red> e<green>"

    table = {"rrrrr": 0, "rrrry": 3, "grrrr": 5, "ggyrr": 13, "yyyyy": 15, "ggggg": 25}
    assert {marks: feedback.closeness(marks) for marks in table} == table
    assert feedback.strategy([], False) == feedback.strategy([], True) == []
    assert feedback.strategy([("crane", "ggggg")], False) == [100]
    assert feedback.strategy([("crane", "ggggg")], True) == [0]
    # 20 for c (green), 10 for r (yellow), -20 for n (red).
    assert feedback.strategy([("crane", "gyrrr"), ("crown", "rrrrr")], False) == [0, 10]
    # e is green, yellow and red, and counts once in each set; s and g do not come back.
    assert feedback.strategy([("geese", "ryrrg"), ("eerie", "rrrrr"), ("eerie", "rrrrr")], True) == [0, 10, -60]


# How a reply is read.

BAD_WORDS = ("", "\ncrane", "cra ne", "cran3", "cranes", "cran", "c-ane", "crane s", "crane\nguess: crane")
BAD_FORMS = [
    "guess: crane",
    "guess: crane\nexplanation: why",
    "x explanation: why\nguess: crane",
    "explanation: why",
    "",
]
BAD_FORMS += [f"explanation: why\nguess: {word}" for word in BAD_WORDS]


@pytest.mark.parametrize(
    ("reply", "own", "old", "new"),
    [
        ("explanation: why\nguess: crane", True, True, True),
        ("explanation: why\nguess:CRANE  \n\n ", True, True, True),
        ("explanation: why\nGUESS: crane", True, True, True),
        ("explanation:\nguess: crane", True, True, True),
        ("explanation: why\r\nguess: crane", True, True, True),
        ("explanation: why\nmy guess: crane", False, True, True),
        ("explanation: why guess: crane", False, True, False),  # on one line
        ("Explanation: why\nguess: crane", True, False, True),
        ("explanation: why\n\nguess: crane", True, False, True),
        ("explanation: why\nand more\nguess: crane", True, False, True),
        ("explanation: why\nguess: crane\nbye", True, False, True),
        ("explanation: my guess: slate\nguess: crane", True, False, True),  # the tag twice
        (" explanation: why\nguess: crane", True, False, False),
        ("\nexplanation: why\nguess: crane", True, False, False),
        ('explanation: why\nguess: "crane"', True, False, False),
        ("explanation: why\nguess: crane.", True, False, False),
        ("explanation: why\nguess: **Crane**", True, False, False),
        *[(reply, False, False, False) for reply in BAD_FORMS],
    ],
)
def test_form_of_a_guess(reply, own, old, new):
    outcomes = [ended(instance, [reply]) for instance in (OWN, OLD, NEW)]
    assert [outcome.kind for outcome in outcomes] == ["success" if ok else "aborted" for ok in (own, old, new)]
    for outcome in outcomes:
        assert outcome.metrics["violated_request_count"] == (outcome.kind == "aborted")
        assert outcome.faulty_role == ("guesser" if outcome.kind == "aborted" else None)


def test_letters_of_other_alphabets_are_unknown_words_to_clembench_and_no_words_to_us():
    for instance in (OLD, NEW):
        assert play(instance, guess("crañe")).observe().messages[-1]["content"].startswith("UNKNOWN.")
    outcome = ended(OWN, guess("crañe"))
    assert (outcome.kind, outcome.metrics["violated_request_count"]) == ("aborted", 1)


@every_rules
def test_the_sixth_unknown_word_in_a_row_aborts_without_a_violation(instance):
    assert play(instance, guess(*["zzzzz"] * 5)).outcome is None
    outcome = ended(instance, guess(*["zzzzz"] * 6))
    assert (outcome.kind, outcome.faulty_role) == ("aborted", "guesser")
    assert outcome.metrics["request_count"] == outcome.metrics["parsed_request_count"] == 6
    assert (outcome.metrics["violated_request_count"], outcome.metrics["request_success_ratio"]) == (0, 1)
    assert dict(outcome.rounds) == {"0": {"closeness_score": None, "strategy_score": None}}


@every_rules
def test_a_guess_that_counts_resets_the_unknown_words(instance):
    five = guess(*["zzzzz"] * 5)
    outcome = ended(instance, [*five, *guess("slate"), *five, *guess("crane")])
    assert (outcome.kind, outcome.score, outcome.metrics["request_count"]) == ("success", 1, 12)
    commit = ended(instance, [*five, *guess("slate"), judge("no"), *five, *guess("crane")], "wordle_withcritic")
    assert (commit.kind, commit.score, commit.metrics["request_count"]) == ("success", 1, 13)


@every_rules
def test_a_bad_form_after_unknown_words_is_the_one_violation(instance):
    outcome = ended(instance, [*guess("slate", "zzzzz"), "no"])
    assert [outcome.metrics[f"{name}request_count"] for name in ("", "parsed_", "violated_")] == [3, 2, 1]
    assert outcome.metrics["guess_repetitions"] is None
    assert outcome.rounds["1"] == {"closeness_score": 10, "strategy_score": 0}, "one feedback and aborted: 0, not 100"


PLAIN, INVERSE = [1, 1, 1, 0.5, 0.3, 0.2], [1, 0.5, 0.3333, 0.25, 0.2, 0.1667]


@every_rules
@pytest.mark.parametrize(("game", "table"), zip(GAMES, (PLAIN, INVERSE, INVERSE), strict=True))
def test_score_by_round(instance, game, table):
    for round_, expected in enumerate(table, 1):
        wrong = ["slate", "crown", "slate", "brown", "slate"][: round_ - 1]
        if game == "wordle_withcritic":
            replies = rounds(*[f"{word} yes {word}" for word in [*wrong, "crane"]])
        else:
            replies = guess(*wrong, "crane")
        outcome = ended(instance, replies, game)
        assert (outcome.kind, outcome.score) == ("success", pytest.approx(expected, abs=1e-12))
        assert outcome.metrics["guess_repetitions"] == max(0, wrong.count("slate") - 1)
        assert list(outcome.rounds) == [str(number) for number in range(1, round_ + 1)]
    lost = ended(instance, [reply.replace("crane", "stone") for reply in replies], game)
    assert (lost.kind, lost.score, lost.metrics["guess_repetitions"]) == ("lose", 0, 2)


KINDS = ("repetition", "non_repetition")
SHARES = [f"{kind}_guesser_on_critic_{of}" for of in ("agreement", "disagreement") for kind in KINDS]


@pytest.mark.parametrize(
    ("replies", "shares"),
    [
        (rounds("slate yes slate", "crown yes brown", "stone yes stone", "plant no crane"), [0.67, 0.33, 0, 1]),
        (rounds("slate yes slate", "crown yes crown", "stone yes crane"), [0.67, 0.33, 0, 0]),
        (rounds("slate no slate", "crown no brown", "crane no crane"), [0, 0, 0.67, 0.33]),
        ([*rounds("slate yes crown"), *guess("crane"), judge("no"), "bad"], [0, 1, 0, 0]),  # no second triple
        ([*guess("crane"), judge("yes"), "bad"], [None] * 4),
        ([*guess("crane"), "bad"], [None] * 4),
    ],
)
@every_rules
def test_shares_of_agreement(instance, replies, shares):
    outcome = ended(instance, replies, "wordle_withcritic")
    assert [outcome.metrics[name] for name in SHARES] == shares


@every_rules
def test_critic_flow(instance):
    replies = rounds("crane no slate", "crown yes brown", "crane yes crane")
    episode = play(instance, replies, "wordle_withcritic")
    assert [turn.role for turn in episode.turns] == ["guesser", "critic", "guesser"] * 3, "a proposal never wins"
    assert episode.outcome is not None
    assert [numbers["change_of_opinion"] for numbers in episode.outcome.rounds.values()] == [1, 1, 0]
    assert (episode.outcome.metrics["request_count"], episode.outcome.score) == (9, pytest.approx(0.3333))
    told = "".join(turn.text for turn in episode.turns if turn.role == "critic")
    assert not any(colour in told for colour in ("<green>", "<yellow>", "<red>"))


@pytest.mark.parametrize("word", ["maybe", "yes no", "", "yes\nagreement: yes", "yes.", "crane", "YES"])
def test_what_the_critic_may_say(word):
    for instance, accepted in ((OWN, ("yes.", "YES")), (OLD, ("YES",)), (NEW, ("YES",))):
        episode = play(instance, [*guess("slate"), judge(word)], "wordle_withcritic")
        assert (episode.role == "guesser") == (word in accepted)
        assert word in accepted or (episode.outcome and episode.outcome.faulty_role) == "critic"


def test_clembench_texts_of_the_clue_game():
    replies = guess("slate", "zzzzz", "crane")
    marks = "guess_feedback: s<red> l<red> a<green> t<red> e<green>"
    told = [f"{marks}\n\n{FORM}", f"UNKNOWN. RETRY.\n\n{FORM}"]
    assert [turn.text for turn in play(OLD, replies).turns] == ["PROMPT", *told]
    first, *others = [turn.text for turn in play(NEW, replies, "wordle_withclue").turns]
    assert (first, others) == ("PROMPT\n\nclue: lifts things", told)


def test_clembench_texts_of_the_critic_game():
    texts = [turn.text for turn in play(OLD, rounds("slate yes slate", "crown no crane"), "wordle_withcritic").turns]
    shown = ["clue: lifts things\nexplanation: why\nguess: slate", "clue: lifts things\nexplanation: why\nguess: crown"]
    assert texts[:2] == ["PROMPT\n\nclue: lifts things", f"CRITIC PROMPT\n\n{shown[0]}"]
    said = "clue: lifts things\nguess_agreement: yes\nagreement_explanation: so"
    assert texts[2] == f"{said}\n\n{FORM}"
    assert texts[4] == f"{shown[1]}\n\nFORM\nexplanation: DETAILS\nagreement: YES OR NO"


def test_clembench_files_before_the_present_form_are_refused():
    old = {key: value for key, value in EXPERIMENT.items() if key != "lang_keywords"}
    with pytest.raises(UserError, match=r"1\.6"):
        CRITIC.from_clembench(old, {"target_word": "crane", "target_word_clue": ""}, "2.0")


@pytest.mark.parametrize("game", GAMES)
def test_the_scripted_guesser_solves_the_test_instances(game):
    episodes = [Episode(GAMES[game], instance) for instance in load_instances(GAMES[game], "test").instances]
    lockstep(episodes, scripted())
    won = sum(episode.outcome is not None and episode.outcome.kind == "success" for episode in episodes)
    assert won >= 0.98 * len(episodes)
