"""Privateshared: our own rules, clembench's rules to the letter, the score, the content and the scripted answerer."""

from __future__ import annotations

import importlib
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.players import scripted_reply
from playpen_eval.recordings import RecordedEpisode
from playpen_eval.registry import load_game

GAME = load_game("privateshared")
scores: Any = importlib.import_module("playpen_eval.games.privateshared.scores")
content: Any = importlib.import_module("playpen_eval.games.privateshared.content")

SLOTS = {"sponge": "tea", "filling": "jam", "lettering": "Bon voyage"}
OWN = {
    "scene": "cake_order",
    "slots": SLOTS,
    "tries": 5,
    "order": [1, 0, 2],
    "wordings": {"requests": [0, 0, 0], "probes": [[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3]]},
}


def clembench(version: str = "2.0", **experiment: Any) -> dict[str, Any]:
    instance = {
        "game_id": 0,
        "tag": "HOST",
        "slots": SLOTS,
        "initial_prompt": "You know it all.",
        "request_order": ["filling", "sponge", "lettering"],
        "requests": dict.fromkeys(SLOTS, 0),
        "probes": {str(round_): dict.fromkeys(reversed(SLOTS), 0) for round_ in range(4)},
        "lang": "en",
    }
    return GAME.from_clembench({"name": "some", **experiment}, instance, version) | {"rules": f"clembench-{version}"}


CLEMBENCH = clembench()
both = pytest.mark.parametrize("instance", [OWN, CLEMBENCH], ids=["own", "clembench"])
TOLD = [f"ANSWER: {SLOTS[slot]}" for slot in ("filling", "sponge", "lettering")]


def asides(pattern: str) -> list[str]:
    return [f"ASIDE: {'yes' if letter == 'y' else 'no'}" for letter in pattern]


