"""Text navigation: the paper's figures, what can be done in the house, what players are told."""
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
import re
import statistics
from random import Random
from typing import Any

import pytest
from playpen_eval.train.rewards import turn_credit

from playpen_eval.episode import Episode
from playpen_eval.game import Outcome
from playpen_eval.registry import load_game

world, prose = (importlib.import_module(f"playpen_eval.games.textnav.{name}") for name in ("world", "prose"))
FULL: Any = load_game("textnav_fo")
PARTIAL: Any = load_game("textnav_po")
WON = ["take stale bun from bench", "go east", "go east", "open cooler", "insert stale bun into cooler", "close cooler"]


def at(room: str) -> dict[str, Any]:
    return {"start": room, "wording": [0] * 10}


def played(replies: list[str], room: str = "hall", game: Any = PARTIAL) -> Outcome:
    episode = Episode(game, at(room), replies)
    assert episode.outcome is not None, "the episode still runs"
    assert episode.outcome.metrics["return"] == sum(turn_credit(episode, "player"))
    return episode.outcome


def figures(policy: str, count: int) -> tuple[float, float]:
    """Share solved and mean turns."""
    rng = Random(policy)
    outcomes = []
    for number in range(count):
        instance = at(world.ROOMS[number % len(world.ROOMS)])
        outcomes.append(Episode(PARTIAL, instance, PARTIAL.behave(policy, instance, rng)).outcome)
    solved, steps = (statistics.mean(one.metrics[name] for one in outcomes) for name in ("return", "steps"))
    return solved, steps


def test_greedy_play_takes_six_to_nine_turns():
    outcomes = [played(PARTIAL.behave("best", at(room), Random(0)), room) for room in world.ROOMS]
    assert [one.kind for one in outcomes] == ["success"] * 8
    assert sorted(one.metrics["steps"] or 0 for one in outcomes) == [6, 7, 7, 7, 8, 8, 9, 9]


def test_the_data_are_as_good_as_the_papers():
    solved, turns = figures("mix", 4000)
    assert solved == pytest.approx(0.245, abs=0.025)
    assert turns == pytest.approx(12.7, abs=0.2)


def test_random_play_solves_nothing():
    assert figures("random", 1000)[0] < 0.005


def test_a_win():
    outcome = played(WON, game=FULL)
    assert (outcome.kind, outcome.score, outcome.reward) == ("success", 1, {"player": 1})
    assert Episode(FULL, at("hall"), WON[:-1]).outcome is None


@pytest.mark.parametrize(
    ("replies", "kind", "reason"),
    [
        (["take stale bun from bench", "eat stale bun"], "lose", "the bun was eaten"),
        (["eat stale bun"] * 15, "lose", "out of turns"),
        (["go up", "look", "?"] * 5, "lose", "out of turns"),
        (["go east", "hm", "", "I go east"], "aborted", "3 replies in a row are no commands"),
    ],
)
def test_other_ends(replies, kind, reason):
    outcome = played(replies)
    assert (outcome.kind, outcome.reason) == (kind, reason)


def test_every_possible_command_is_read_and_does_something():
    rng = Random("commands")
    for _ in range(100):
        house = world.House(rng.choice(world.ROOMS))
        for _ in range(60):
            commands = house.commands()
            said = rng.choice(commands)
            command = world.parse(said)
            assert str(command) == said
            before = (house.room, dict(house.places), set(house.opened))
            assert house.act(command)
            assert (house.room, house.places, house.opened) != before
            if house.lost:
                break


@pytest.mark.parametrize("said", ["open crate", "insert vase into cooler", "take pear from cooler", "drop jug"])
def test_what_is_impossible_changes_nothing(said):
    house = world.House("hall")
    assert not house.act(world.parse(said))
    assert (house.room, house.places, house.opened) == ("hall", world.THINGS, set())


@pytest.mark.parametrize(
    "said", ["go", "take", "take the vase", "put vase on crate", "insert vase into shelf", "go to"]
)
def test_other_texts_are_no_commands(said):
    assert world.parse(said) is None


def test_ways_lead_back():
    back = {"north": "south", "south": "north", "east": "west", "west": "east"}
    for room, exits in world.EXITS.items():
        for way, after in exits.items():
            assert world.EXITS[after][back[way]] == room


def test_only_the_full_game_names_the_room_and_what_one_has():
    texts = {}
    for game in (FULL, PARTIAL):
        episode = Episode(game, at("hall"), ["take fresh bun from bench"])
        texts[game] = [message["content"] for message in episode.observe().messages]
    [full] = texts[FULL]
    assert "You are in the hall" in full
    assert "\nYou have: fresh bun.\n" in full
    assert [text.count("You are in a house") for text in texts[PARTIAL]] == [1, 0, 0]
    assert not any("hall" in text or "You have: " in text for text in texts[PARTIAL])


def test_every_sentence_of_a_room_names_it_and_no_other():
    for room, sentences in prose._SENTENCES.items():
        assert len(sentences) == 3
        for sentence in sentences:
            assert set(re.findall(r"\w+", sentence)) & set(world.ROOMS) == {room}


def test_the_exits_tell_the_room():
    for room in world.ROOMS:
        assert prose.read(prose.show(world.House(room), [0] * 10, False))[0] == room


def test_replies_are_tidied():
    assert prose.tidy(" > `Go  East`.\n") == "go east"
    assert prose.tidy("go east" + " " * 200) == ""
