"""The protocol between a game and whoever plays it, and what an outcome may hold."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval import Abort, Ask, Episode, Game, Outcome
from playpen_eval.episode import FORMAT


class Parley(Game):
    """Two talk in turns; `stop` ends it, `break` breaks the protocol."""

    name = "parley"
    version = 4
    roles = ("caller", "answerer")
    visible = {"caller": ("secret",), "answerer": ("rounds",)}

    def play(self, instance):
        said = instance["secret"]
        for number in range(instance["rounds"]):
            said = yield Ask("caller", f"C{number}: {said}", max_tokens=7, reward={"answerer": 0.5} if number else {})
            if said == "break":
                raise Abort("caller", "it said break")
            said = yield Ask("answerer", f"A{number}: {said}", remember=number != 0)
            if said == "stop":
                return Outcome.success(1 / (number + 1), "stopped", reward={"caller": 1.0})
        return Outcome.lose(0.25, "out of rounds")


class Once(Game):
    """One ask; what follows is a function of the instance."""

    name = "once"
    roles = ("player",)

    def play(self, instance):
        reply = yield Ask(instance.get("role", "player"), "say something")
        return instance["then"](reply)


INSTANCE = {"id": "parley/4/x", "secret": "tulip", "rounds": 3}


def parley(*replies: str) -> Episode:
    return Episode(Parley(), INSTANCE, replies)


def chat(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


# Outcome


def test_the_three_kinds_of_outcome():
    assert (Outcome.success().kind, Outcome.success().score) == ("success", 1.0)
    assert (Outcome.lose().kind, Outcome.lose().score) == ("lose", 0.0)
    aborted = Outcome.aborted("player", "why")
    assert (aborted.kind, aborted.score, aborted.faulty_role, aborted.reason) == ("aborted", None, "player", "why")


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf"), float("-inf"), None])
@pytest.mark.parametrize("kind", ["success", "lose"])
def test_a_score_lies_between_0_and_1(kind, score):
    if (kind, score) == ("lose", -0.01):  # as EQ-Bench has it
        assert Outcome(kind, score, "").score == score
        return
    with pytest.raises(ValueError, match=rf"score of a {kind} must lie in \[0, 1\]"):
        Outcome(kind, score, "")


def test_an_abort_has_a_role_and_no_score():
    with pytest.raises(ValueError, match="faulty role and no score"):
        Outcome("aborted", 0.0, "", "player")
    with pytest.raises(ValueError, match="faulty role and no score"):
        Outcome("aborted", None, "")


def test_only_an_abort_has_a_faulty_role():
    # Scoring leaves out episodes whose faulty role is a partner's, so a win must not carry one.
    with pytest.raises(ValueError, match="faulty"):
        Outcome.success(faulty_role="player")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="unknown outcome 'draw'"):
        Outcome("draw", 0.5, "")  # type: ignore[arg-type]


def test_an_outcome_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Outcome.success().score = 0.5  # type: ignore[misc]


_numbers = st.dictionaries(st.text(max_size=5), st.none() | st.floats(allow_nan=False, allow_infinity=False))
_more = st.fixed_dictionaries({"metrics": _numbers, "rounds": st.dictionaries(st.text(max_size=3), _numbers)})
_outcomes = st.one_of(
    st.builds(lambda s, r, m: Outcome.success(s, r, **m), st.floats(0, 1), st.text(), _more),
    st.builds(lambda s, r, m: Outcome.lose(s, r, **m), st.floats(0, 1), st.text(), _more),
    st.builds(lambda role, r, m: Outcome.aborted(role, r, **m), st.text(), st.text(), _more),
)


@given(_outcomes)
def test_outcomes_round_trip_through_json(outcome):
    data = json.loads(json.dumps(outcome.to_dict(), allow_nan=False))
    assert Outcome.from_dict(data) == outcome
    assert Outcome.from_dict({**data, "field_of_a_newer_version": 1}) == outcome


# Observing and acting


def test_each_role_sees_its_own_chat_only():
    episode = parley("hello", "well", "again")
    assert episode.role == "answerer"
    # The first exchange of the answerer was asked with remember=False.
    assert episode.observe().messages == chat("A1: again")
    episode.act("go on")
    assert episode.observe().messages == chat("C0: tulip", "hello", "C1: well", "again", "C2: go on")
    assert not any("tulip" in turn.text for turn in episode.turns if turn.role == "answerer")


def test_what_is_not_remembered_is_still_in_the_transcript():
    episode = parley("hello", "well", "again", "go on", "and again")
    assert [turn.remember for turn in episode.turns] == [True, False, True, True, True]
    assert episode.observe().messages == chat("A1: again", "go on", "A2: and again")
    assert episode.turns[1].reply == "well"


def test_an_observation_holds_limit_view_and_game():
    episode = parley()
    seen = episode.observe()
    assert (seen.role, seen.max_tokens, seen.view) == ("caller", 7, {"secret": "tulip"})
    assert seen.game is episode.game
    seen = parley("x").observe()
    assert (seen.role, seen.max_tokens, seen.view) == ("answerer", None, {"rounds": 3})


def test_observations_are_copies():
    episode = parley("hello", "well")
    before = episode.observe()
    before.messages[0]["content"] = "changed"
    before.messages.append({"role": "user", "content": "more"})
    with pytest.raises(TypeError):
        before.view["secret"] = "changed"  # type: ignore[index]
    assert episode.observe().messages == chat("C0: tulip", "hello", "C1: well")
    assert episode.observe().view == {"secret": "tulip"}
    assert INSTANCE["secret"] == "tulip"


def test_rewards_are_kept_by_turn_and_outcome():
    episode = parley("hello", "well", "again", "stop")
    assert [dict(turn.reward) for turn in episode.turns] == [{}, {}, {"answerer": 0.5}, {}]
    assert episode.outcome == Outcome.success(0.5, "stopped", reward={"caller": 1.0})


def test_replies_stay_as_they_are():
    odd = "  \x00<b>\n\ud800\t "
    assert parley(odd).turns[0].reply == odd
    assert parley(odd).replies == [odd]


def test_an_abort_ends_the_episode():
    episode = parley("hello", "well", "break")
    assert episode.outcome == Outcome.aborted("caller", "it said break")
    assert episode.role is None
    assert len(episode.turns) == 3


def test_nothing_follows_the_end():
    episode = parley("hello", "stop")
    with pytest.raises(RuntimeError, match="nobody is to move"):
        episode.observe()
    with pytest.raises(RuntimeError, match="no reply is expected"):
        episode.act("one more")
    assert episode.replies == ["hello", "stop"]


@pytest.mark.parametrize("reply", [None, 3, b"bytes", ["text"]])
def test_a_reply_is_a_string(reply: Any):
    episode = parley()
    with pytest.raises(TypeError, match="a reply is a string, not"):
        episode.act(reply)
    episode.act("a string")
    assert episode.replies == ["a string"]


@given(st.lists(st.text(st.characters()) | st.just("stop") | st.just("break"), max_size=8))
def test_no_text_raises(replies):
    episode = parley()
    for reply in replies:
        if episode.outcome is None:
            episode.act(reply)
    assert episode.outcome is not None or len(episode.turns) == len(replies) < 6


# Games with bugs


def test_a_bug_in_a_game_raises():
    def divide(reply: str) -> Outcome:
        raise ZeroDivisionError(reply)

    with pytest.raises(ZeroDivisionError, match="hello"):
        Episode(Once(), {"then": divide}, ["hello"])


@pytest.mark.parametrize("value", [None, 1.0, "success", {"kind": "success"}])
def test_play_returns_an_outcome(value):
    with pytest.raises(TypeError, match=r"once: play\(\) must return an Outcome"):
        Episode(Once(), {"then": lambda reply: value}, ["hello"])


def test_an_unknown_role_is_a_bug():
    with pytest.raises(ValueError, match=r"once: unknown role 'referee'; it has \('player',\)"):
        Episode(Once(), {"role": "referee", "then": None})


def test_a_game_without_play_says_so():
    class Empty(Game):
        name = "empty"
        roles = ("player",)

    with pytest.raises(NotImplementedError, match="Empty has no play"):
        Episode(Empty(), {})


def test_the_learner_is_the_last_role_unless_named():
    assert Parley.learner == "answerer"

    class Named(Parley):
        roles = ("caller", "answerer")
        learner = "caller"

    assert Named.learner == "caller"


# Copies and JSON

SCRIPTS = [("a", "b", "c", "d", "e", "f"), ("a", "stop"), ("break",), ("a", "b", "c", "stop")]


@pytest.mark.parametrize("script", SCRIPTS)
def test_copies_and_json_go_on_from_any_turn(script):
    whole = parley(*script)
    assert whole.outcome is not None
    for turn in range(len(script) + 1):
        started = parley(*script[:turn])
        saved = json.loads(json.dumps(started.to_json(), allow_nan=False))
        for other in (started.copy(), Episode.from_json(saved, Parley())):
            for reply in script[turn:]:
                assert other.observe()[:3] == parley(*other.replies).observe()[:3]
                other.act(reply)
            assert (other.turns, other.outcome) == (whole.turns, whole.outcome)
        assert len(started.turns) == turn


def test_json_holds_what_an_episode_is():
    expected = {"format": FORMAT, "game": "parley", "version": 4, "instance": INSTANCE, "replies": ["a"]}
    assert parley("a").to_json() == {**expected, "outcome": None}
    assert parley("break").to_json()["outcome"] == Outcome.aborted("caller", "it said break").to_dict()


@pytest.mark.parametrize(("name", "value"), [("format", FORMAT + 1), ("game", "chess"), ("version", 3)])
def test_json_of_something_else_is_refused(name, value):
    with pytest.raises(ValueError, match=f"the episode has {name} {value!r}"):
        Episode.from_json({**parley("a").to_json(), name: value}, Parley())


class Shorter(Parley):
    """A change of the rules without another version: the second reply ends it."""

    name = "parley"

    def play(self, instance):
        yield Ask("caller", "one")
        yield Ask("answerer", "two")
        return Outcome.lose(0.25, "out of rounds")


@pytest.mark.parametrize("script", [("a", "stop"), ("a", "b"), ("a", "b", "c")])
def test_json_that_ends_differently_now_is_refused(script):
    with pytest.raises(ValueError, match="rule was changed without raising the game's version"):
        Episode.from_json(parley(*script).to_json(), Shorter())


def test_a_preface_is_history_that_nobody_was_asked_for() -> None:
    class Prefaced(Game):
        """Begins with an exchange that did not happen."""

        name = "prefaced"
        roles = ("one", "two")

        def play(self, instance):
            yield Ask("one", "first", preface=(("a rule", "understood"),))
            yield Ask("one", "second")
            yield Ask("two", "third")
            return Outcome.success()

    episode = Episode(Prefaced(), {})
    assert [m["content"] for m in episode.observe().messages] == ["a rule", "understood", "first"]
    episode.act("reply")
    assert [m["content"] for m in episode.observe().messages] == ["a rule", "understood", "first", "reply", "second"]
    episode.act("reply")
    assert [m["content"] for m in episode.observe().messages] == ["third"]
    assert episode.replies == ["reply", "reply"]
