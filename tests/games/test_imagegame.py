"""Image game: scores, our own rules, clembench's rules to the letter, the generator, and the scripted pair."""

from __future__ import annotations

import importlib
from operator import methodcaller
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game

GAME = load_game("imagegame")
grids: Any = importlib.import_module("playpen_eval.games.imagegame.grids")
scripted: Any = importlib.import_module("playpen_eval.games.imagegame.scripted")
shapes: Any = importlib.import_module("playpen_eval.games.imagegame.shapes")
cases = methodcaller("split", "|")

any_grid = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ.", min_size=25, max_size=25)
few_letters = st.text("AB.", min_size=25, max_size=25)


def grid(*rows: str, empty: str = ".") -> str:
    """The text of a grid whose last rows are blank."""
    return grids.show("".join(rows).ljust(25, ".")).replace(".", empty)


TARGET = ("AAAAA", "..B..", ".B...")
HALF = ("AAAAA", "..B.C")
"""Six of its seven cells are right, of seven in the target."""
OWN: dict[str, Any] = {"target": grid(*TARGET), "rounds": 3}
DRAW = "Such as, after Put Z in all of row 5: Z Z Z Z Z. Blank cells are ▢."
ROW = r"(?:[A-Z▢]\s){4}[A-Z▢]"
PATTERNS = {"player_1_terminate": r"\s*command\s*:\s*done\s*$", "player_1_response": r"command: [^\n]+$"}
PATTERNS |= {"player_2_response": rf"\n*(?:{ROW}\n){{4}}{ROW}\n*$"}


def clembench(version: str = "2.0", **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"game_id": 0, "grid_dimension": 5, "target_grid": square(*TARGET)}
    data |= {f"{name}_pattern": pattern for name, pattern in PATTERNS.items()}
    data |= {"player_1_prompt_header": "Tell.", "player_1_question": "Next?", "player_2_prompt_header": DRAW}
    return GAME.from_clembench({"name": "some"}, data | changes, version) | {"rules": f"clembench-{version}"}


def square(*rows: str) -> str:
    return grid(*rows, empty="▢")


CLEMBENCH, DONE, GO = clembench(), "Command: DONE", "Command: go on"
PERFECT, FLAWED, EMPTY = square(*TARGET), square(*HALF), square()
both = pytest.mark.parametrize(("instance", "empty"), [(OWN, "."), (CLEMBENCH, "▢")], ids=["own", "clembench"])


