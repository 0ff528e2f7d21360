"""Reference game: our own rules, clembench's rules to the letter, the grids, and the scripted pair."""

from __future__ import annotations

import importlib
import itertools
from collections import Counter
from operator import methodcaller
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game

GAME = load_game("referencegame")
grids: Any = importlib.import_module("playpen_eval.games.referencegame.grids")
scripted: Any = importlib.import_module("playpen_eval.games.referencegame.scripted")
cases = methodcaller("split", "|")

CORNER, CROSS, BAR = (
    grids.show(rows.split())
    for rows in ("X.... ..... ..... ..... .....", "..X.. ..X.. XXXXX ..X.. ..X..", "..... ..... XXXXX ..... .....")
)
OWN: dict[str, Any] = {"giver_grids": [BAR, CROSS, CORNER], "giver_target": 1}
OWN |= {"follower_grids": [CROSS, CORNER, BAR], "follower_target": 0}
PATTERNS = [
    r"(?P<tag>expression:\s*)(?P<response>.+)\n*(?P<remainder>(.|\n)*)",
    r"(?P<tag>answer:\s*)(?P<response>first|second|third|[123]).*\n*(?P<remainder>(.|\n)*)",
]


def clembench(version: str = "2.0", **changes: Any) -> dict[str, Any]:
    cross, corner, bar = (grid.replace(".", "□") for grid in (CROSS, CORNER, BAR))
    data: dict[str, Any] = {"game_id": 0, "target_grid_name": ["first", "1"], "p1_mode": "strict", "p2_mode": "strict"}
    data |= {"player_1_prompt_header": "Tell.", "player_2_prompt_header": "Find it.\n\nTARGET_EXPRESSION\nWhich?\n"}
    data |= {"player_1_target_grid": cross, "player_1_second_grid": corner, "player_1_third_grid": bar}
    data |= {"player_2_first_grid": cross, "player_2_second_grid": corner, "player_2_third_grid": bar}
    data |= {f"player_{player}_response_pattern": pattern for player, pattern in enumerate(PATTERNS, 1)}
    return GAME.from_clembench({"name": "some"}, data | changes, version) | {"rules": f"clembench-{version}"}


CLEMBENCH = clembench()


