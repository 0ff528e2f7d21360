"""Match it: our own rules, clembench's rules to the letter, the pairs of grids, and the scripted pair."""

from __future__ import annotations

import importlib
from collections import Counter
from operator import methodcaller
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances, make_split, split_of
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game

GAME = load_game("matchit_ascii")
grids: Any = importlib.import_module("playpen_eval.games.matchit_ascii.grids")
scripted: Any = importlib.import_module("playpen_eval.games.matchit_ascii.scripted")
cases = methodcaller("split", "|")

CROSS, BAR = (grids.show(rows.split()) for rows in ("..X.. ..X.. XXXXX ..X.. ..X..", "..... ..... XXXXX ..... ....."))
SAME: dict[str, Any] = {"grid_a": CROSS, "grid_b": CROSS, "questions": 3}
OTHER = SAME | {"grid_b": BAR}


def clembench(version: str = "2.0", *, same: bool = False, **changes: Any) -> dict[str, Any]:
    flags = {kind: f"{kind.upper()}:" for kind in ("description", "question", "answer", "decision")}
    wordings = ["same grid", "different grids"] if same else ["different grids", "same grid"]
    experiment = {"name": "some", "flags": flags, "solution": wordings[0], "wrong_solution": wordings[1]}
    experiment |= {"initial_prompt": "Tell:\n$GRID$", "desc_intro": "Mine is ", "q_reprompt": "Ask."}
    experiment |= {"a_request": " Answer.", "d_reprompt": "Decide.\n"}
    data = {"game_id": 0, "grid_a": CROSS, "grid_b": CROSS if same else BAR, "decision_turn": 3} | changes
    return GAME.from_clembench(experiment, data, version) | {"rules": f"clembench-{version}"}


THEIRS = clembench()
BOTH = pytest.mark.parametrize("instance", [OTHER, THEIRS, clembench("3.0")], ids=["own", "2.0", "3.0"])
ORDER = cases("a:d|b:d|b:q|a:a|a:q|b:a|b:q|a:a|a:q|b:a|b:q|a:a|a:q|b:a|b:x|a:x")
ROUNDS = [0] * 3 + [1] * 4 + [2] * 4 + [3] * 4 + [4]
NAMES = {"d": "DESCRIPTION:", "q": "QUESTION:", "a": "ANSWER:", "x": "DECISION:"}
GOOD = [f"{NAMES[step[2]]} text {turn}" for turn, step in enumerate(ORDER[:-2])] + ["DECISION: different grids"] * 2


def ended(instance: dict[str, Any], *replies: str) -> Outcome:
    episode = Episode(GAME, instance)
    for reply in replies:
        if episode.outcome is None:
            episode.act(reply)
    assert episode.outcome, "the episode still runs"
    return episode.outcome


def decided(instance: dict[str, Any], by_b: str, by_a: str = "DECISION: same grid") -> Outcome:
    return ended(instance, *GOOD[:14], by_b, by_a)


def begins(instance: dict[str, Any], reply: str) -> bool:
    """Whether the reply is accepted as a description."""
    episode = Episode(GAME, instance, [reply])
    assert episode.outcome is None or episode.outcome.faulty_role == "player_a"
    return episode.outcome is None


def counts(parsed: int, violated: int) -> dict[str, int]:
    names = ("request_count", "parsed_request_count", "violated_request_count")
    return dict(zip(names, (parsed + violated, parsed, violated), strict=True))


@BOTH
@pytest.mark.parametrize("turn", range(16))
def test_a_wrong_tag_at_any_turn_aborts_and_is_counted_in_its_round(instance, turn):
    outcome = ended(instance, *GOOD[:turn], "Well, " + GOOD[turn])
    assert (outcome.kind, outcome.score, outcome.faulty_role) == ("aborted", None, f"player_{ORDER[turn][0]}")
    assert outcome.metrics == counts(turn, 1) | {"player_score": None}
    assert GAME.max_turns(instance) == len(ORDER) == 16
    parsed = Counter(ROUNDS[:turn])
    expected = {str(n): counts(parsed[n], int(n == ROUNDS[turn])) for n in range(ROUNDS[turn] + 1)}
    assert outcome.rounds == expected


@pytest.mark.parametrize("rules", ["own", "2.0", "3.0"])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("said", ["ss", "sd", "ds", "dd"])
def test_both_decisions_must_be_right(rules, same, said):
    instance = (SAME if same else OTHER) if rules == "own" else clembench(rules, same=same)
    by_b, by_a = (f"DECISION: {'same grid' if one == 's' else 'different grids'}" for one in said)
    outcome, right = decided(instance, by_b, by_a), said.count("s" if same else "d")
    assert (outcome.kind, outcome.score) == (("success", 1.0) if right == 2 else ("lose", 0.0))
    assert outcome.metrics == counts(16, 0) | {"player_score": 50 * right}
    assert outcome.rounds == {str(n): counts(size, 0) for n, size in enumerate([3, 4, 4, 4, 1])}


