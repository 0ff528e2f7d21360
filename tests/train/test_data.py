"""Data sets: dialogues, selection, pairs, branching, and what is never let in."""
# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses
from collections import Counter
from random import Random

import pytest
from playpen_eval.train.data.branching import Branching, Spent, branch
from playpen_eval.train.data.dialogues import Dialogue, Fingerprint, Step, fingerprint, replayed
from playpen_eval.train.data.fresh import Cast, fresh
from playpen_eval.train.data.pairs import Pairing, evenly, make_pairs
from playpen_eval.train.data.policy import HELD_OUT, TEST, TEST_KEY, VALIDATION, Policy
from playpen_eval.train.data.records import labelled, preferences, prefixes, whole_chats
from playpen_eval.train.data.selection import Selection, ranked_players, select
from playpen_eval.train.players import Slips, erring_player, scripted_player
from playpen_eval.train.rewards import Shaping
from playpen_eval.train.rows import RowMeta

from playpen_eval import Episode, load_game, lockstep
from playpen_eval.errors import UserError
from playpen_eval.instances import generate, load_instances
from playpen_eval.players import scripted

INSTANCE = {"id": "relay/1/train/default/0-0", "experiment": "default", "split": "train"}


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def side(replies, kind="success", *, instance="i", player="p", seat="a", version=1, game="taboo", fault="a", told="q"):
    """A dialogue; replies in brackets are forgotten."""
    score = None if kind == "aborted" else float(kind == "success")
    meta = RowMeta(
        game, version, instance, "x", "train", seat, kind, score, f"{player}/{instance}/{replies}", 0, player
    )
    steps = [
        Step([user(f"{told}{turn}")], reply.strip("[]"), not reply.startswith("["))
        for turn, reply in enumerate(replies)
    ]
    faulty = fault if kind == "aborted" else None
    return Dialogue(meta, Fingerprint("c", "k"), faulty, steps, [0.0] * len(steps))


def test_a_dialogue_is_what_a_seat_was_told_and_said(relay):
    _, logs = replayed(relay, INSTANCE, ["a", "b", "a", "c"], relay.roles)
    assert logs["sender"].steps == [
        Step([user("rules"), assistant("fine"), user("send")], "a", True), Step([user("again")], "c", True),
    ]  # fmt: skip
    receiver = Dialogue(side([]).meta, Fingerprint("", ""), None, logs["receiver"].steps, [0.5, 1.0])
    head = [user("rules"), assistant("fine")]
    assert list(receiver.chats()) == [
        (0, [*head, user("a"), assistant("a")], [3], [1.0]), (1, [*head, user("aside"), assistant("b")], [3], [0.5]),
    ]  # fmt: skip
    assert [context for context, _ in receiver.contexts()] == [[*head, user("aside")], [*head, user("a")]]
    assert Dialogue.from_dict(receiver.to_dict()) == receiver


@pytest.mark.parametrize(
    ("replies", "why"), [(["a"], "still to move"), (["a", "b", "a", "c", "d"], "ends after 4 of 5")]
)
def test_replies_that_do_not_fit(relay, replies, why):
    with pytest.raises(UserError, match=why):
        replayed(relay, INSTANCE, replies, relay.roles)


def test_whole_chats_and_prefixes():
    one = side(["x", "[aside]", "y"])
    whole = list(whole_chats([one], Shaping()))
    assert [(record["part"], record["learn"], record["reward"]) for record in whole] == [
        (0, [1, 3], 1.0),
        (1, [3], 1.0),
    ]
    assert whole[0]["messages"] == [user("q0"), assistant("x"), user("q2"), assistant("y")]
    cut = list(prefixes([one], Shaping()))
    assert [record["messages"][-1]["content"] for record in cut] == ["x", "aside", "y"]
    assert [record["learn"] for record in cut] == [[1], [3], [3]]
    assert cut[2]["messages"] == whole[0]["messages"]


def test_labels_leave_out_what_somebody_else_broke():
    sides = [side(["x"]), side(["y"], "lose"), side(["z"], "aborted"), side(["w"], "aborted", fault="b")]
    assert [record["label"] for record in labelled(sides, Shaping())] == [True, False, False]


def test_dialogue_pairs():
    good, bad = side(["x", "y"]), side(["x", "z", "v"], "lose", player="other")
    [record] = preferences(make_pairs([good, bad], Pairing()))
    assert record["prompt"] == [user("q0")]
    assert record["chosen"] == [assistant("x"), user("q1"), assistant("y")]
    assert record["rejected"][-1] == assistant("v")
    assert (record["chosen_learn"], record["rejected_learn"]) == ([0, 2], [0, 2, 4])
    assert (record["chosen_player"], record["rejected_player"]) == ("p", "other")


