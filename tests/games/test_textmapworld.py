"""The three text map worlds: our own rules, clembench's to the letter, efficient steps, distances, generated maps."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import math
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
from playpen_eval.recordings import read_recording
from playpen_eval.registry import load_game
from playpen_eval.replay import replay

NAMES = ("textmapworld", "textmapworld_graphreasoning", "textmapworld_specificroom")
GAMES = {name: load_game(name) for name in NAMES}
MAIN, GRAPH, SPECIFIC = GAMES.values()
cases = methodcaller("split", "|")
modules = (f"playpen_eval.games.textmapworld.{name}" for name in cases("distance|graphs|maps|paths|world"))
distance, graphs, maps, paths, world = map(importlib.import_module, modules)

# Crypt lies north of Mill, Forge south of it, Porch west of it.
ROOMS = {"Porch": 0, "Mill": 1, "Crypt": 2, "Forge": 3}
EXITS = [{"east": 1}, {"north": 2, "south": 3, "west": 0}, {"south": 1}, {"north": 1}]
OWN: dict[str, Any] = {"rooms": ROOMS, "exits": EXITS, "start": "Porch", "turns": 20}
FIND = OWN | {"target": "Crypt"}
PATTERN = r'^\{"action": "([^{}]*)", "graph": \{"nodes": \[.*?\],\s*"edges":\s*\{.*?\}\s*\}.*\}$'


def clembench(game: Any = MAIN, version: str = "2.0", **changes: Any) -> dict[str, Any]:
    names = list(ROOMS)
    moves = [{"node": name, "node_moves": [(w, names[to]) for w, to in EXITS[n].items()]} for name, n in ROOMS.items()]
    data: dict[str, Any] = {"game_id": 0, "Prompt": "You are in the $INITIAL_ROOM$: $INITIAL_DIRECTIONS$. $GOAL$"}
    data |= {"Player2_positive_answer": "In $ANOTHER_ROOM$: $DIRECTIONS$.", "Current_Position": "Porch"}
    data |= {"Player2_negative_answer": "Still in $SAME_ROOM$: $DIRECTIONS$.", "Stop_Construction": "^DONE$"}
    data |= {"Move_Construction": r"^GO:\s*(north|east|west|south)$", "Moves": repr(moves), "Game_Type": "named_graph"}
    data |= {"Directions": repr([(name, list(EXITS[n])[::-1]) for name, n in ROOMS.items()]), "Loop_Reminder": False}
    data |= {"Response_Construction": PATTERN} if game is GRAPH else {}
    data |= {"Specific_Room": "crypt"} if game is SPECIFIC else {}
    return game.from_clembench({"name": "some"}, data | changes, version) | {"rules": f"clembench-{version}"}


def steps(*words: str) -> list[str]:
    return [word if word == "DONE" else f"GO: {word}" for word in words]


def drawn(action: str, nodes: str = "[]", edges: str = "{}") -> str:
    return f'{{"action": "{action}", "graph": {{"nodes": {nodes}, "edges": {edges}}}}}'


def ended(game: Any, instance: dict[str, Any], replies: list[str]) -> Outcome:
    outcome = Episode(game, instance, replies).outcome
    assert outcome is not None, "the episode still runs"
    return outcome


def told(game: Any, instance: dict[str, Any], *replies: str) -> str:
    return Episode(game, instance, replies).observe().messages[-1]["content"]


def played(game: Any, instance: dict[str, Any], style: str = "best") -> Episode:
    episode = Episode(game, instance)
    while episode.outcome is None:
        episode.act(scripted_reply(episode.observe(), style))
    return episode


def test_own_transcript_of_the_best_player():
    episode = played(MAIN, OWN)
    assert episode.turns[0].text.endswith("\n\nRoom: Porch. Exits: east.")
    mill, crypt = "Room: Mill. Exits: north, south, west.", "Room: Crypt. Exits: south."
    assert [turn.text for turn in episode.turns[1:]] == [mill, crypt, mill, "Room: Forge. Exits: north."]
    assert episode.replies == steps("east", "north", "south", "south", "DONE")
    assert episode.outcome
    assert (episode.outcome.kind, episode.outcome.score) == ("success", 1.0)


def test_own_score_is_the_harmonic_mean_even_of_a_lost_walk_and_a_rejected_step_counts():
    outcome = ended(MAIN, OWN, steps("east", "west", "east", "north", "DONE"))
    assert (outcome.kind, outcome.score) == ("lose", 0.75)  # 3 of 4 steps, 3 of 4 rooms
    assert [outcome.rounds[str(turn)]["efficient_move"] for turn in range(1, 5)] == [1, 0, 1, 1]
    outcome = ended(MAIN, OWN, steps("west", "east", "north", "south", "south", "north", "DONE"))
    assert (outcome.kind, outcome.score) == ("success", pytest.approx(0.8))  # 4 of 6 steps
    names = cases("moves|valid_moves|invalid_moves|stopped|loops|number_visited|seen|exploration|efficiency")
    assert dict(outcome.metrics) == dict(zip(names, [6, 5, 1, 1, 0, 4, 4, 100, pytest.approx(200 / 3)]))
    assert (ended(MAIN, OWN, ["DONE"]).kind, ended(MAIN, OWN, ["DONE"]).score) == ("lose", 0)


def test_own_commands_may_be_put_in_some_ways_and_no_other():
    for reply in ("GO: east", "go:EAST", " Go :\n east. ", "GO: east ."):
        assert told(MAIN, OWN, reply).startswith("Room: Mill."), reply
    for reply in ("DONE", "done.", " Done\n"):
        assert ended(MAIN, OWN, [reply]).kind == "lose", reply
    for reply in cases("|.|GO|GO east|GO: up|GO: east, north|I say GO: east|DONE!|GO: ea\u017ft|DONE DONE"):
        outcome = ended(MAIN, OWN, [reply])
        assert (outcome.kind, outcome.faulty_role) == ("aborted", "explorer"), reply
    blocked = "There is no exit in that direction. You are still in the same place. Room: Porch. Exits: east."
    assert told(MAIN, OWN, "GO: north") == blocked


def test_twenty_replies_without_done_are_lost_here_and_aborted_in_clembench():
    pacing = steps(*["east", "west"] * 10)
    outcome = ended(MAIN, OWN, pacing)
    assert (outcome.kind, outcome.score, len(outcome.rounds)) == ("lose", 0, 20)
    for version, name, number in (("2.0", "effiencient_move", 20), ("3.0", "efficient_move", 19)):
        outcome = ended(MAIN, clembench(version=version), pacing)
        assert (outcome.kind, len(outcome.rounds), set(outcome.metrics.values())) == ("aborted", number, {None})
        assert outcome.rounds["0"] == {name: 1}
    assert ended(MAIN, clembench(), [*pacing[:19], "DONE"]).kind == "lose"


@pytest.mark.parametrize("instance", [FIND, clembench(SPECIFIC)], ids=["own", "clembench"])
def test_specificroom_is_won_in_the_target_and_lost_elsewhere(instance):
    won, lost = (ended(SPECIFIC, instance, steps("east", way, "DONE")) for way in ("north", "south"))
    assert (won.kind, won.score, lost.kind, lost.score) == ("success", 1, "lose", 0)
    assert ended(SPECIFIC, instance | {"target": "Porch"}, ["DONE"]).kind == "success"
    numbers = ended(SPECIFIC, instance, steps(*["east", "west"] * 4, "DONE")).metrics
    # clembench forgets the rooms before a loop, and keeps the score of the main game
    assert (numbers["loops"], numbers.get("old_benchscore")) == ((2, 50) if "rules" in instance else (6, None))


def test_clembench_texts_order_of_exits_and_unseen_rejected_steps():
    episode = Episode(MAIN, clembench(), [*steps("west"), "go:\n\nEAST", *steps("north", "south", "south", "DONE")])
    texts = [turn.text for turn in episode.turns]
    assert texts[:3] == ["You are in the Porch: east. ", "Still in Porch: east.", "In Mill: west, south, north."]
    assert episode.outcome
    assert (episode.outcome.kind, episode.outcome.score) == ("success", 1)
    names = ("moves", "valid_moves", "invalid_moves", "turns_limit", "stopped")
    assert [episode.outcome.metrics[name] for name in names] == [4, 4, 0, 0, 1]
    assert episode.outcome.rounds == {str(move): {"effiencient_move": 1} for move in range(4)}
    for reply in ("GO: east.", "GO : east", "DONE.", "GO: east <|end_of_text|>", ""):
        assert ended(MAIN, clembench(), [reply]).kind == "aborted", reply


def test_own_maps_are_compared_with_what_was_discovered():
    right = drawn("GO: north", '["porch", "Mill"]', '{"west": [("Mill ", "Porch")]}')
    wrong = "```json\n" + drawn("DONE", '["Porch", "Mill", "Attic"]', '{"north": [["Mill", "Porch"]]}') + "\n```"
    outcome = ended(GRAPH, OWN, [drawn("GO: east", '["Porch"]'), right, wrong])
    # Attic for Crypt, and three passages: the one given is wrong, the two walked are missing
    similarity = [100, 100, pytest.approx(100 * (2 - 2 / (1 + math.exp(-2.5))))]
    assert [outcome.rounds[str(turn)]["similarity"] for turn in (1, 2, 3)] == similarity
    assert outcome.metrics["graph_similarity"] == similarity[2]
    assert outcome.score == pytest.approx(200 * 75 / 175 / 100)
    edges = {"east": [["Porch", "Mill"]], "North": [["Mill", "Crypt"]]}
    sketch = graphs.read_sketch({"nodes": ["Porch", "Mill", "Crypt"], "edges": edges})
    assert graphs.mistakes(sketch, world.World(OWN), []) == 4  # two rooms and two passages too many


def test_own_replies_with_another_form_of_map_abort():
    shapes = cases('[]|{"up": []}|{"east": [["a"]]}|{"east": ["ab"]}|{3: []}')
    others = ["", "GO: east", "{}", "[1]", drawn("GO: up"), drawn("GO: east", "3"), drawn("GO: east", "[3]")]
    for reply in others + [drawn("GO: east", "[]", edges) for edges in shapes]:
        assert ended(GRAPH, OWN, [reply]).kind == "aborted", reply


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.lists(TEXT), st.dictionaries(st.sampled_from(sorted(world.DIRECTIONS)), st.lists(st.tuples(TEXT, TEXT))))
def test_own_maps_read_the_same_as_json_and_as_literals(rooms, edges):
    graph = {"nodes": rooms, "edges": edges}
    assert graphs.read_sketch(json.loads(json.dumps(graph))) == graphs.read_sketch(graph)
    for text in (json.dumps(graph), repr(graph)):
        with contextlib.suppress(ValueError):  # where names hold brackets or the text is long
            assert graphs.read_sketch(graphs.read_object(text)) == graphs.read_sketch(graph)


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_clembench_maps_decide_by_their_literal(version):
    instance = clembench(GRAPH, version)
    assert told(GRAPH, instance, drawn("GO: North")) == "Still in Porch: east."
    assert told(GRAPH, instance, "\n" + drawn("GO:\neast") + "\n").startswith("In Mill")
    for reply in ("DONE", drawn("GO: up"), drawn("GO: east", "[null]"), drawn("GO: east") + "!", drawn("GO: east.")):
        assert ended(GRAPH, instance, [reply]).kind == "aborted", reply
    assert ended(GRAPH, instance, [drawn("DONE", "[null]")]).kind == ("lose" if version == "2.0" else "aborted")
    assert ended(GRAPH, instance, [drawn("done")]).kind == "lose"
    twice = drawn("GO: west")[:-1] + "," + drawn("GO: east")[1:]
    assert told(GRAPH, instance, twice).startswith("In Mill"), "the last value counts"


def test_clembench_similarity_is_of_shape_alone_and_zero_for_rubbish():
    shape = drawn("GO: east", '["a", "b", "c", "d"]', '{"up": [("A", "b"), ("b", "c"), ("B", "d", 5)]}')
    outcome = ended(GRAPH, clembench(GRAPH), [drawn("GO: west"), shape, drawn("GO: west", "[3]"), drawn("DONE")])
    assert [outcome.rounds[move]["similarity"] for move in ("0", "1")] == [100, 0]
    assert outcome.metrics["graph_similarity"] == 0
    empty = ended(GRAPH, clembench(GRAPH), [drawn("GO: east"), drawn("GO: east"), drawn("DONE")]).metrics
    assert empty["graph_similarity"] == pytest.approx(100 * (2 - 2 / (1 + math.exp(-3.5))))  # 4 rooms, 3 passages
    assert ended(GRAPH, clembench(GRAPH), [drawn("DONE")]).metrics["graph_similarity"] == 0


def by_clembench(neighbours: list[set[int]], room: int, visited: set[int]) -> set[int]:
    """The rule word by word: all shortest of the restricted paths that contain the frontier."""
    frontier = set().union(*(neighbours[at] for at in visited)) - visited
    level = [[room]]
    while True:
        level = [[*p, n] for p in level for n in sorted(neighbours[p[-1]] - set(p) or neighbours[p[-1]])]
        if found := {path[1] for path in level if frontier <= set(path)}:
            return found


def by_distances(neighbours: list[set[int]], room: int, visited: set[int]) -> set[int]:
    """The orders in which the frontier can be visited, by distances in the part of the map that is known."""
    known = [around if at in visited else around & visited for at, around in enumerate(neighbours)]
    orders = list(itertools.permutations(set().union(*(neighbours[at] for at in visited)) - visited))
    far = [maps.distances(tuple(map(world.as_set, known)), at) for at in range(len(known))]
    tours = [(sum(far[a][b] for a, b in itertools.pairwise((n, *o))), n) for n in known[room] for o in orders]
    return {first for length, first in tours if length == min(tours)[0]}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(0, 5))
def test_efficient_steps_by_both_definitions(seed, rooms, walked):
    rng = Random(seed)
    exits = maps.draw_map(rooms, rooms - 1 + (rooms > 4 and seed % 2), rng)["exits"]
    neighbours, room, visited = [set(ways.values()) for ways in exits], 0, {0}
    for _ in range(walked):
        room = rng.choice(sorted(neighbours[room]))
        visited.add(room)
    known = tuple(map(world.as_set, neighbours)), room, world.as_set(visited)
    if len(visited) < rooms:
        assert paths.clembench_steps(*known) == by_clembench(neighbours, room, visited)
        assert paths.good_steps(*known) == by_distances(neighbours, room, visited)


EDGES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda pair: pair[0] != pair[1]), max_size=7)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 5), st.integers(0, 9), EDGES)
def test_edit_distance_is_the_exact_one(size, seed, edges):
    networkx = pytest.importorskip("networkx", reason="networkx comes with torch only")
    tree = [(node, Random(seed * node).randrange(node)) for node in range(1, size)]
    other = networkx.convert_node_labels_to_integers(networkx.Graph(edges))
    exact = networkx.graph_edit_distance(networkx.Graph(tree), other)
    assert distance.edit_distance(distance.Graph(size, tree), distance.Graph(len(other), other.edges)) == exact


def test_edit_distance_of_far_and_of_tangled_graphs_is_bounded():
    tree = distance.Graph(8, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (2, 6), (4, 7)])
    row = distance.Graph(500, [(a, a + 1) for a in range(499)])
    pairs = distance.Graph(24, [(2 * a, 2 * a + 1) for a in range(10)])
    sides = distance.Graph(7, [(a, b) for a in range(3) for b in range(3, 7)])
    found = [distance.edit_distance(tree, other) for other in (row, pairs, sides)]
    assert found == [492 + 492, 16 + 7 + 10 - 2 * 3, 1 + 7 + 12 - 2 * 6]
    assert graphs.similarity(distance.FAR) < 0.01


@pytest.mark.parametrize("unit", cases('(|[[],|-|{1:|\x00|1_|],"edges":{|}| |\ud800|\\N{|9'))
@pytest.mark.parametrize("length", [40, 9000, 100_000])
def test_hostile_replies_end_the_episode(unit, length):
    text, start = unit * (length // len(unit)), '{"action": "GO: east", "graph": {"nodes": ['
    replies = (text, f"GO: {text}", start + text, start + text + "}}}", f'{start}], "edges": {{"north": [{text}]}}}}}}')
    for game, reply in itertools.product(GAMES.values(), replies):
        for instance in (OWN, clembench(game)):
            episode = Episode(game, instance, [reply])
            assert episode.outcome is None or episode.outcome.kind == "aborted"


def test_clembench_data_of_another_kind_are_refused():
    with pytest.raises(UserError, match="Loop_Reminder"):
        clembench(Loop_Reminder=True)
    with pytest.raises(UserError, match="its map cannot be read"):
        clembench(Moves="[{")


SIZES = {"small": (4, [3]), "medium": (6, [5]), "medium_cycle": (6, [6]), "large_cycle": (8, [8, 9])}
FAR = {"on": [0], "close": [1, 2], "far": [3, 4]}


@pytest.mark.parametrize("name", NAMES)
def test_generated_maps_are_as_their_experiment_says(name):
    rng = Random(name)
    for experiment in [name for name in GAMES[name].experiments for _ in range(60)]:
        instance = GAMES[name].generate(experiment, rng)
        place = world.World(instance)
        rooms, passages = SIZES.get(experiment, (8, [7]))
        far = maps.distances(place.neighbours, place.start)
        assert len(place.names) == len(far) == rooms, "all rooms can be reached"
        assert sum(map(len, instance["exits"])) // 2 in passages
        for room, ways in enumerate(instance["exits"]):
            assert list(ways) == [way for way in world.DIRECTIONS if way in ways]
            assert all(instance["exits"][to][world.OPPOSITE[way]] == room for way, to in ways.items())
        assert name != NAMES[2] or far[instance["rooms"][instance["target"]]] in FAR[experiment]


def test_no_room_is_named_within_another_name():
    assert len(set(maps.NAMES)) == len(maps.NAMES) >= 60
    assert not [pair for pair in itertools.permutations(map(str.lower, maps.NAMES), 2) if pair[0] in pair[1]]


@pytest.mark.parametrize("version", ["2.0", "3.0"])
@pytest.mark.parametrize(("name", "number"), zip(NAMES, (50, 30, 30)))
def test_clembench_instances_are_all_won_by_the_best_player(shared, name, number, version):
    instances = load_instances(GAMES[name], f"clembench:{shared / 'clembench'}@v{version}").instances
    for style, kind in (("best", "success"), ("breaker", "aborted")):
        ends = [played(GAMES[name], instance, style).outcome for instance in instances]
        assert [end.kind for end in ends if end] == [kind] * number


def test_recorded_messages_and_scores_are_ours(shared):
    recording = read_recording(next((shared / "recordings").glob("*base.tar.gz")))
    recording.episodes[:] = [recorded for recorded in recording.episodes if recorded.game in NAMES]
    rows = replay({"base": recording}, GAMES).games
    assert [(rows[name].equal, rows[name].explained) for name in NAMES] == [(10, 0), (0, 6), (6, 0)]
    assert all(row.messages == row.messages_equal > 0 for row in rows.values())
