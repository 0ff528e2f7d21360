"""From outcomes to figures: clembench's aggregation, its rounding, and the intervals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playpen_eval.game import Outcome
from playpen_eval.grid import show
from playpen_eval.report import games_grid
from playpen_eval.scoring import ClemScore, EpisodeScore, clemscore, episode_score, round_half_even, summarise

WON, LOST, ABORTED = EpisodeScore("success", 1.0), EpisodeScore("lose", 0.0), EpisodeScore("aborted", None)
PARTNER = EpisodeScore("aborted", None, True)

scores = st.one_of(
    st.floats(0, 1).map(lambda score: EpisodeScore("success", score)),
    st.floats(0, 1).map(lambda score: EpisodeScore("lose", score)),
    st.sampled_from([ABORTED, PARTNER]),
)
percentages = st.one_of(st.none(), st.floats(0, 100))


def intervals(score):
    return [getattr(score, f"{name}_interval") for name in ("success", "aborted", "played", "quality", "clemscore")]


# One game.


def test_played_counts_aborted_episodes_and_quality_does_not():
    score = summarise([WON, LOST, ABORTED, ABORTED])
    assert (score.n, score.success, score.lose, score.aborted) == (4, 1, 1, 2)
    assert (score.played, score.quality, score.clemscore) == (50, 50, 25)


def test_partial_credit_of_a_loss_counts():
    assert summarise([EpisodeScore("lose", 0.5), WON]).quality == 75


def test_a_game_that_was_only_aborted_has_no_quality_and_scores_zero():
    score = summarise([ABORTED] * 3)
    assert (score.played, score.quality, score.quality_interval, score.clemscore) == (0, None, None, 0)
    assert score.played_interval is not None
    assert score.played_interval.low == 0
    assert 70 < score.played_interval.high < 71
    assert score.clemscore_interval == pytest.approx(score.played_interval)


def test_a_score_of_zero_is_not_no_score():
    score = summarise([LOST, LOST])
    assert (score.played, score.quality, score.clemscore) == (100, 0, 0)


def test_partner_faults_are_counted_and_left_out_of_everything_else():
    score = summarise([WON, LOST, PARTNER, PARTNER, PARTNER])
    rest = summarise([WON, LOST])
    assert (score.n, score.aborted, score.partner_aborted) == (2, 0, 3)
    assert (score.played, score.quality, score.clemscore) == (rest.played, rest.quality, rest.clemscore)
    assert intervals(score) == intervals(rest)


@pytest.mark.parametrize("episodes", [[], [PARTNER], [PARTNER, PARTNER]])
def test_nothing_that_counts_gives_no_figures(episodes):
    score = summarise(episodes)
    assert (score.n, score.partner_aborted) == (0, len(episodes))
    figures = (score.played, score.quality, score.clemscore, *intervals(score))
    assert figures == (None,) * 8


def test_whose_fault_an_abort_is():
    outcome = Outcome.aborted("guesser")
    assert not episode_score(outcome).partner_fault, "in self-play every fault is the learner's"
    assert not episode_score(outcome, ["guesser"]).partner_fault
    assert not episode_score(outcome, ["describer", "guesser"]).partner_fault
    assert episode_score(outcome, ["describer"]).partner_fault
    assert episode_score(outcome, ["describer"]).score is None
    assert not episode_score(Outcome.lose(), ["describer"]).partner_fault


@settings(deadline=None)
@given(st.lists(scores, max_size=30))
def test_figures_stay_within_their_bounds(episodes):
    score = summarise(episodes, intervals=False)
    assert score.n + score.partner_aborted == len(episodes)
    assert score.success + score.lose + score.aborted == score.n
    for figure in (score.played, score.quality, score.clemscore):
        assert figure is None or 0 <= figure <= 100 + 1e-9
    if score.clemscore is not None and score.quality is not None and score.played is not None:
        assert score.clemscore <= min(score.played, score.quality) + 1e-9


@settings(deadline=None)
@given(st.lists(scores, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_episodes_does_not_matter(episodes, random):
    shuffled = random.sample(episodes, len(episodes))
    assert summarise(episodes, intervals=False) == summarise(shuffled, intervals=False)


# Intervals.


def test_intervals_of_shares_against_published_values():
    score = summarise([WON] * 8 + [ABORTED] * 2)
    assert score.played_interval == pytest.approx((44.390, 97.479), abs=0.001)
    assert score.success_interval == score.played_interval
    assert score.aborted_interval == pytest.approx((2.521, 55.610), abs=0.001)
    assert score.clemscore_interval == score.played_interval


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 40), st.integers(0, 40))
def test_the_interval_of_played_holds_the_share_and_is_symmetric(played, aborted):
    if played + aborted == 0:
        return
    one = summarise([LOST] * played + [ABORTED] * aborted).played_interval
    other = summarise([LOST] * aborted + [ABORTED] * played).played_interval
    assert one is not None
    assert other is not None
    assert -1e-9 <= one.low <= 100 * played / (played + aborted) <= one.high <= 100 + 1e-9
    assert one.high - one.low > 0
    assert one == pytest.approx((100 - other.high, 100 - other.low), abs=1e-6)


def test_intervals_shrink_with_more_episodes():
    few, many = summarise([WON, LOST, ABORTED] * 4), summarise([WON, LOST, ABORTED] * 40)
    for narrow, wide in zip(intervals(many), intervals(few)):
        assert wide.low < narrow.low < narrow.high < wide.high


@settings(deadline=None, max_examples=30)
@given(st.lists(scores, max_size=20), st.randoms(use_true_random=False))
def test_intervals_hold_their_figures_and_know_no_order(episodes, random):
    score = summarise(episodes)
    assert intervals(summarise(random.sample(episodes, len(episodes)))) == intervals(score)
    shares = [100 * count / score.n if score.n else None for count in (score.success, score.aborted)]
    for figure, interval in zip((*shares, score.played, score.quality, score.clemscore), intervals(score)):
        assert (figure is None) == (interval is None)
        if figure is not None:
            assert 0 <= interval.low <= figure + 1e-9
            assert figure - 1e-9 <= interval.high <= 100


def test_scores_that_are_all_equal_leave_room():
    for one in (WON, LOST, EpisodeScore("lose", 0.5)):
        score = summarise([one] * 50)
        assert score.quality_interval is not None
        assert score.quality_interval.high - score.quality_interval.low > 5


def test_the_interval_of_quality_is_near_the_normal_one_and_reproducible():
    episodes = [EpisodeScore("lose", value) for value in (0.2, 0.8)] * 100
    interval = summarise(episodes).quality_interval
    assert interval == pytest.approx((50 - 1.96 * 30 / math.sqrt(200), 50 + 1.96 * 30 / math.sqrt(200)), abs=1)
    assert summarise(episodes).quality_interval == interval


def test_plays_of_one_instance_are_a_cluster():
    once = [WON, LOST, ABORTED, EpisodeScore("lose", 0.5)] * 10
    plays = [episode for episode in once for _ in range(4)]
    instances = [index // 4 for index in range(160)]
    together, apart = summarise(plays, instances), summarise(plays)
    assert (together.n, together.clemscore) == (apart.n, apart.clemscore)
    for wide, narrow, single in zip(intervals(together), intervals(apart), intervals(summarise(once))):
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
        assert wide == pytest.approx(single, abs=1.5)
    assert intervals(summarise(once, range(40))) == intervals(summarise(once))
    assert intervals(summarise([*plays, PARTNER], [*instances, 7])) == intervals(together)


def test_scores_below_zero():
    episodes = [EpisodeScore("lose", 0.4), EpisodeScore("lose", -0.5), ABORTED] * 5
    usual, wide = summarise(episodes), summarise(episodes, lowest=-1.99)
    assert (usual.quality, wide.clemscore) == (pytest.approx(-5), pytest.approx(-10 / 3))
    assert usual.quality_interval is not None
    assert wide.quality_interval is not None
    assert -199 < wide.quality_interval.low < usual.quality_interval.low < -5
    assert usual.quality_interval.high == wide.quality_interval.high
    assert usual.played_interval == wide.played_interval


def test_one_episode_says_little_and_intervals_can_be_left_out():
    assert summarise([WON]).quality_interval == pytest.approx((2.5, 100))
    score = summarise([WON, LOST], intervals=False)
    assert intervals(score) == [None] * 5
    assert score.quality == 50


# Over games, as clembench does it.


def test_clemscore_is_the_product_of_two_macro_averages():
    assert clemscore({"a": (100.0, 50.0), "b": (50.0, 20.0)}) == ClemScore(26.25, 75.0, 35.0)


def test_a_game_that_was_only_aborted_drops_out_of_quality_but_counts_in_played():
    games = {"a": (100.0, 60.0), "b": (0.0, None)}
    assert clemscore(games) == ClemScore(30.0, 50.0, 60.0)


def test_a_game_without_episodes_is_in_neither_average():
    assert clemscore({"a": (100.0, 60.0), "b": (None, None)}) == clemscore({"a": (100.0, 60.0)})


@pytest.mark.parametrize(
    ("games", "expected"),
    [
        ({}, ClemScore(None, None, None)),
        ({"a": (None, None)}, ClemScore(None, None, None)),
        ({"a": (0.0, None), "b": (0.0, None)}, ClemScore(None, 0.0, None)),
    ],
)
def test_no_quality_at_all_gives_no_clemscore(games, expected):
    assert clemscore(games) == expected


def test_games_are_rounded_before_they_are_averaged():
    third = 100 / 3
    assert clemscore({"a": (third, third)}) == ClemScore(11.11, 33.33, 33.33)
    assert clemscore({"a": (100.0, 0.006), "b": (100.0, 0.006), "c": (100.0, 0.0)}).quality == 0.01
    assert clemscore({"a": (0.006, 1.0), "b": (0.006, 1.0), "c": (0.0, 1.0)}).played == 0.01


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (99.265, 99.26),  # as numpy; Python's own round gives 99.27
        (0.125, 0.12),
        (0.375, 0.38),
        (2.675, 2.68),  # times 100 it is exactly 267.5
        (1.005, 1.0),
        (33.333333333333336, 33.33),
        (0.0, 0.0),
        (100.0, 100.0),
    ],
)
def test_rounding_as_numpy_does(value, expected):
    assert round_half_even(value) == expected


def test_the_rounding_example_differs_from_pythons():
    assert round(99.265, 2) == 99.27
    assert clemscore({"a": (100.0, 99.265)}).clemscore == 99.26


@settings(deadline=None)
@given(st.floats(0, 100), st.integers(0, 4))
def test_rounding_equals_numpys(value, digits):
    import numpy

    assert round_half_even(value, digits) == float(numpy.round(value, digits))


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.tuples(percentages, percentages), max_size=6))
def test_aggregate_stays_within_its_bounds(games):
    total = clemscore(games)
    for number in total:
        assert number is None or 0 <= number <= 100
    assert (total.clemscore is None) == (total.played is None or total.quality is None)
    if total.clemscore is not None and total.played is not None and total.quality is not None:
        assert total.clemscore <= min(total.played, total.quality) + 0.01
    played = [p for p, _ in games.values() if p is not None]
    if total.played is not None:
        assert min(played) - 0.01 <= total.played <= max(played) + 0.01


@pytest.mark.parametrize("columns", ["1", "40", "80", "200"])
def test_a_narrow_terminal_costs_no_column_and_no_digit(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    scores = [EpisodeScore("success", 1 / 3), EpisodeScore("aborted", None), EpisodeScore("aborted", None, True)]
    show(games_grid({"a_game_with_a_rather_long_name": summarise(scores)}, "model [x]"))
    shown = capsys.readouterr().out
    for part in (
        "a_game_with_a_rather_long_name",
        "50.0 [",
        "33.3",
        "1 (50% [1, 99])",
        "(+1 by partner)",
        "16.67",
        "model",
    ):
        assert part in shown