def test_turn_pairs():
    good, bad = side(["x", "y"]), side(["x", "z", "v"], "lose")
    [record] = preferences(make_pairs([good, bad], Pairing(turns=True)))
    assert record["prompt"] == [user("q0"), assistant("x"), user("q1")]
    assert (record["chosen"], record["rejected"], record["turn"]) == ([assistant("y")], [assistant("z")], 1)
    assert not make_pairs([good, side(["x", "z"], "lose", told="w")], Pairing(turns=True))
    # A forgotten exchange is a turn as any other.
    [record] = preferences(make_pairs([side(["[x]", "y"]), side(["[z]", "y"], "lose")], Pairing(turns=True)))
    assert (record["chosen"], record["turn"]) == ([assistant("x")], 0)


@pytest.mark.parametrize("other", [
    {"instance": "j"}, {"version": 2}, {"seat": "b"}, {"game": "wordle"}, {"told": "other"},
])  # fmt: skip
@pytest.mark.parametrize("turns", [False, True])
def test_pairs_are_of_the_same_question(other, turns):
    assert not make_pairs([side(["x"]), side(["y"], "lose", **other)], Pairing(turns=turns))


def test_aborted_as_negatives():
    sides = [side(["x"]), side(["y"], "aborted"), side(["z"], "aborted", fault="b")]
    assert [pair.rejected for pair in make_pairs(sides, Pairing())] == [[assistant("y")]]
    assert not make_pairs(sides, Pairing(aborted=False))


def test_caps_are_drawn_evenly_and_by_seed():
    sides = [side(["x"], instance=f"i{n}") for n in range(4)]
    sides += [side([f"y{m}"], "lose", instance=f"i{n}") for n in range(4) for m in range(5)]
    assert len(make_pairs(sides, Pairing(negatives=2))) == 8
    few = make_pairs(sides, Pairing(caps={"taboo": 4}))
    assert sorted(pair.side.meta.instance for pair in few) == ["i0", "i1", "i2", "i3"]
    assert make_pairs(sides, Pairing(caps={"taboo": 4})) == few
    assert len(make_pairs(sides, Pairing(cap=7, caps={}))) == 7
    assert Pairing().limit("wordle") == 1000
    assert Pairing().limit("taboo") == 10_000


def test_a_cap_on_first_turns_only():
    sides = [side(["x", "y"]), *(side([f"w{n}"], "lose") for n in range(5)), side(["x", "z"], "lose")]
    pairs = make_pairs(sides, Pairing(turns=True, cap=2, caps={}, first_turns_only=True))
    assert sorted(pair.turn for pair in pairs) == [0, 0, 1]


def test_the_same_pair_is_made_once():
    sides = [side(["x"], player="a"), side(["x"], player="b"), side(["y"], "lose", player="c")]
    assert len(make_pairs(sides, Pairing())) == 1


def test_top_players_of_each_instance():
    sides = [side([name], kind, player=name, instance=instance) for name, kind, instance in (
        ("good", "success", "i"), ("good", "lose", "j"), ("fair", "success", "i"), ("fair", "aborted", "j"),
        ("poor", "success", "j"), ("poor", "aborted", "i"), ("poor", "aborted", "k"), ("good", "success", "l"),
    )]  # fmt: skip
    assert ranked_players(sides) == ["good", "fair", "poor"]
    kept = select(sides, Selection(kinds=("success",), top=1))
    assert [(one.meta.player, one.meta.instance) for one in kept] == [("good", "i"), ("poor", "j"), ("good", "l")]
    kept = select(sides, Selection(kinds=("success",), top=1, ranking=("fair", "good", "poor")))
    assert [one.meta.player for one in kept] == ["fair", "poor", "good"]
    with pytest.raises(UserError, match="the ranking has no poor"):
        select(sides, Selection(kinds=("success",), top=1, ranking=("good", "fair")))


def test_selection_by_outcome_score_and_balance():
    sides = [side(["x"], instance=f"i{n}") for n in range(6)] + [side(["y"], game="wordle") for _ in range(2)]
    sides += [side(["z"], "aborted", fault="b"), side(["z"], "lose")]
    assert len(select(sides, Selection(kinds=("aborted",)))) == 0
    assert len(select(sides, Selection(min_score=1.0))) == 8
    balanced = select(sides, Selection(kinds=("success",), balance=0))
    assert Counter(one.meta.game for one in balanced) == {"taboo": 2, "wordle": 2}
    assert len({one.meta.instance for one in evenly(sides, 5, "s")}) == 5


