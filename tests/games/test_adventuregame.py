"""Adventure game: our own rules and texts, clembench's rules to the letter, shortest plans, and the scripted player."""

from __future__ import annotations

import importlib
from collections import deque
from operator import methodcaller
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game

GAME = load_game("adventuregame")


def module(name: str) -> Any:
    return importlib.import_module(f"playpen_eval.games.adventuregame.{name}")


generate, planner, replies, rules, session = map(module, ("generate", "planner", "replies", "rules", "session"))
split = methodcaller("split", "|")

OWN: dict[str, Any] = {"variant": "basic", "limit": 2, "max_turns": 12, "optimal_turns": 9, "domain": "own_house"}
OWN |= {"task": "Put the lemon in the fridge, the hammer in the fridge and the atlas on the bench."}
HOUSE = """type(player1,player) at(player1,hall1) room(hall1,hall) type(hall1floor,floor) at(hall1floor,hall1)
    exit(hall1,kitchen1) room(kitchen1,kitchen) type(kitchen1floor,floor) at(kitchen1floor,kitchen1)
    exit(kitchen1,hall1) type(bench1,bench) at(bench1,hall1) type(hallcloset1,hallcloset) at(hallcloset1,hall1)
    closed(hallcloset1) type(fridge1,fridge) at(fridge1,kitchen1) closed(fridge1) type(lemon1,lemon) at(lemon1,hall1)
    in(lemon1,hallcloset1) type(hammer1,hammer) at(hammer1,hall1) on(hammer1,hall1floor) type(atlas1,atlas)
    at(atlas1,kitchen1) on(atlas1,kitchen1floor)"""
OWN["facts"] = HOUSE.split()
OWN["goals"] = ["in(lemon1,fridge1)", "in(hammer1,fridge1)", "on(atlas1,bench1)"]
WAY = "open hall closet|take lemon|take hammer|go to kitchen|open fridge|put lemon in fridge|put hammer in fridge|"
WAY += "take atlas|go to hall|put atlas on bench|done"
HALL = "This is the hall. You see a bench, a hall closet and a hammer. The hall closet is closed. "
HALL += "The hammer is on the floor. From here you can go to the kitchen."


def played(instance: dict[str, Any], *replies: str) -> Episode:
    return Episode(GAME, instance, replies)


def told(instance: dict[str, Any], *replies: str) -> str:
    """What a player hears after its replies."""
    return played(instance, *replies).observe().messages[-1]["content"]