def test_own_texts_of_a_whole_episode():
    texts = [turn.text for turn in Episode(GAME, OTHER, GOOD).turns]
    for text, grid in zip(texts, (CROSS, BAR)):
        assert f"Your own grid:\n\n{grid}\n\nHow the game goes\n" in text
        assert "you has 3 questions to ask." in text
    ask = "Your turn to ask: what would help you to tell whether the grids differ? Reply with the tag Question: "
    ask += "followed by one question about your partner's grid."
    answer = "Reply with the tag Answer: followed by your answer to this question."
    decide = "All questions have been asked. Are the two grids the same? Reply with Decision: same grid or with "
    decide += "Decision: different grids, and write nothing else."
    says = "Your partner says:\n\n"
    assert texts[2] == f"{says}Description: text 0\n\n{ask}"
    assert texts[3] == f"{says}Description: text 1\n\nQuestion: text 2\n\n{answer}"
    for n in (5, 7, 9, 11, 13):
        assert texts[n] == f"{says}Answer: text {n - 2}\n\nQuestion: text {n - 1}\n\n{answer}"
    assert [texts[n] for n in (4, 6, 8, 10, 12)] == [ask] * 5
    assert texts[14:] == [decide, f"{says}Answer: text 13\n\n{decide}"]


def test_clembench_texts_of_a_whole_episode():
    replies = [f"{reply}\n  more" for reply in GOOD[:-2]] + GOOD[-2:]
    texts = [turn.text for turn in Episode(GAME, THEIRS, [f" {reply}\n" for reply in replies]).turns]
    assert texts[:2] == [f"Tell:\n{CROSS}", f"Tell:\n{BAR}"]
    assert texts[2] == f"Mine is {replies[0]}\nAsk."
    assert texts[3] == f"Mine is {replies[1]}\n{replies[2]} Answer."
    for n in (5, 7, 9, 11, 13):
        assert texts[n] == f"{replies[n - 2]}\n{replies[n - 1]} Answer."
    assert [texts[n] for n in (4, 6, 8, 10, 12)] == ["Ask."] * 5
    assert texts[14:] == ["Decide.\n", f"{replies[13]}\nDecide.\n"]


def test_own_tags_in_any_case_with_something_behind():
    for good in cases("Description: a|DESCRIPTION:a|description:\n\na| \n Description:  a\nb|Description: Question: a"):
        assert begins(OTHER, good), good
    for bad in cases("|Description:|Description: \n |Description a|Description : a|**Description:** a|Question: a|a"):
        assert not begins(OTHER, bad), bad


@given(st.text())
@example("{heard} {0} \x00 \ud800\n.")
def test_own_message_is_relayed_as_it_is(text):
    episode = Episode(GAME, OTHER, [f"description:{text}"])
    assert (episode.outcome is None) == bool(text.strip())
    if episode.outcome is None:
        episode.act(GOOD[1])
        assert f"\n\nDescription: {text.strip()}\n\n" in episode.observe().messages[-1]["content"]


def test_own_decision_may_be_put_in_some_ways_and_no_other():
    for same in cases("same|Same grid.|the same|THE SAME GRID|same  grids| same\ngrid|same.\n"):
        assert decided(SAME, f"Decision:{same}").kind == "success", same
    for other in cases("different grids|different|Different grid.|the different grids"):
        assert decided(OTHER, f"decision: {other}", "Decision: different").kind == "success", other
    for bad in cases(
        "|yes|not the same|same or different|same, I think|samegrid|same grid!|same grid..|grid|different\n!"
    ):
        outcome = decided(SAME, f"Decision: {bad}")
        assert (outcome.kind, outcome.faulty_role) == ("aborted", "player_b"), bad
        assert outcome.rounds["3"] == counts(3, 1)


def test_clembench_tag_is_the_first_word():
    for good in cases("DESCRIPTION: a|DESCRIPTION:|DESCRIPTION:\na|\n DESCRIPTION: \n\nQUESTION: a"):
        assert begins(THEIRS, good), good
    for bad in cases("|\n|DESCRIPTION:a|Description: a|DESCRIPTION:\ta|DESCRIPTION a|A DESCRIPTION: a|QUESTION: a"):
        assert not begins(THEIRS, bad), bad


@given(st.text(" \n.:aDESCRIPTION"))
@example("DESCRIPTION:\n")
def test_clembench_first_word_said_in_another_way(text):
    words = text.replace("\n", " ").split()
    whole = bool(words) and words[0] == "DESCRIPTION:"
    assert begins(THEIRS, text) == whole


def test_clembench_decisions_are_two_wordings_in_any_case():
    instance = clembench(same=True)
    for right in cases("DECISION: same grid|DECISION: SAME Grid...|DECISION: same grid.\n.|\nDECISION: same grid\n"):
        assert decided(instance, right).metrics["player_score"] == 100, right
    assert decided(instance, "DECISION: Different grids.").metrics["player_score"] == 50
    for bad in cases(
        "DECISION: same|DECISION: same grids|DECISION:  same grid|DECISION:\nsame grid|DECISION: same grid. ok"
    ):
        outcome = decided(instance, bad)
        assert (outcome.kind, outcome.faulty_role) == ("aborted", "player_b"), bad
        assert outcome.rounds["3"] == counts(4, 1), "parsed for its tag and violated for its wording"
        assert outcome.metrics == counts(15, 1) | {"player_score": None}
    assert decided(instance, "Decision: same grid").rounds["3"] == counts(3, 1)