def ended(instance: dict[str, Any], *replies: str) -> Outcome:
    outcome = Episode(GAME, instance, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def drawn(instance: dict[str, Any], *replies: str, done: bool = True) -> Outcome:
    return ended(instance, *(said for reply in replies for said in (GO, reply)), *[DONE] * done)


def verdict(outcome: Outcome) -> tuple[str, float | None]:
    return outcome.kind, outcome.score


def accepts(instance: dict[str, Any], reply: str) -> bool:
    """Whether the game goes on after a grid; if not, the follower must have aborted it."""
    outcome = Episode(GAME, instance, [GO, reply]).outcome
    assert outcome is None or (outcome.kind, outcome.faulty_role) == ("aborted", "follower")
    return outcome is None


def told(instance: dict[str, Any], command: str) -> str | None:
    """What the follower is told at last, or `the end`; None if the giver aborted the game."""
    episode = Episode(GAME, instance, [GO, instance["target"], command])
    if episode.outcome is None:
        return episode.observe().messages[-1]["content"]
    assert episode.outcome.kind == "success" or episode.outcome.faulty_role == "giver"
    return "the end" if episode.outcome.kind == "success" else None


@given(few_letters, few_letters)
def test_scores_are_percents_and_swap_with_the_grids(one, other):
    scores, swapped = grids.evaluate(one, other), grids.evaluate(other, one)
    assert all(0 <= score <= 100 for score in scores)
    assert scores == (swapped.recall, swapped.precision, swapped.f1)
    assert min(scores[:2]) - 1e-9 <= scores.f1 <= max(scores[:2]) + 1e-9
    assert (scores.f1 >= 99) == (one == other != grids.BLANK)
    assert grids.clembench_changed(grids.show(one), grids.show(other)) == grids.changed(one, other)


@given(few_letters.filter(lambda one: one != grids.BLANK), few_letters)
def test_clembench_rounds_the_same_scores_and_cannot_score_an_empty_grid(one, other):
    rounded = grids.clembench_evaluate(*(grids.show(text).replace(".", "▢") for text in (one, other)))
    assert (rounded is None) == (other == grids.BLANK)
    if rounded is not None:
        assert rounded == pytest.approx(grids.evaluate(one, other), abs=0.51)
        assert all(score == int(score) for score in rounded)


COMMANDS = [
    (OWN, "Command: go on|command:go  on|\n\t COMMAND:  go\ton \n\n|Command:\ngo on", GO),
    (OWN, "Command: all DONE|Command: DONE!", "itself"),
    (OWN, "command:done|Command: DONE.|\n COMMAND:\n Done .\n", "the end"),
    (OWN, "|go|Command|Command:|Command: \n|Command : go|Command: a\nb|Command: a\u2028b|**Command:** go", None),
    (CLEMBENCH, "command: x|COMMAND: two  blanks |Command:  |Command: DONE.|Command: done x|Command: a\tb", "itself"),
    (CLEMBENCH, "Command: x\n", "Command: x"),
    (CLEMBENCH, "command:done|\n COMMAND\t:\n\nDone \n\n|Command: DONE", "the end"),
    (CLEMBENCH, "|x|Command:x|Command:\tx| Command: x|Command: |Command: x\n\n|Command: x\ny|Command: \nx", None),
]


@pytest.mark.parametrize(("instance", "commands", "expected"), COMMANDS)
def test_commands(instance, commands, expected):
    for command in cases(commands):
        assert told(instance, command) == (command if expected == "itself" else expected)


# Requests by our count, and log events by clembench's in version 3.0; version 2.0 has one more in the first round.
@pytest.mark.parametrize("line", cases("gD 3 8|ggD 5 14|gx 3 9|cx 2 6|gcx 4 12|x 1 3|D 1 2|G 100 301"))
def test_requests(line):
    course, requests, events = line.split()[0], *map(int, line.split()[1:])
    more, bad = int(course not in "xD"), int("x" in course)
    for instance, total in [(OWN | {"rounds": 50}, requests), (clembench("3.0"), events), (CLEMBENCH, events + more)]:
        once = [GO, instance["target"]]
        said = {"g": once, "G": 50 * once, "c": [GO], "x": ["bad"], "D": [DONE]}
        outcome = ended(instance, *(reply for step in course for reply in said[step]))
        counts = [outcome.metrics[f"{kind}request_count"] for kind in ("", "violated_", "parsed_")]
        assert counts == [total, bad, total - bad]
        assert outcome.metrics["request_success_ratio"] == round(1 - bad / total, 4)
        undefined = {name for name, value in outcome.metrics.items() if value is None}
        assert undefined == {name for name in outcome.metrics if bad and "request" not in name}
        by_round = [row["request_count"] for row in outcome.rounds.values()]
        first, usual, final = (2, 2, 2) if "rules" not in instance else (6 + total - events, 6, 7)
        assert by_round == ([first, *[usual] * 48, final] if course == "G" else [first, usual][: len(by_round)])


# Our own rules.


@given(any_grid, st.sampled_from(cases("{}|```\n{}\n```|\n```text \n{}\n ``` \n|\n \n {}\t\n\n")), st.randoms())
def test_own_grid_is_read_whatever_its_case_blanks_and_fence(drawing, around, rng):
    kinds = ["{}", "  {} ", "\t{}\r"]
    lines = [rng.choice(kinds).format(rng.choice([line, line.lower()])) for line in grid(drawing).split("\n")]
    assert grids.read(around.format("\n".join(lines))) == drawing


def test_own_bad_grids_abort():
    good = grid("A")
    bad = [good[:39], f"{good}\n. . . . .", good.replace("A", "A ."), good.replace(" ", ""), good.replace("\n", "\n\n")]
    bad += [f"Here it is:\n{good}", f"{good}\nDone!", f"```\n{good}", f"```\n{good}\n```\nDone!", good[:-1], "", "A"]
    bad += [good.replace("A", cell) for cell in "1Äſ▢_ "] + [good.replace("A ", "A,"), good.replace("\n", " ")]
    assert accepts(OWN, good)
    assert [reply for reply in bad if accepts(OWN, reply)] == []


def test_own_last_grid_alone_counts():
    perfect = OWN["target"]
    assert grids.evaluate(grids.read(perfect), grids.read(grid(*HALF, "B"))) == (75, 600 / 7, 80)
    for last, score in [(grid(*HALF), pytest.approx(6 / 7)), (grid(), 0), (grid("Z"), 0)]:
        assert verdict(drawn(OWN, perfect, last)) == ("lose", score), "nothing stays of an earlier grid"
        assert verdict(drawn(OWN, perfect, perfect, last, done=False)) == ("lose", score)
    assert verdict(drawn(OWN, grid(), grid(), perfect, done=False)) == ("success", 1), "nobody needs to say DONE"
    assert {verdict(ended(instance, DONE)) for instance in (OWN, CLEMBENCH, clembench("3.0"))} == {("lose", 0)}


# clembench's rules, edge by edge of the rule sheet.


def test_clembench_grids():
    good = square("AB")
    taken = [good, f"\n\n{good}\n\n", good.replace(" ", "\t"), good.replace("B ", "B\n"), good.replace(" ", "\u3000")]
    assert all(accepts(CLEMBENCH, reply) for reply in taken)
    wrong = [good.lower(), f" {good}", f"{good} ", good.replace("\n", " \n"), good.replace("\n", "\n\n"), good[:-2], ""]
    wrong += [f"```\n{good}\n```", grid("AB"), good.replace("A ", "A  "), good.replace("A", "Ä"), f"Yes:\n{good}"]
    assert not any(accepts(CLEMBENCH, reply) for reply in wrong)


@pytest.mark.parametrize("reply", [EMPTY, PERFECT[:-9] + "\t".join("▢▢▢▢▢")], ids=["empty", "a later row in one piece"])
def test_clembench_scores_stay_where_evaluation_fails(reply):
    after_perfect = drawn(CLEMBENCH, PERFECT, reply)
    assert verdict(after_perfect) == ("success", 1)
    assert after_perfect.rounds["1"]["f1"] == 100
    assert verdict(drawn(CLEMBENCH, FLAWED, reply, reply)) == ("lose", 0.86)
    assert verdict(drawn(CLEMBENCH, reply)) == ("lose", 0)
    assert drawn(CLEMBENCH, reply, PERFECT).rounds["0"]["f1"] == 0
    assert grids.clembench_evaluate(square("AAAAAAAA"), square("A")) == (100, 12, 22), "12.5 is rounded to even"


@pytest.mark.parametrize("between", ["\t", "\n"], ids=["first row in one piece", "a row too many"])
def test_clembench_grids_of_another_size_score_nothing(between):
    outcome = drawn(CLEMBENCH, PERFECT, PERFECT.replace(" ", between, 4))
    assert verdict(outcome) == ("lose", 0)
    assert outcome.rounds["1"]["changed_cell_count"] == 0, "they cannot be compared either"


def test_clembench_numbers_and_texts():
    episode = Episode(GAME, CLEMBENCH, ["Command: ab  c ", square("AAAAA"), "command: d\n", FLAWED, DONE])
    texts = [f"Tell.\n{PERFECT}\nNext?", f"{DRAW}\n\nCommand: ab  c ", "Next?", "command: d", "Next?"]
    assert [turn.text for turn in episode.turns] == texts
    assert episode.outcome is not None
    assert verdict(episode.outcome) == ("lose", 0.86)
    names = ("generated_expression_length", "generated_expression_number_of_tokens", "changed_cell_count", "f1")
    # Lengths count the tag, but no blanks around the command.
    assert [[row[name] for name in names] for row in episode.outcome.rounds.values()] == [
        [14, 4, 5, 83],
        [10, 2, 2, 86],
    ]
    averages = {name: value for name, value in episode.outcome.metrics.items() if name.startswith("average")}
    assert list(averages.values()) == [3.5, 12, 3]


@pytest.mark.parametrize("pattern", [None, "(", 3])
def test_clembench_instances_without_usable_patterns_are_refused(pattern):
    with pytest.raises(UserError, match="player_2_response_pattern"):
        clembench(player_2_response_pattern=pattern)


# Instances and scripted players.


def test_generated_grids_are_of_their_kind():
    drawings = {kind: [shapes.DRAW[kind](Random(f"{kind}{seed}")) for seed in range(300)] for kind in GAME.experiments}
    assert {len(set(drawing) - {"."}) for drawing in drawings["compact"]} == {1, 2}
    assert {len(set(drawing) - {"."}) for drawing in drawings["random"]} == {1, 2, 3}
    assert {25 - drawing.count(".") for drawing in drawings["random"]} == set(range(4, 11))
    assert all(len(set(drawings[kind])) > 250 for kind in drawings), "targets hardly repeat"
    assert all([len(row) for row in rows.split()] == [5] * 5 for rows in shapes.DRAWINGS.values())
    forms = {"".join("." if cell == "." else "X" for cell in drawing) for drawing in drawings["compact"]}
    assert len(forms) > 120, "shapes do not repeat much either"


@given(any_grid)
def test_the_commands_determine_any_grid(target):
    drawing = grids.BLANK
    for command in scripted.commands(target):
        drawing = scripted.obey(command, drawing)
    assert drawing == target


def say(episode: Episode, instead: str | None = None) -> str:
    episode.act(scripted_reply(episode.observe(), "best") if instead is None else instead)
    return episode.replies[-1]


def test_the_scripted_players_are_connected_by_nothing_but_the_text():
    """With the commands of another instance the follower draws the target of that instance."""
    instances = load_instances(GAME, "test").instances[:20]
    for ours, other in zip(instances, instances[1:] + instances[:1], strict=True):
        episode, source = Episode(GAME, ours), Episode(GAME, other)
        while episode.outcome is None:
            if say(episode, instead=say(source)) != DONE:
                say(source, instead=say(episode))
        assert episode.replies[-2] == other["target"]
        assert episode.outcome.kind == "lose"


@both
def test_transcript_of_the_scripted_players(instance, empty):
    episode = Episode(GAME, instance)
    while episode.outcome is None:
        say(episode)
    one, two = "Command: Put A in all of row 1", "Command: Put B in row 2, column 3; row 3, column 2"
    assert episode.replies == [one, grid("AAAAA", empty=empty), two, grid(*TARGET, empty=empty), DONE]
    assert verdict(episode.outcome) == ("success", 1)
    giver, follower, more, relayed, _ = (turn.text for turn in episode.turns)
    assert (instance["target"] in giver, instance["target"] in follower) == (True, False)
    assert (follower.endswith(f"\n\n{one}"), relayed) == (True, two)
    assert more == "Next?" or ("up to 3 commands" in giver and "Commands left: 2" in more)