def ended(instance: dict[str, Any], *replies: str) -> Outcome:
    outcome = played(instance, *replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def typed(line: str, plan: str = "") -> list[str]:
    return [f"> {command}{plan}" for command in split(line)]


def test_own_transcript_from_the_first_look_to_done():
    episode = played(OWN, *typed(WAY))
    first, *answers = [turn.text for turn in episode.turns]
    assert first.endswith(f"\n\n{HALL}")
    assert OWN["task"] in first
    assert "more than 2 things" in first
    assert "12 replies" in first
    kitchen = "You walk on. This is the kitchen. You see a fridge and an atlas. The fridge is closed. "
    kitchen += "The atlas is on the floor. "
    assert answers == [
        "You open the hall closet. Inside you find a lemon.",
        "You pick up the lemon. You are carrying a lemon.",
        "You pick up the hammer. You are carrying a lemon and a hammer.",
        kitchen + "From here you can go to the hall.",
        "You open the fridge. There is nothing inside.",
        "You set the lemon down in the fridge.",
        "You set the hammer down in the fridge.",
        "You pick up the atlas. You are carrying an atlas.",
        "You walk on. This is the hall. You see a bench and a hall closet. The hall closet is open. "
        "From here you can go to the kitchen.",
        "You set the atlas down on the bench.",
    ]
    outcome = episode.outcome
    assert outcome
    assert (outcome.kind, outcome.score) == ("success", 1)
    expected = {"request_count": 11, "turns_over_par": 2, "turn_ratio": 1 - 2 / 3, "successful_actions": 11}
    assert {name: outcome.metrics[name] for name in expected} == pytest.approx(expected)
    assert [row["goal_score"] for row in outcome.rounds.values()] == [0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0]
    assert outcome.rounds["3"]["known_entities_ratio"] == 7 / 9  # all but the floors
    assert outcome.rounds["3"]["visited_rooms_ratio"] == 1


@pytest.mark.parametrize(
    ("before", "command", "text"),
    [
        ("", "take lemon", "You see no lemon here."),
        ("", "take atlas", "You see no atlas here."),
        ("", "take bench", "The bench cannot be taken."),
        ("", "go to hall", "You are in the hall already."),
        ("", "go to attic", "There is no attic here."),
        ("", "go to bench", "The bench is not a room."),
        ("", "put hammer on bench", "You do not have the hammer."),
        ("take hammer", "put hammer in hall closet", "Open the hall closet first."),
        ("take hammer", "put hammer on lemon", "Nothing can be put there."),
        ("take hammer", "take hammer", "You have the hammer already."),
        ("take hammer", "drop hammer", "You set the hammer down on the floor."),
        ("take hammer|go kitchen", "put hammer on the floor", "You set the hammer down on the floor."),
        ("take hammer|open hall closet|take lemon|go kitchen", "take atlas", "You cannot carry more than that. Put "),
        ("open hall closet|close hall closet", "take lemon", "You see no lemon here."),
        ("", "close hall closet", "The hall closet is closed already."),
        ("", "look", HALL),
        ("", "check inventory", "You are carrying nothing."),
        ("", "look at the bench", "It is a bench. There is nothing on it."),
        ("", "fly to hall", "'fly' is nothing you can do here."),
        ("", "take", "That was not understood."),
        ("", "take sword", "It is unclear what 'sword' is."),
        ("", "take, hammer", "That was not understood. Use plain words only."),
        ("", "TAKE The Hammer.", "You pick up the hammer. You are carrying a hammer."),
        ("", "pick up hammer from floor", "You pick up the hammer."),
    ],
)
def test_own_commands_and_what_cannot_be_done(before, command, text):
    assert told(OWN, *(typed(before) if before else []), f"> {command}").startswith(text)


def test_own_end_is_a_matter_of_saying_done_while_all_goals_hold():
    way = split(WAY)
    for last, kind, score in [
        (way[:7], "lose", 2 / 3),
        (way[:10], "success", 1),
        ([*way[:10], "take atlas"], "lose", 2 / 3),
    ]:
        outcome = ended(OWN, *typed("|".join(last)), "> done")
        assert (outcome.kind, outcome.score) == (kind, pytest.approx(score))
        assert outcome.metrics["hallucination_count"] == (kind == "lose")
    late = ended(OWN, *typed("look|" + WAY))
    assert (late.kind, late.score, late.metrics["turn_limit_loss"]) == ("success", 1, 0)
    out = ended(OWN, *typed("look|look|" + "|".join(way[:10])))
    assert (out.kind, out.score, out.metrics["turn_limit_loss"]) == ("lose", 1, 1)


def test_own_form_is_one_line_and_in_the_planning_variant_a_plan():
    plan = OWN | {"variant": "plan"}
    for reply in split("|look|*look*|> look\n> look|> look\nNext actions: look"):
        assert ended(OWN, reply).kind == "aborted", reply
    for reply in split("> look|> look\nlook|> look\nNext actions: look\nlook|Next actions: look"):
        assert ended(plan, reply).kind == "aborted", reply
    for reply in split(">look|  >  Look \n"):
        assert told(OWN, reply) == HALL
    assert told(plan, ">look\n\nnext actions: look") == HALL
    assert ended(plan, "> done.").kind == "lose"


def test_own_plan_is_tried_and_leaves_nothing_behind():
    plan = OWN | {"variant": "plan"}
    episode = played(
        plan, "> look\nNext actions: take hammer, go to kitchen, open fridge, fly", "> Take hammer\nNext actions: "
    )
    assert told(plan, *episode.replies, "> go kitchen\nNext actions: look").startswith(
        "You walk on. This is the kitchen."
    )
    outcome = ended(plan, *episode.replies, "> done")
    assert outcome.metrics["plan_average_viability_ratio"] == 0.75 / 2
    assert outcome.metrics["plan_followed_ratio"] == 1 / 2
    assert [row["plan_followed"] for row in outcome.rounds.values()] == [0, 1, 0]
    assert outcome.rounds["1"]["visited_rooms_ratio"] == 0.5
    assert outcome.metrics["achieved_goal_ratio"] == 0


@pytest.mark.parametrize("last", [False, True])
def test_own_plan_metrics_are_over_replies_with_a_plan_and_a_reply_without_one_tries_none(last):
    shipped = load_instances(GAME, "validation").instances
    instance = next(instance for instance in shipped if instance["variant"] == "plan")
    replies = GAME.solution(instance, last=last)
    assert [reply.count("Next actions:") for reply in replies] == [1] * (len(replies) - 1) + [0]
    outcome = ended(instance, *replies)
    assert [row["plan_followed"] for row in outcome.rounds.values()] == [0] + [1] * (len(replies) - 1)
    assert outcome.rounds[str(len(replies) - 1)]["plan_command_success_ratio"] == 0, "nothing was planned"
    names = ("plan_followed_ratio", "plan_average_viability_ratio", "bad_plan_follow_ratio", "bad_plan_dismiss_ratio")
    assert [outcome.metrics[name] for name in names] == [1, 1, 0, 1]
    # What follows the last plan is compared with that one, not with an earlier one.
    failing = OWN | {"variant": "plan"}
    outcome = ended(failing, "> look\nNext actions: done", "> look\nNext actions: take sword", "> done")
    assert [row["plan_followed"] for row in outcome.rounds.values()] == [0, 0, 0]


def test_own_commands_of_more_than_500_characters_are_not_understood():
    fitting = f"grab the hammer{' from floor' * 44}."
    assert len(fitting) == 500
    assert told(OWN, f"> {fitting}").startswith("You pick up the hammer.")
    assert told(OWN, f"> {fitting.replace('grab', 'pick up')}") == "That was not understood."
    plan = f"\nNext actions: take hammer, {'look ' * 200}"
    rows = ended(OWN | {"variant": "plan"}, f"> look{plan}", "> done").rounds
    assert rows["0"]["plan_command_success_ratio"] == 1 / 2


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("goals", [], "no goals")]
    + [("limit", value, f"limit is {value!r}; .* or null") for value in (0, -1, 1.5, True, "2")]
    + [("max_turns", value, f"max_turns is {value!r}; give") for value in (0, None, 2.0, True, "9")],
)
def test_instances_that_cannot_be_scored_are_refused(name, value, text):
    with pytest.raises(UserError, match=text):
        played(OWN | {name: value})