def ended(instance: dict[str, Any], *replies: str) -> Outcome:
    outcome = Episode(GAME, instance, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def answered(instance: dict[str, Any], answer: str) -> tuple[str, str | None]:
    outcome = ended(instance, "Expression: a cross", answer)
    return outcome.kind, outcome.faulty_role


def aborts(instance: dict[str, Any], expression: str) -> bool:
    episode = Episode(GAME, instance, [expression])
    assert episode.outcome is None or (episode.outcome.kind, episode.outcome.faulty_role) == ("aborted", "giver")
    return episode.outcome is not None


@pytest.mark.parametrize("instance", [OWN, CLEMBENCH], ids=["own", "clembench"])
@pytest.mark.parametrize(("answer", "kind", "score"), [("first", "success", 1), ("2", "lose", 0)])
def test_the_right_answer_scores_one_and_any_other_nothing(instance, answer, kind, score):
    outcome = ended(instance, "Expression: a cross", f"Answer: {answer}")
    assert (outcome.kind, outcome.score) == (kind, score)
    counts = {"request_count": 2, "parsed_request_count": 2, "violated_request_count": 0}
    sizes = {"generated_expression_length": 19, "generated_expression_number_of_tokens": 3}
    more = {"aborted_at_player_1": 0, "aborted_at_player_2": 0, "request_success_ratio": 1}
    assert outcome.metrics == counts | sizes | more
    assert outcome.rounds == {"0": counts | sizes | {"success": score}}


@pytest.mark.parametrize("instance", [OWN, CLEMBENCH, clembench("3.0")], ids=["own", "clembench", "newer"])
@pytest.mark.parametrize("replies", [["a cross"], ["Expression: a cross", "the first"]])
def test_an_abort_is_put_down_to_the_one_who_caused_it(instance, replies):
    outcome, requests = ended(instance, *replies), len(replies)
    numbers, undefined = outcome.metrics, {"success": None, "lose": None} if "rules" in instance else {}
    assert (outcome.kind, outcome.score, outcome.faulty_role) == ("aborted", None, GAME.roles[requests - 1])
    assert [numbers[f"aborted_at_player_{player}"] for player in (1, 2)] == [int(requests == p) for p in (1, 2)]
    assert numbers["request_success_ratio"] == (requests - 1) / requests
    assert {name: numbers[name] for name in ("success", "lose") if name in numbers} == undefined
    for row in (numbers, outcome.rounds["0"]):
        counts = [row[f"{name}request_count"] for name in ("", "parsed_", "violated_")]
        assert counts == [requests, requests - 1, 1]
        sizes = row["generated_expression_length"], row["generated_expression_number_of_tokens"]
        assert sizes == ((None, None) if requests == 1 else (len("Expression: a cross"), 3))
    assert outcome.rounds["0"]["success"] == 0


def test_own_expression_is_a_tag_in_any_case_and_one_line():
    for lead in ("Expression: ", "expression:", "EXPRESSION:  ", " \n\tExpression: ", "Expression:\n"):
        told = Episode(GAME, OWN, [f"{lead}a  big\tcross \n\n \n"]).observe().messages[-1]["content"]
        assert [line for line in told.splitlines() if "cross" in line] == ["Expression: a big cross"]
    for bad in cases("|Expression:|Expression: \n |a|Expression a|**Expression:** a|Expression : a|Expreßion: a"):
        assert aborts(OWN, bad), bad
    for end in cases("\n|\r|\n\n|\x0b|\x85|\u2028|\n \n"):
        assert aborts(OWN, f"Expression: a cross{end}or a plus"), end
        assert answered(OWN, f"Answer: first{end}I think") == ("aborted", "follower"), end


@given(st.text())
def test_own_follower_is_told_one_line_whatever_the_giver_says(text):
    episode, plain = Episode(GAME, OWN, [f"expression:{text}"]), Episode(GAME, OWN, ["Expression: a"])
    if episode.outcome is None:
        told, usual = (e.observe().messages[-1]["content"] for e in (episode, plain))
        assert told == usual.replace("Expression: a\n", f"Expression: {' '.join(text.split())}\n")


def test_own_answer_may_be_put_in_some_ways_and_no_other():
    for answer in cases("first|First.|1|1.|the first grid|The first grid.|first grid|the first| FIRST |\nfirst\n\n"):
        assert answered(OWN, f"answer:{answer}") == ("success", None), answer
    for answer in cases("|12|0|4|one|firstly|first!|not first|first or second|a first|the grid|１|first 1|grid"):
        assert answered(OWN, f"Answer: {answer}") == ("aborted", "follower"), answer


SEEN = """This is a game for two players and three small grids. A grid has five rows and five columns; \
an X is a filled cell and a dot is an empty one. Rows are counted from the top, columns from the left."""
TRANSCRIPT = f"""giver < {SEEN}\n\nGrid 1\n{BAR}\n\nGrid 2\n{CROSS}\n\nGrid 3\n{CORNER}

Grid 2 is the target. Your partner has the same three grids, but possibly in another order, and does not know \
which of them is meant. Say what the target looks like, so that your partner can tell it from both of the others. \
The numbers of the grids are of no use to your partner.

Reply with a single line that begins with Expression: followed by your description, and write nothing else.
giver > Expression: column 3 is full
follower < {SEEN}\n\nFirst grid\n{CROSS}\n\nSecond grid\n{CORNER}\n\nThird grid\n{BAR}

Your partner has the same three grids and was asked to describe one of them. This is the description:

Expression: column 3 is full

Which grid is it? Reply with a single line: Answer: followed by first, second or third, and write nothing else.
follower > Answer: first
success 1.0"""


def played(instance: dict[str, Any]) -> Episode:
    episode = Episode(GAME, instance)
    while episode.outcome is None:
        episode.act(scripted_reply(episode.observe(), "best"))
    return episode


def test_whole_transcript_of_the_scripted_pair_and_that_other_empty_cells_do_not_matter():
    episode = played(OWN)
    lines = [f"{turn.role} < {turn.text}\n{turn.role} > {turn.reply}" for turn in episode.turns]
    assert episode.outcome
    assert "\n".join([*lines, f"{episode.outcome.kind} {episode.outcome.score}"]) == TRANSCRIPT
    assert episode.replies == played(CLEMBENCH).replies


def one_line(reply: str) -> bool:
    """What the pattern and the strict mode say, without a pattern."""
    if reply[:11].lower() != "expression:":
        return False
    line, _, more = reply[11:].lstrip().partition("\n")
    return not more.strip("\n") if line else bool(reply[11:].strip("\n"))


@settings(max_examples=300)
@given(st.sampled_from(["expression:", "Expression: ", "EXPRESSION:\n", " expression:"]), st.text("\n\r \t\u2028a:"))
@example("Expression:", " \n a\n\n")
def test_clembench_expression_is_one_line_that_may_be_a_single_blank(tag, text):
    assert aborts(CLEMBENCH, tag + text) != one_line(tag + text)


def test_clembench_answer_begins_with_its_option():
    for answer in cases("answer: first|ANSWER:1|Answer:\n\n FIRST|Answer: 12|Answer: first or second|Answer: 1\n\n"):
        assert answered(CLEMBENCH, answer) == ("success", None), answer
    for answer in cases("|first| Answer: 1|Answer: the first|Answer:|Answer: 4|Answer: 1\nyes|Answer: 1\n \n"):
        assert answered(CLEMBENCH, answer) == ("aborted", "follower"), answer


def test_clembench_relays_the_raw_reply_and_measures_it():
    raw = "EXPRESSION:\n a  TARGET_EXPRESSION\n\n"
    episode = Episode(GAME, CLEMBENCH, [raw, "Answer: 3"])
    assert [turn.text for turn in episode.turns] == ["Tell.", f"Find it.\n\n{raw}\nWhich?\n"]
    assert episode.outcome
    for numbers in (episode.outcome.metrics, episode.outcome.rounds["0"]):
        assert (numbers["generated_expression_length"], numbers["generated_expression_number_of_tokens"]) == (35, 4)


def test_clembench_liberal_mode_and_answers_as_text():
    liberal = clembench("3.0", p1_mode="liberal", p2_mode="liberal", target_grid_name="the second")
    assert ended(liberal, "Expression: a\n\nb", "Answer: Second\n\nbecause").kind == "success"
    assert ended(liberal, "Expression: a\n\nb", "Answer: 2").kind == "lose"


@pytest.mark.parametrize("pattern", [None, "(", "expression:(?P<response>.+)", 3])
def test_clembench_instances_without_usable_patterns_are_refused(pattern):
    with pytest.raises(UserError, match="player_1_response_pattern"):
        clembench(player_1_response_pattern=pattern)


@pytest.mark.parametrize("text", ["\n", "\r\n", " ", "\t\n", "a\n", "a", " \n\n"])
def test_clembench_patterns_cope_with_long_replies(text):
    long = text * (100_000 // len(text))
    assert aborts(CLEMBENCH, f"Expression:{long}") != one_line(f"Expression:{long}")
    assert answered(CLEMBENCH, f"Answer:{long}") == ("aborted", "follower")


@pytest.mark.parametrize("kind", GAME.experiments)
def test_instances_hold_three_near_grids_and_give_no_hint_at_the_target(kind):
    rng, places, middle = Random(kind), Counter(), Counter()
    for _ in range(900):
        instance = GAME.generate(kind, rng)
        ours, theirs, target = (instance[name] for name in ("giver_grids", "follower_grids", "follower_target"))
        assert sorted(ours) == sorted(theirs)
        assert GAME.key(instance) == ours[instance["giver_target"]] == theirs[target]
        three = [tuple(row.replace(" ", "") for row in grid.split("\n")) for grid in theirs]
        assert all([len(row) for row in grid] == [5] * 5 and set("".join(grid)) <= set("X.") for grid in three)
        assert all(1 <= grids.distance(a, b) <= 8 for a, b in itertools.combinations(three, 2))
        assert kind != "rows" or all(row in grids.ROWS for grid in three for row in grid)
        assert kind != "columns" or all("".join(column) in grids.ROWS for grid in three for column in zip(*grid))
        assert kind != "symmetric" or all(row == row[::-1] for grid in three for row in grid)
        places[instance["giver_target"], target] += 1
        sums = [sum(grids.distance(grid, other) for other in three) for grid in three]
        if sums.count(min(sums)) == 1:
            middle[sums.index(min(sums)) == target] += 1
    assert all(60 < places[pair] < 140 for pair in itertools.product(range(3), repeat=2)), "uniform and independent"
    assert 0.26 < middle[True] / middle.total() < 0.4, "the target is not the grid in the middle"


GRIDS = st.lists(st.frozensets(st.tuples(st.integers(1, 5), st.integers(1, 5))), min_size=3, max_size=3, unique=True)


@given(GRIDS, st.integers(0, 2))
def test_a_description_is_true_of_the_target_alone(three, target):
    facts = list(scripted.facts_in(scripted.describe(three, target)))
    assert [all(fact.holds(grid) for fact in facts) for grid in three] == [index == target for index in range(3)]
    assert 1 <= len(facts) <= 2


def test_the_scripted_givers_words_for_another_grid_lead_the_follower_to_that_grid():
    for instance in load_instances(GAME, "test").instances:
        for meant, grid in enumerate(instance["giver_grids"]):
            giver = GAME.scripted("giver", GAME.view(instance | {"giver_target": meant}, "giver"), "best")
            episode = Episode(GAME, instance, [giver([])])
            chosen = scripted.ORDINALS[instance["follower_grids"].index(grid)]
            assert scripted_reply(episode.observe(), "best") == f"Answer: {chosen}"