def test_clembench_number_of_questions_comes_with_the_data():
    one = clembench(decision_turn=1)
    assert GAME.max_turns(one) == 8
    assert ended(one, *GOOD[:6], *GOOD[-2:]).rounds == {str(n): counts(size, 0) for n, size in enumerate([3, 4, 1])}
    for bad in (0, None, "3"):
        with pytest.raises(UserError, match="decision_turn"):
            clembench(decision_turn=bad)


def placements(grid: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The grid in all eight orientations, and each shifted by one cell around the edge."""
    found = set()
    for _ in range(4):
        grid = tuple(map("".join, zip(*grid[::-1], strict=True)))
        found |= {grid, grid[::-1]}
    across = {tuple(row[n:] + row[:n] for row in turned) for turned in found for n in (1, 4)}
    return found | across | {turned[n:] + turned[:n] for turned in found for n in (1, 4)}


LETTERS = {placed for letter in grids.LETTERS.values() for placed in placements(letter)}
DISTANCES = {"same_grid": {0}, "similar_grid_1": {4, 6, 8}, "similar_grid_2": {2}}


@pytest.mark.parametrize("experiment", GAME.experiments)
def test_pairs_differ_as_the_experiment_says_and_neither_grid_gives_a_hint(experiment):
    rng, drawn, clean = Random(experiment), Counter(), Counter()
    for index in range(1500):
        one, other = grids.draw_pair(experiment, rng)
        for grid in (one, other):
            assert [len(row) for row in grid] == [5] * 5
            assert set("".join(grid)) <= set("X.")
            assert 6 <= "".join(grid).count("X") <= 19
        drawn[grids.distance(one, other)] += 1
        if experiment.startswith("similar"):
            assert "".join(one).count("X") == "".join(other).count("X")
        if experiment == "similar_grid_1" and index < 200:
            assert placements(one) & placements(other), "a turn and a shift lie between a grid and its drawing"
        clean["a"] += one in LETTERS
        clean["b"] += other in LETTERS
    assert drawn.keys() == DISTANCES.get(experiment, drawn.keys())
    assert min(drawn) >= 10 or experiment in DISTANCES
    assert all(90 < clean[side] < 230 for side in "ab"), f"one in six is a letter, half of these as it is: {clean}"


@pytest.mark.parametrize("split", GAME.sizes)
def test_both_grids_of_a_pair_belong_to_the_split(split):
    for instance in make_split(GAME, split):
        assert {split_of(instance["grid_a"]), split_of(instance["grid_b"])} == {split}


ROWS = st.lists(st.text("X.", min_size=5, max_size=5), min_size=5, max_size=5)


@given(ROWS, ROWS)
def test_scripted_players_find_out_about_any_two_grids(one, other):
    for grid_b in (one, other):
        instance = {"grid_a": grids.show(one), "grid_b": grids.show(grid_b), "questions": 1}
        episode = Episode(GAME, instance)
        while episode.outcome is None:
            episode.act(scripted_reply(episode.observe(), "best"))
        assert episode.outcome.kind == "success"


def test_rows_are_read_from_sentences_and_from_grids():
    told = scripted.rows_in("My row 1 is X.X.X, Row 2: ▢ ▢ x ▢ X. row 3 XXXXXX")
    assert list(told) == [(1, "X.X.X"), (2, "..X.X"), (3, "XXXXX")]
    assert list(scripted.rows_in(f"Question: no\n{BAR}\nX X X X X")) == list(enumerate(BAR.replace(" ", "").split(), 1))
    for none in cases("row 6 XXXXX|row 1 XXXX|arrow 1 XXXXX|rows 1 XXXXX|X X X X X|row 5 of"):
        assert not list(scripted.rows_in(none)), none


def test_a_scripted_player_that_hears_no_rows_decides_for_different_grids():
    episode = Episode(GAME, SAME)
    for reply in GOOD:
        episode.act(reply if episode.role == "player_a" else scripted_reply(episode.observe(), "best"))
    assert episode.replies[14] == "Decision: different grids"


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_scripted_players_on_all_of_clembenchs_instances(shared, version):
    instances = load_instances(GAME, f"clembench:{shared / 'clembench'}@v{version}").instances
    assert Counter(instance["experiment"] for instance in instances) == dict.fromkeys(GAME.experiments, 10)
    for instance in instances:
        for breaker in (None, *GAME.roles):
            episode = Episode(GAME, instance)
            while episode.outcome is None:
                seen = episode.observe()
                episode.act(scripted_reply(seen, "breaker" if seen.role == breaker else "best"))
            assert episode.outcome.kind == ("aborted" if breaker else "success")
            assert episode.outcome.faulty_role == breaker