def small_house(rng: Random) -> Any:
    """A model and an instance of one and the same house of two or three rooms."""
    plan = generate._Plan({"hall": ["kitchen"], "kitchen": ["hall"]}, {"bench": "hall", "fridge": "kitchen"}, {})
    if rng.random() < 0.5:
        generate._connect(plan.exits, "kitchen", "pantry")
        plan.furniture["flourbarrel"] = "pantry"
    plan.things = {kind: rng.choice([*plan.exits, *plan.furniture]) for kind in ("lemon", "loaf", "atlas")}
    plan.open = {"fridge"} if rng.random() < 0.3 else set()
    wanted = list(plan.things.items())[: rng.choice([2, 2, 3])]
    goals = {kind: rng.choice([other for other in plan.furniture if other != at]) for kind, at in wanted}
    limit, here = rng.choice([None, 1, 2]), rng.choice(list(plan.exits))
    facts = [f"{generate._relation(target)}({kind}1,{target}1)" for kind, target in goals.items()]
    instance = OWN | {"limit": limit, "facts": generate._facts(plan, here), "goals": facts}
    return generate._model(plan, goals, here, limit), instance


def blind_search(instance: dict[str, Any]) -> int:
    """The length of a shortest solution, by trying all commands in the real rules."""
    play = session.Session(instance, rules.OWN)
    house = play.world.domain
    kinds = [play.world.name(thing) for thing in play.world.typed if thing != play.world.player]
    things = [name for name in kinds if name in ("lemon", "loaf", "atlas")]
    holders = [name for name in dict.fromkeys(kinds) if name not in things]
    tries = [f"{verb} {name}" for verb in ("open", "close") for name in holders]
    tries += [f"go {house.name(play.world.kind(room))}" for room in play.world.rooms]
    tries += [f"take {name}" for name in things] + [f"put {a} on {b}" for a in things for b in holders]
    facts, start = play.world.facts, frozenset(play.world.facts._all)
    queue, seen = deque([(0, start)]), {start}
    while queue:
        length, state = queue.popleft()
        for command in tries:
            for fact in facts._all.keys() - state:
                facts.remove(fact)
            for fact in state - facts._all.keys():
                facts.add(fact)
            if play._interpreter.execute(command).phase:
                continue
            if len(play.world.achieved(play.goals)) == len(play.goals):
                return length + 1
            after = frozenset(facts._all)
            if after not in seen:
                seen.add(after)
                queue.append((length + 1, after))
    raise AssertionError("no solution")


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 5, 8, 10, 12, 13])
def test_the_planner_finds_plans_as_short_as_a_blind_search_in_the_real_rules(seed):
    model, instance = small_house(Random(seed))
    plan = planner.shortest(model)
    assert len(plan) == blind_search(instance)
    assert ended(instance | {"max_turns": 20}, *(f"> {command}" for command in [*plan, "done"])).kind == "success"