@pytest.mark.parametrize(("name", "split", "refused"), [
    ("taboo", "train", None), ("taboo", "validation", VALIDATION), ("taboo", "test", TEST),
    ("codenames", "train", HELD_OUT),
])  # fmt: skip
def test_what_may_be_trained_on(name, split, refused):
    game = load_game(name)
    instance = next(generate(game, split, game.experiments[0], "t"))
    assert Policy().refusal(game, instance) == refused
    # Whatever a file calls it, the content decides.
    renamed = {**instance, "split": "train"}
    assert Policy().refusal(game, renamed) == refused
    allowed = Policy(allow_heldout=True, allow_validation=True).refusal(game, instance)
    assert allowed == (TEST if refused == TEST else None)


def test_recorded_instances_with_a_key_of_the_test_split():
    game = load_game("taboo")
    test, train = (load_instances(game, split).instances[0] for split in ("test", "train"))
    assert Policy().refusal(game, {**test, "split": "clembench-2.0"}) == TEST_KEY
    assert Policy().refusal(game, {**train, "split": "clembench-2.0"}) is None


def taboo_cast(player):
    return Cast(player, scripted_player(), ("p", "scripted"), {"taboo": ("guesser",)})


def wanted(count, repeats=1):
    game = load_game("taboo")
    instances = load_instances(game, "train").instances[:count]
    return [(game, instance, repeat) for repeat in range(repeats) for instance in instances]


def test_slips_have_the_right_form_and_other_content():
    game = load_game("privateshared")
    instances = load_instances(game, "train").instances[:20]
    slips, rng = Slips([(game, instances)]), Random("x")
    for right, form in (("ANSWER: Rome", "ANSWER:"), ("ASIDE: yes", "ASIDE:")):
        drawn = {slips.draw("privateshared", "answerer", right, rng) for _ in range(20)}
        assert right not in drawn
        assert all(reply.startswith(form) for reply in drawn)
    assert slips.draw("privateshared", "answerer", "no form at all", rng) == "no form at all"


def test_a_script_that_errs():
    slips = Slips([(load_game("taboo"), [instance for _, instance, _ in wanted(40)])])
    rates = {}
    for rate in (0.0, 0.5, 1.0):
        played = list(fresh(wanted(40), taboo_cast(erring_player(rate, slips)), "s", Counter()))
        rates[rate] = sum(sides[0].meta.kind == "success" for _, sides in played) / 40
        again = list(fresh(wanted(40), taboo_cast(erring_player(rate, slips)), "s", Counter(), batch=7))
        assert [sides for _, sides in again] == [sides for _, sides in played]
    assert rates[0.0] > 0.9
    assert rates[0.0] > rates[0.5] > rates[1.0]
    broken = list(fresh(wanted(10), taboo_cast(erring_player(1.0, None)), "s", Counter()))
    assert {sides[0].meta.kind for _, sides in broken} == {"aborted"}


def test_fresh_play_keeps_the_learners_seats():
    [(play, [one])] = fresh(wanted(1), taboo_cast(scripted_player()), "s", Counter())
    assert (one.meta.seat, one.meta.player, one.meta.partner, one.meta.source) == ("guesser", "p", "scripted", "play")
    assert one.print == fingerprint(play.episode.game, play.episode.instance)
    episode = Episode(play.episode.game, play.episode.instance)
    lockstep([episode], scripted())
    assert next(one.chats())[1] == episode.history("guesser")


def test_branching_pairs_replies_to_the_same_chat():
    slips = Slips([(load_game("taboo"), [instance for _, instance, _ in wanted(40)])])
    cast, failed, spent = taboo_cast(erring_player(0.5, slips)), Counter(), Spent()
    played = fresh(wanted(40), cast, "s", failed)
    pairs = list(branch(played, cast, Branching(copies=3), spent, failed))
    assert len(pairs) + spent.equal == 40
    assert spent.copies == 120
    assert spent.pruned > 0
    assert len(pairs) > 5
    for pair in pairs:
        assert pair.prompt[-1]["role"] == "user"
        assert pair.chosen != pair.rejected
        better, worse = pair.worth
        assert better is not None
        assert worse is not None
        assert better > worse


def test_branching_keeps_its_budget():
    cast, spent = taboo_cast(erring_player(0.5, None)), Spent()
    settings = Branching(copies=3, budget=10, continuations=3)
    list(branch(fresh(wanted(40), cast, "s", Counter(), batch=4), cast, settings, spent, Counter()))
    assert spent.copies == 10


def test_branching_scripts_that_never_vary_gives_nothing():
    cast, spent = taboo_cast(scripted_player()), Spent()
    assert not list(branch(fresh(wanted(5), cast, "s", Counter()), cast, Branching(), spent, Counter()))
    assert spent.pruned == spent.copies == 20


def test_meta_is_the_same_in_rows_and_records():
    [record] = whole_chats([side(["x"])], Shaping())
    assert {field.name for field in dataclasses.fields(RowMeta)} <= record.keys()