def ended(instance: dict[str, Any], *replies: str) -> Outcome:
    outcome = Episode(GAME, instance, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def played(instance: dict[str, Any], answers: list[str], *rounds: str) -> Outcome:
    """Answers in order, each with the pattern of the probing round after it; "" if none follows."""
    replies = asides("nnn")
    for answer, pattern in zip(answers, rounds, strict=True):
        replies += [answer, *asides(pattern)]
    return ended(instance, *replies)


def counts(outcome: Outcome) -> list[float | None]:
    names = ("request_count", "parsed_request_count", "violated_request_count")
    return [outcome.metrics[name] for name in names]


def of_rounds(outcome: Outcome, name: str) -> list[float | None]:
    return [numbers.get(name) for numbers in outcome.rounds.values()]


T, F = True, False


def test_kappa_and_harmonic_mean_by_hand():
    mixed = [(T, T)] * 20 + [(T, F)] * 5 + [(F, T)] * 10 + [(F, F)] * 15  # agreement 0.7, by chance 0.5
    half = [(T, T), (T, F), (F, T), (F, F)]
    found = [scores.kappa(pairs) for pairs in ([(T, T), (F, F)], [(T, F), (F, T)], half, mixed, [(F, T), (F, T)])]
    assert found == pytest.approx([1, -1, 0, 0.4, 0])
    assert [scores.kappa(pairs) for pairs in ([(F, F), (F, F)], [(T, T)], [])] == [None] * 3
    found = [scores.harmonic_mean(*pair) for pair in ((1, 1), (1, 0), (0, 0), (0.8, 0.4))]
    assert found == pytest.approx([1, 0, 0, 0.64 / 1.2])


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_kappa_is_symmetric_and_at_most_one(pairs):
    value = scores.kappa(pairs)
    assert value == scores.kappa([(b, a) for a, b in pairs])
    assert value is None or (-1 <= value <= 1 and (value == 1) == all(a == b for a, b in pairs))


@both
def test_a_perfect_game(instance):
    # Own probes come in the order of the slots, clembench's here in the opposite one.
    outcome = played(instance, TOLD, *(("nyn", "yyn", "yyy") if instance is OWN else ("nyn", "nyy", "yyy")))
    assert (outcome.kind, outcome.score) == ("success", 1)
    assert counts(outcome) == [15, 15, 0]
    assert of_rounds(outcome, "request_count") == [3, 4, 4, 4]
    assert of_rounds(outcome, "accuracy") == [1, 1, 1, 1]
    assert of_rounds(outcome, "slot_filled") == [None, 1, 1, 1]
    assert (outcome.metrics["middle_accuracy"], outcome.metrics["request_success_ratio"]) == (1, 1)


@both
def test_partial_credit_by_hand(instance):
    outcome = played(instance, TOLD, "nnn", "nnn", "nnn")
    assert (outcome.kind, outcome.score, outcome.metrics["accuracy"]) == ("lose", 0, 0.5)
    assert (outcome.metrics["kappa"], outcome.metrics["slot_filling_accuracy"]) == (0, 1)
    # One yes, where it is due. Ours: 5 due, 8 of 12 right. clembench's questioner knows the last slot: 6 due, 7 right.
    outcome = played(instance, [TOLD[0], TOLD[1], "ANSWER: nothing"], "nyn", "nnn", "nnn")
    agreement, score = (7 / 31, 28 / 83) if instance is OWN else (1 / 6, 4 / 15)
    assert outcome.metrics["slot_filling_accuracy"] == pytest.approx(2 / 3)
    assert outcome.metrics["kappa"] == outcome.metrics["truncated_kappa"] == pytest.approx(agreement)
    assert outcome.score == pytest.approx(score)


@both
def test_a_kappa_below_zero_or_without_a_valid_answer_scores_zero(instance):
    outcome = ended(instance, *asides("yyy"), *(r for told in TOLD for r in (told, *asides("nnn"))))
    assert outcome.metrics["kappa"] == -0.5
    assert (outcome.metrics["truncated_kappa"], outcome.score) == (0, 0)
    outcome = played(instance, ["tea", "", "it is ANSWER: jam"], "", "", "")
    assert (outcome.kind, outcome.score, outcome.metrics["kappa"]) == ("lose", 0, None)
    assert (outcome.metrics["truncated_kappa"], outcome.metrics["slot_filling_accuracy"]) == (0, 0)


@both
def test_probes_are_forgotten_and_the_opening_is_not(instance):
    episode = Episode(GAME, instance)
    first = episode.observe().messages
    assert [message["role"] for message in first] == ["user", "assistant", "user"]
    for reply in ["hm", *asides("nnn"), TOLD[0], *asides("ny")]:
        episode.act(reply)
    messages = episode.observe().messages
    assert messages[:2] == first[:2]
    assert [message["content"] for message in messages[3:-1]] == [TOLD[0]]
    assert len(messages) == 5


@both
@pytest.mark.parametrize("before", [0, 2, 4])
def test_the_fifth_bad_aside_in_a_row_aborts(instance, before):
    good = [*asides("nnn"), TOLD[0]][:before]
    episode = Episode(GAME, instance, [*good, "no", "ASIDE:", "ASIDE: perhaps", "ANSWER: no"])
    assert len({turn.text for turn in episode.turns[-4:]}) > 1, "a repeated probe says so"
    episode.act("yes")
    outcome = episode.outcome
    assert outcome is not None
    assert (outcome.kind, outcome.score, outcome.faulty_role) == ("aborted", None, "answerer")
    assert counts(outcome) == [before + 5, before, 5]
    names = ("accuracy", "kappa", "truncated_kappa", "slot_filling_accuracy")
    assert [outcome.metrics[name] for name in names] == [None] * 4
    assert of_rounds(outcome, "accuracy") == ([1] if before == 4 else []) + [None] * (instance is OWN)
    assert "middle_accuracy" not in outcome.metrics, "its round was not probed"
    late = ended(instance, *GAME.solution(instance)[:8], *[""] * 5)
    assert late.metrics["middle_accuracy"] is None, "its round was, but the game was aborted"


@both
def test_a_fifth_try_may_still_succeed_and_costs_no_score(instance):
    outcome = ended(instance, *GAME.solution(instance, last=True))
    assert (outcome.kind, counts(outcome)) == ("success", [63, 15, 48])
    assert len(GAME.solution(instance, last=True)) == GAME.max_turns(instance) == 63


def said(instance: dict[str, Any], reply: str) -> str:
    """How a reply to the first probe is read, whose right answer is no."""
    outcome = Episode(GAME, instance, [reply, *asides("nn"), "", "", ""]).outcome
    if outcome is None:
        return "again"
    return "no" if outcome.metrics["accuracy"] == 1 else "yes"


def test_answers_that_are_invalid_and_their_counters():
    replies = ["jam", TOLD[1], TOLD[2]]
    ours = played(OWN, replies, "", "ynn", "yny")
    assert (ours.kind, ours.metrics["accuracy"], ours.metrics["slot_filling_accuracy"]) == ("lose", 1, 2 / 3)
    assert counts(ours) == [12, 11, 1]
    assert of_rounds(ours, "accuracy") == [1, None, 1, 1]
    assert of_rounds(ours, "slot_filled") == [None, 0, 1, 1]
    assert "middle_accuracy" not in ours.metrics, "the round in the middle was not probed"
    theirs = played(CLEMBENCH, replies, "", "nyy", "ynn")
    assert (theirs.kind, theirs.metrics["slot_filling_accuracy"]) == ("lose", 1)
    assert counts(theirs) == [11, 11, 1], "a violation that is no request"
    assert list(theirs.rounds) == ["0", "1", "2"], "as many as were probed, each with the counts of that index"
    assert of_rounds(theirs, "request_count") == [3, 0, 4]
    assert of_rounds(theirs, "violated_request_count") == [0, 1, 0]
    assert of_rounds(theirs, "accuracy") == [1, 1, pytest.approx(1 / 3)]
    assert of_rounds(theirs, "slot_filled") == [None, 1, 1]
    assert theirs.metrics["middle_accuracy"] == 1
    assert played(CLEMBENCH, replies, "", "nyy", "yyy").kind == "success", "unanswered slots are left out"
    late = played(CLEMBENCH, ["ANSWER: x", "bad", TOLD[2]], "nyn", "", "yyy")
    assert of_rounds(late, "slot_filled") == [None, 0, 1], "the third request under the number of the second"


def test_what_an_answer_gives_away():
    # The value "tea" in the first answer, which was to be "jam".
    ours = played(OWN, ["ANSWER: jam and TEA", *TOLD[1:]], "yyn", "yyn", "yyy")
    assert (ours.metrics["accuracy"], ours.metrics["slot_filling_accuracy"]) == (1, 2 / 3)
    assert of_rounds(ours, "slot_filled") == [None, 1, 0, 1]
    theirs = played(CLEMBENCH, ["ANSWER: jam and TEA", *TOLD[1:]], "nyy", "nyy", "yyy")
    assert (theirs.kind, theirs.score) == ("success", 1)
    # Part of a word.
    assert of_rounds(played(OWN, ["ANSWER: steak, jam", *TOLD[1:]], "nyn", "yyn", "yyy"), "accuracy") == [1] * 4
    assert of_rounds(played(CLEMBENCH, ["ANSWER: steak, jam", *TOLD[1:]], "nyy", "nyy", "yyy"), "accuracy") == [1] * 4
    # Everything at once is worth everything there, and a third of the slots here.
    everything = f"ANSWER: {', '.join(SLOTS.values())}"
    assert played(CLEMBENCH, [everything] * 3, "yyy", "yyy", "yyy").kind == "success"
    assert played(OWN, [everything] * 3, "yyy", "yyy", "yyy").score == pytest.approx(0.5)


FILLS = "ANSWER: jam| \n\tanswer:jam|Answer: **JAM**!|ANSWER: it is\nJam, please|ANSWER: _jam_|ANSWER: \uff4aam"
FILLS_NOT = "ANSWER: jams|ANSWER: pyjama|ANSWER: j am|ANSWER:|ANSWER: tea|jam|The ANSWER: jam"
FILLS_THEIRS = "ANSWER:jam|ANSWER: JAM|ANSWER:ANSWER: jam|ANSWER: pyjama|ANSWER: jANSWER:am|ANSWER: jam\n\n"
INVALID_THEIRS = "answer: jam| ANSWER: jam|\nANSWER: jam|ANSWER : jam|ANSWER: jam\nplease|ANSWER jam"


def test_answers_in_both_modes():
    def filled(instance: dict[str, Any], answers: str) -> list[bool]:
        found = []
        for answer in answers.split("|"):
            episode = Episode(GAME, instance, [*asides("nnn"), answer])
            while episode.outcome is None:
                episode.act("ASIDE: no")
            found.append(episode.outcome.metrics["slot_filling_accuracy"] != 0)
        return found

    assert [set(filled(OWN, answers)) for answers in (FILLS, FILLS_NOT)] == [{True}, {False}]
    assert [set(filled(CLEMBENCH, answers)) for answers in (FILLS_THEIRS, INVALID_THEIRS)] == [{True}, {False}]
    for answer in INVALID_THEIRS.split("|"):
        assert counts(played(CLEMBENCH, [answer, "", ""], "", "", "")) == [3, 3, 3]


@pytest.mark.parametrize(
    ("own", "theirs", "replies"),
    [
        ("yes", "yes", "ASIDE: yes|ASIDE:Yes.|ASIDE: YES, it does"),
        ("no", "no", "ASIDE: no|ASIDE:No!|ASIDE: no, yes|ASIDE: no\n\n|ASIDE:\tno"),
        ("again", "no", "ASIDE: nothing|ASIDE: not sure|ASIDE: noon"),
        ("again", "yes", "ASIDE: yesterday|ASIDE: yesno"),
        ("yes", "again", " aside: yes|ASIDE: **yes**|Aside: Yes\nANSWER: jam|\nASIDE: yes"),
        ("no", "again", "ASIDE: no\nreally|aside: no"),
        ("again", "yes", "ASIDE: ASIDE: yes"),
        ("again", "again", "|yes|ASIDE yes|ASIDE:|ASIDE: maybe yes|ANSWER: yes|The ASIDE: no|ASIDE: \u200b"),
    ],
)
def test_asides_in_both_modes(own, theirs, replies):
    for reply in replies.split("|"):
        assert (said(OWN, reply), said(CLEMBENCH, reply)) == (own, theirs), reply


def by_expert(instance: dict[str, Any]) -> Episode:
    episode = Episode(GAME, instance)
    while episode.outcome is None:
        episode.act(scripted_reply(episode.observe(), "best"))
    assert episode.outcome.kind == "success"
    return episode


def test_a_whole_transcript():
    episode = Episode(GAME, OWN, ["hm", *GAME.solution(OWN)])
    slots = content.SCENES["cake_order"].slots
    questions = [turn.text.splitlines()[0] for turn in episode.turns]
    expected = [f"REFEREE: {slots['sponge'].probes[0]}"]
    for round_, asked in enumerate((None, "filling", "sponge", "lettering")):
        expected += [f"BAKER: {slots[asked].requests[0]}"] if asked else []
        expected += [f"REFEREE: {slots[name].probes[round_]}" for name in SLOTS]
    assert questions == expected
    assert [turn.remember for turn in episode.turns] == [text.startswith("BAKER:") for text in questions]
    prompt, ready = (message["content"] for message in Episode(GAME, OWN).observe().messages[:2])
    assert all(f"- {name}: {value}\n" in f"{prompt}\n" for name, value in SLOTS.items())
    assert ("5 such replies" in prompt, ready) == (True, "All right, I am ready.")


def test_clembench_texts_come_from_the_folder_or_are_neutral(tmp_path):
    def write(path: str, data: Any) -> None:
        (tmp_path / "resources" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "resources" / path).write_text(json.dumps(data), encoding="utf-8")

    write("texts/some/requests.json", {name: [f"Say {name}."] for name in SLOTS})
    write("texts/some/probing_questions.json", {name: [f"Is {name} known?"] for name in SLOTS})
    write("texts/reprompts.json", {"suffixes": ["", "Again.", "x", "y", "z"]})
    write("en_words.json", {"OK": "Fine.", "ME": "ME: ", "PROBE": "ME: {} Yes or no."})
    instance = clembench("3.0", folder=str(tmp_path))
    episode = Episode(GAME, instance)
    shown = [message["content"] for message in episode.observe().messages]
    assert shown == ["You know it all.", "Fine.", "ME:  Is lettering known? Yes or no."]
    episode.act("?")
    assert episode.observe().messages[-1]["content"] == "ME: Again. Is lettering known? Yes or no."
    for reply in asides("nnn"):
        episode.act(reply)
    assert episode.observe().messages[-1]["content"] == "HOST: Say filling."
    for other in (CLEMBENCH, clembench("3.0"), instance):
        assert by_expert(other).replies == GAME.solution(other)


def test_recorded_replies_leave_out_programs_and_what_was_never_said():
    def event(sender: str, receiver: str, kind: str, text: str, label: str = "context") -> dict[str, Any]:
        return {"from": sender, "to": receiver, "action": {"type": kind, "content": text, "label": label}}

    log = [
        event("GM", "Player 1", "send message", "opening", "pseudo"),
        event("Player 1", "GM", "get message", "Fine.", "pseudo"),
        event("GM", "Player 2", "send message", "next?"),
        event("Player 2", "GM", "get message", "Say it."),
        event("GM", "Player 1", "send message", "probe", "forget"),
        event("Player 1", "GM", "get message", "ASIDE: no", "forget"),
    ]
    models = {"GM": "programmatic", "Player 1": "m", "Player 2": "programmatic"}
    players = {name: {"model_name": model} for name, model in models.items()}
    recorded = RecordedEpisode("", "", "", {}, {}, {"turns": [log], "players": players}, None)
    assert list(recorded.replies()) == [("Player 1", "probe", "ASIDE: no")]


@pytest.mark.parametrize("name", content.SCENES)
def test_no_value_lies_in_another_one_or_in_a_text(name):
    scene = content.SCENES[name]
    asked = [text for slot in scene.slots.values() for text in (*slot.requests, *slot.probes)]
    assert len(set(asked)) == len(asked), "a question is about one slot"
    texts = [text.lower() for text in (*asked, scene.situation, scene.who, *scene.slots, *content.PROMPTS.values())]
    values = {value.lower() for slot in scene.slots.values() for value in slot.values}
    assert [(a, b) for a in values for b in values if a != b and a in b] == []
    assert [(value, text) for value in values for text in texts if value in text] == []
    assert 5 <= len(scene.slots) <= 15
    for slot in scene.slots.values():
        assert (len(slot.values) >= 10, len(slot.requests) >= 5, len(slot.probes) >= 10) == (True, True, True)
        assert not any("{" in text for text in (*slot.requests, *slot.probes))


@given(st.sampled_from(GAME.experiments), st.integers())
def test_generated_instances_follow_from_the_random_numbers_and_are_won_by_the_expert(experiment, seed):
    instance = GAME.generate(experiment, Random(seed))
    assert instance == GAME.generate(experiment, Random(seed))
    size = len(content.SCENES[experiment].slots)
    assert len(set(instance["slots"].values())) == size
    assert sorted(instance["order"]) == list(range(size))
    assert GAME.key(instance) == instance["slots"]
    if size < 9:
        assert by_expert(instance).replies == GAME.solution(instance)


def test_the_expert_looks_at_its_chat_and_not_at_the_number_of_requests():
    episode = Episode(GAME, OWN, [*asides("nnn"), "ANSWER: who knows"])
    seen = []
    for _ in SLOTS:
        episode.act(scripted_reply(episode.observe(), "best"))
        seen.append(episode.replies[-1])
    assert seen == asides("nnn")