def test_the_planner_counts_the_trips_that_one_hand_needs_and_says_when_there_is_no_way():
    hall, porch = planner.Holder("floor", 0), planner.Holder("bench", 1)
    errands = [planner.Errand(name, hall, porch) for name in ("lemon", "atlas")]
    house = planner.House(["hall", "porch"], {0: [1], 1: [0]}, 0, errands, limit=1)
    assert len(planner.shortest(house)) == 7
    assert planner.shortest(planner.House(["hall", "porch"], {0: [], 1: []}, 0, errands)) is None


@pytest.mark.parametrize("split_name", ["validation", "test"])
def test_shipped_instances_are_as_their_experiment_says_and_won_by_exploring(split_name):
    instances = load_instances(GAME, split_name).instances
    for instance in instances:
        name = instance["experiment"]
        assert instance["limit"] == (2 if "invlimittwo" in name else None)
        assert instance["variant"] == ("plan" if "planning" in name else "basic")
        targets = {goal.partition(",")[2] for goal in instance["goals"]}
        assert len(targets) == (3 if "hard" in name else 1)
        assert instance["optimal_turns"] in (range(16, 20) if "hard" in name else range(10, 16))
        episode = played(instance)
        while episode.outcome is None:
            episode.act(scripted_reply(episode.observe(), "best"))
        assert episode.outcome.kind == "success", instance["id"]
        assert instance["optimal_turns"] < len(episode.turns) <= 40
    tasks = {(instance["task"], tuple(instance["facts"])) for instance in instances}
    assert len(tasks) == len(instances)


VERBS = ["take", "put", "go", "look", "open", "drop", "check", "done", "inventory"]
WORDS = [*VERBS, "lemon", "hall", "closet", "the", "up", "in", "on", "from", "out", "of", "back", "down", "fridge"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS), max_size=12), st.text(max_size=5))
def test_any_words_end_a_command_or_are_answered_and_failures_change_nothing(words, junk):
    play = session.Session(OWN, rules.OWN)
    before = set(play.world.facts._all)
    result = play.act(replies.Move(" ".join([*words, junk])))
    assert result.text
    assert not result.phase or set(play.world.facts._all) == before
