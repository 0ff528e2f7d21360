"""The mazes: the paper's figures, what walkers are told, how replies are read, what each turn is worth."""
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
import statistics
from random import Random
from typing import Any

import pytest
from playpen_eval.train.rewards import turn_credit

from playpen_eval.episode import Episode
from playpen_eval.instances import SPLITS, load_instances
from playpen_eval.lmrl import normalised
from playpen_eval.registry import load_game

mazes, policies, rules = (
    importlib.import_module(f"playpen_eval.games.maze.{name}") for name in ("mazes", "policies", "rules")
)
FULL: Any = load_game("maze_fo")
PARTIAL: Any = load_game("maze_po")
EVEN = dict.fromkeys(mazes.MOVES, 0.25)


def at(row: int, column: int, name: str = "double_t") -> dict[str, Any]:
    layout = mazes.LAYOUTS[name]
    return {"map": [*layout.rows], "goal": [*layout.goal], "start": [row, column]}


def walked(game: Any, instance: dict[str, Any], replies: list[str]) -> Episode:
    episode = Episode(game, instance, replies)
    assert episode.outcome is not None, "the episode still runs"
    return episode


def returned(episode: Episode) -> float:
    assert episode.outcome is not None
    value = episode.outcome.metrics["return"] or 0.0
    assert value == sum(turn_credit(episode, "walker"))
    return value


def test_returns_of_the_paper():
    maze = mazes.KNOWN["double_t"]
    assert len(maze.steps) == 26
    starts = [at(*start) for start in maze.starts()]
    best = [returned(walked(FULL, one, FULL.behave("best", one, Random(0)))) for one in starts]
    assert statistics.mean(best) == pytest.approx(-6.84)
    assert statistics.mean(policies.expected_returns(maze, EVEN).values()) == pytest.approx(-85.9, abs=0.05)


def test_random_walks_return_what_is_expected():
    maze, rng = mazes.KNOWN["double_t"], Random("walks")
    starts = [at(*start) for start in maze.starts()] * 12
    found = [returned(walked(FULL, one, FULL.behave("random", one, rng))) for one in starts]
    expected = statistics.mean(policies.expected_returns(maze, EVEN).values())
    assert statistics.mean(found) == pytest.approx(expected, abs=3 * statistics.stdev(found) / len(found) ** 0.5)
    assert min(found) == -101


@pytest.mark.parametrize(
    ("game", "walks"), [(FULL, "The goal is at 8, 6. You are at 5, 6. Wall: above."), (PARTIAL, "\n\nWall: above.")]
)
def test_what_a_walker_is_told(game, walks):
    assert Episode(game, at(5, 6)).observe().messages[-1]["content"].endswith(walks)


@pytest.mark.parametrize(
    ("cell", "walls"),
    [((5, 6), "Wall: above."), ((1, 1), "Walls: left, above, below."), ((3, 3), "Walls: right, left.")],
)
def test_walls(cell, walls):
    assert mazes.KNOWN["double_t"].walls[cell] == walls


def test_a_cell_without_walls():
    assert mazes.Maze(["#####", "## ##", "#   #", "## ##", "#####"], (1, 2)).walls[2, 2] == "No walls."


def test_a_full_observation_is_the_state_and_a_partial_one_the_latest_moves():
    seen = Episode(FULL, at(1, 1), ["move right", "move left"]).observe()
    assert seen == Episode(FULL, at(1, 1)).observe()._replace(game=seen.game)
    content = Episode(PARTIAL, at(1, 1), ["move right", "??", "move up"]).observe().messages
    assert len(content) == 1
    memory, walls = rules.read_partial(content[0]["content"])
    assert memory == [
        ("Walls: left, above, below.", "right"), ("Walls: above, below.", None), ("Walls: above, below.", "up"),
    ]  # fmt: skip
    assert walls == "Walls: above, below."
    long = Episode(PARTIAL, at(1, 1), ["move left"] * 30).observe().messages[0]["content"]
    assert len(rules.read_partial(long)[0]) == rules.MEMORY


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        ("move left", "left"),
        (" Move UP.\n", "up"),
        ("`move down`", "down"),
        ("left", None),
        ("move  left", None),
        ("move left and then right", None),
        ("move left\nmove left", None),
        ("move lefť", None),
        ("", None),
        ("move left" + " " * 200, None),
    ],
)
def test_moves_are_read(reply, name):
    assert rules.read_move(reply) == name


def test_what_turns_are_worth():
    episode = walked(FULL, at(6, 6), ["move left", "what?", "move up", "move down", "move down", "move down"])
    assert turn_credit(episode, "walker") == [-1, -4, -1, -1, -1, 0]
    assert episode.outcome is not None
    assert dict(episode.outcome.metrics) == {"return": -8, "moves": 6, "no_moves": 1, "bumps": 1}
    assert episode.outcome.score == normalised(-8, -101, -83.6, -1)


def test_out_of_moves():
    episode = walked(FULL, at(1, 1), ["move up"] * 100)
    assert episode.outcome is not None
    assert (episode.outcome.kind, episode.outcome.score, returned(episode)) == ("lose", 0, -101)
    assert turn_credit(episode, "walker")[-2:] == [-1, -2]


def test_breaking_off_is_worth_no_more_than_going_on():
    episode = walked(PARTIAL, at(1, 1), ["move up", "?", "?", "move up", "", "no", "never"])
    assert episode.outcome is not None
    assert (episode.outcome.kind, returned(episode)) == ("aborted", -1 - 8 - 1 - 12 - 93 * 4 - 1)


@pytest.mark.parametrize(
    ("value", "score"), [(-200, 0), (-101, 0), (-92.3, 0.25), (-83.6, 0.5), (-45.3, 0.75), (-7, 1), (0, 1)]
)
def test_the_scale(value, score):
    assert normalised(value, -101, -83.6, -7) == pytest.approx(score)


def test_the_shipped_starts_of_the_papers_maze_are_all_of_its_starts_once():
    for game in (FULL, PARTIAL):
        rows = [row for split in SPLITS for row in load_instances(game, split).instances]
        found = [tuple(row["start"]) for row in rows if row["experiment"] == "double_t"]
        assert sorted(found) == mazes.KNOWN["double_t"].starts()


def test_walks_of_the_data_stay_in_their_piece():
    arm = {(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 3), (3, 3), (4, 3), (5, 3)}
    maze = mazes.KNOWN["double_t"]
    ends, moves = [], []
    for number in range(200):
        cell = (1, 1)
        for said in FULL.behave("mix", at(1, 1), Random(number)):
            cell = maze.steps[cell][said.removeprefix("move ")]
            assert cell in arm
            moves.append(said)
        ends.append(cell)
    assert ends.count((5, 3)) > 150
    assert (8, 6) not in ends
    assert {said: moves.count(said) / len(moves) > 0.15 for said in set(moves)} == dict.fromkeys(
        [f"move {name}" for name in mazes.MOVES], True
    )
    # From where an arm ends on, walks lead to the goal.
    assert all(maze.piece(gate, mazes.LAYOUTS["double_t"].gates)[8, 6] == 0 for gate in ((5, 3), (5, 9)))


def test_goals_tell_the_mazes_apart():
    assert len({layout.goal for layout in mazes.LAYOUTS.values()}) == len(mazes.LAYOUTS)
