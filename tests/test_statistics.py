"""Intervals and paired differences: by hand, by property and by simulation.

tests/bench/simulate_statistics.py does the same at length, beside the usual methods.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paired_episodes import compare
from scipy.stats import binom

from playpen_eval.errors import UserError
from playpen_eval.scoring import EpisodeScore, clemscore, summarise
from playpen_eval.skills.catalogue import find_benchmark
from playpen_eval.statistics import (
    macro_clemscore,
    macro_mean,
    macro_played,
    mean_interval,
    paired_difference,
    run_estimate,
    weighted_mean,
)

N = 50
values = st.integers(0, 1000).map(lambda tenths: tenths / 10)
scores = st.one_of(st.none(), values, st.sampled_from([0.0, 50.0, 100.0]))
pairs = st.lists(st.tuples(scores, scores, st.sampled_from("abc")), min_size=1, max_size=30)


def near(one, other):
    return one == pytest.approx(other, abs=1e-5)


# The mean of one run.


def test_shares_have_the_clopper_pearson_interval():
    assert near(mean_interval([100.0] * 8 + [0.0] * 2), (44.390454, 97.478927))
    assert near(mean_interval([0.0] * N), (0, 100 * (1 - 0.025 ** (1 / N))))
    assert near(mean_interval([1.0] * 8 + [0.0] * 2, bounds=(0, 1)), (0.44390454, 0.97478927))


def test_what_was_drawn_agrees_with_the_exact_interval():
    drawn = mean_interval([100.0] * 8 + [0.0] * 2, range(10))
    assert drawn == pytest.approx((44.39, 97.48), abs=1.5)


def test_values_that_are_all_equal_leave_room_on_both_sides():
    low, high = mean_interval([50.0] * N)
    assert 45 < low < 48
    assert 52 < high < 55


def test_nothing_is_known_of_no_values_and_little_of_one():
    assert mean_interval([]) == (0, 100)
    assert near(mean_interval([0.0]), (0, 97.5))


@pytest.mark.parametrize("p", [0, 0.0035, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.98, 1])
def test_coverage_of_shares(p):
    weights = binom.pmf(range(N + 1), N, p)
    held = [mean_interval([100.0] * k + [0.0] * (N - k)) for k in range(N + 1) if weights[k] > 1e-6]
    likely = [weight for weight in weights if weight > 1e-6]
    assert sum(w for w, (low, high) in zip(likely, held) if low - 1e-9 <= 100 * p <= high + 1e-9) >= 0.95 - 1e-4


@pytest.mark.parametrize(
    "shares", [(1 / 3, 1 / 3, 1 / 3), (0.94, 0.03, 0.03), (0, 0.98, 0.02), (0.5, 0.5, 0), (0, 1, 0)]
)
def test_coverage_of_scores_0_50_100(shares):
    rng = np.random.default_rng(0)
    drawn, seen = np.unique(rng.multinomial(N, shares, size=300), axis=0, return_counts=True)
    truth = 50 * shares[1] + 100 * shares[2]
    held = 0
    for counts, times in zip(drawn, seen):
        low, high = mean_interval(np.repeat([0.0, 50.0, 100.0], counts).tolist())
        held += times * (low <= truth <= high)
    assert held / 300 >= 0.93


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng: 100 * rng.beta(0.1, 2, size=N), 100 * 0.1 / 2.1),
        (lambda rng: 100 * rng.beta(8, 0.3, size=N), 100 * 8 / 8.3),
        (lambda rng: 100 * rng.random(N) * (rng.random(N) < 0.1), 5),
    ],
    ids=["mostly near 0", "mostly near 100", "mostly 0"],
)
def test_coverage_of_skewed_scores(draw, truth):
    rng = np.random.default_rng(1)
    held = [low <= truth <= high for low, high in (mean_interval(draw(rng).tolist()) for _ in range(40))]
    assert np.mean(held) >= 0.93


def test_scores_below_zero_with_their_bounds():
    low, high = mean_interval([0.0] * 8 + [-50.0] * 2, bounds=(-100, 100))
    assert -100 < low < -30
    assert 0 < high < 100
    assert near(
        mean_interval([-100.0] * 2 + [100.0] * 8, bounds=(-100, 100)), (2 * 44.390454 - 100, 2 * 97.478927 - 100)
    )
    found = compare([(-50.0, 0.0, "a")] * 5, bounds=(-100, 100))
    assert found.effect == 50
    assert found.interval.low < 50 < found.interval.high


def test_a_level_needs_draws_enough():
    for level in (0.0, 1.0, 0.999, math.nan):
        with pytest.raises(UserError, match=f"no interval of level {level} with 199 draws; the highest is 0.99"):
            compare([(0.0, 100.0, "a")], confidence=level)
    assert compare([(0.0, 100.0, "a")] * 9, confidence=0.99).interval.low < 100


def test_plays_of_one_instance_widen_the_interval():
    values = [0.0, 50.0, 100.0, 50.0] * 10
    plays = [value for value in values for _ in range(4)]
    instances = [instance for instance in range(40) for _ in range(4)]
    once, apart, together = mean_interval(values), mean_interval(plays), mean_interval(plays, instances)
    assert apart.high - apart.low < 0.6 * (together.high - together.low)
    assert together == pytest.approx(once, abs=0.5)
    assert mean_interval(values, range(40)) == once, "one play each is no cluster"
    assert mean_interval([100.0] * 40, range(40)) == mean_interval([100.0] * 40)


@settings(deadline=None, max_examples=20)
@given(st.lists(values, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_the_interval_of_a_mean(values, random):
    interval = mean_interval(values)
    assert 0 <= interval.low <= math.fsum(values) / len(values) <= interval.high <= 100
    assert mean_interval(random.sample(values, len(values))) == interval
    scaled = mean_interval([value / 100 for value in values], bounds=(0, 1))
    assert near([100 * limit for limit in scaled], interval)


@pytest.mark.parametrize("value", [-1.0, 101.0, math.nan, math.inf])
def test_impossible_scores_are_refused(value):
    with pytest.raises(UserError, match=r"\(entry 1\) lies outside \[0, 100\]"):
        mean_interval([50.0, value])
    with pytest.raises(UserError, match="lies outside"):
        paired_difference([50.0, value], [50.0, 50.0], "aa")


# Two runs.

EPISODES = [(100.0, 0.0, "a"), (50.0, None, "a"), (None, 100.0, "b"), (None, None, "b"), (20.0, 30.0, "b")]


def test_figures_by_hand():
    mean = compare(EPISODES)
    assert near(mean[:3], ((75 + 20 / 3) / 2, (0 + 130 / 3) / 2, (130 / 3 - 75 - 20 / 3) / 2))
    assert mean.n == 5
    assert near(compare(EPISODES, macro_played)[:2], ((100 + 100 / 3) / 2, (50 + 200 / 3) / 2))
    assert near(compare(EPISODES, macro_clemscore)[0], (100 + 100 / 3) / 2 * (75 + 20) / 2 / 100)


@settings(deadline=None, max_examples=30)
@given(pairs)
def test_the_clemscore_is_that_of_scoring_but_for_rounding(episodes):
    games = {}
    for stratum in {episode[2] for episode in episodes}:
        ours = [
            EpisodeScore("aborted", None) if score is None else EpisodeScore("lose", score / 100)
            for score, _, name in episodes
            if name == stratum
        ]
        summary = summarise(ours, intervals=False)
        games[stratum] = summary.played, summary.quality
    assert compare(episodes, macro_clemscore).before == pytest.approx(clemscore(games).clemscore or 0, abs=0.03)


@settings(deadline=None, max_examples=30)
@given(pairs, st.sampled_from([macro_mean, macro_clemscore, macro_played]), st.randoms(use_true_random=False))
def test_differences(episodes, statistic, random):
    found = compare(episodes, statistic)
    assert found.interval.low <= found.effect <= found.interval.high
    assert -100 <= found.effect <= 100
    assert compare(random.sample(episodes, len(episodes)), statistic) == found

    swapped = compare([(after, before, stratum) for before, after, stratum in episodes], statistic)
    assert (swapped.before, swapped.after, swapped.effect) == (found.after, found.before, -found.effect)
    assert swapped.interval == (-found.interval.high, -found.interval.low)
    assert (swapped.p, swapped.error, swapped.n) == (found.p, found.error, found.n)

    tenth = [(None if b is None else b / 10, None if a is None else a / 10, s) for b, a, s in episodes]
    if statistic is not macro_played:
        scaled = compare(tenth, statistic, bounds=(0, 10))
        assert near([10 * limit for limit in scaled.interval], found.interval)


@settings(deadline=None, max_examples=40)
@given(pairs, st.sampled_from([macro_mean, macro_clemscore]))
def test_p_and_interval_agree(episodes, statistic):
    found = compare(episodes, statistic)
    assert (found.p <= 0.05) == (found.interval.low > 0 or found.interval.high < 0)
    assert 0 < found.p <= 1


def test_rounding_errors_do_not_choose_the_stratum_of_the_one_more_instance():
    episodes = [(None, None, "a"), (None, None, "b"), (0.1, None, "a"), (36.5, None, "c"), (100.0, 36.5, "c")]
    tenth = [(None if b is None else b / 10, None if a is None else a / 10, s) for b, a, s in episodes]
    scaled = compare(tenth, bounds=(0, 10))
    assert near([10 * limit for limit in scaled.interval], compare(episodes).interval)


def test_runs_that_are_each_others_mirror_image_differ_by_nothing():
    episodes = [(100 / 3, 10.0, "a"), (10.0, 100 / 3, "a"), (None, 70.1, "b"), (70.1, None, "b"), (0.3, 0.3, "b")]
    for statistic in (macro_mean, macro_clemscore, macro_played):
        found = compare(episodes, statistic)
        assert (found.effect, found.p, found.interval.low) == (0, 1, -found.interval.high)
        assert found.interval.high > 0


def test_runs_that_agree_everywhere_differ_by_nothing_as_far_as_one_can_tell():
    found = compare([(100.0, 100.0, "a")] * 20 + [(None, None, "b")] * 20)
    assert (found.effect, found.p) == (0, 1)
    assert -15 < found.interval.low < -3
    assert 3 < found.interval.high < 15


def test_plays_of_one_instance_are_drawn_together():
    episodes = [(0.0, 100.0 * (index % 3 == 0), "a") for index in range(30)]
    once = compare(episodes)
    plays = [episode for episode in episodes for _ in range(4)]
    together = compare(plays, clusters=[instance for instance in range(30) for _ in range(4)])
    assert together.n == 30
    assert together.interval == pytest.approx(once.interval)
    assert compare(plays).interval.low > once.interval.low


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(UserError, match="1 and 2 scores, 2 strata and 2 clusters"):
        paired_difference([1.0], [1.0, 2.0], "aa")
    with pytest.raises(UserError, match="2 scores, 2 strata and 1 clusters"):
        run_estimate([1.0, 2.0], "aa", clusters=[1])
    with pytest.raises(UserError, match="share no instance"):
        paired_difference([], [], "")
    with pytest.raises(UserError, match=r"no episode$"):
        run_estimate([], "")
    with pytest.raises(UserError, match="no bounds for b, c"):
        run_estimate([1.0, 2.0, 3.0], "abc", bounds={"a": (0, 100)})
    with pytest.raises(UserError, match=r"-1.0 \(entry 1\) lies outside \[0, 100\]"):
        run_estimate([-1.0, -1.0], "ab", bounds={"a": (-100, 100), "b": (0, 100)})


# Bounds by stratum.


def test_a_stratum_with_scores_below_zero_leaves_the_others_theirs():
    episodes = [(None, 80.0, "a")] * 5 + [(None, -40.0, "e")] * 5
    bounds = {"a": (0, 100), "e": (-200, 100)}
    mixed, wide, narrow = (compare(episodes, bounds=one) for one in (bounds, (-200, 100), (-40, 100)))
    assert wide.interval.low < mixed.interval.low < narrow.interval.low
    with pytest.raises(UserError, match="lies outside"):
        compare(episodes, bounds={"a": (-200, 100), "e": (0, 100)})
    few = run_estimate([80.0] * 5 + [-40.0] * 50, ["a"] * 5 + ["e"] * 50, bounds=bounds, draws=199)
    most = run_estimate([80.0] * 5 + [-40.0] * 50, ["a"] * 5 + ["e"] * 50, bounds=(-200, 100), draws=199)
    assert few.interval.low > most.interval.low
    assert few.interval.high == most.interval.high


def test_percent_played_has_an_interval_where_scores_below_zero_are_possible():
    found = compare([(50.0, 50.0, "e")] * 20, macro_played, bounds=(-200, 100))
    assert found.interval.low < -3
    assert found.interval.high > 3
    assert run_estimate([50.0] * 20, ["e"] * 20, macro_played, bounds=(-200, 100), draws=199).interval.low < 97


# One run over strata.


@settings(deadline=None, max_examples=30)
@given(pairs, st.sampled_from([macro_mean, macro_clemscore, macro_played]), st.randoms(use_true_random=False))
def test_the_estimate_of_one_run(episodes, statistic, random):
    def estimate(episodes):
        return run_estimate([e[0] for e in episodes], [e[2] for e in episodes], statistic, draws=199)

    found = estimate(episodes)
    both = compare(episodes, statistic)
    assert (found.value, found.n) == (pytest.approx(both.before, abs=1e-9), both.n)
    assert -1e-9 <= found.interval.low <= found.value <= found.interval.high <= 100 + 1e-9
    assert estimate(random.sample(episodes, len(episodes))) == found


def test_the_estimate_over_one_game_is_about_the_interval_of_a_mean():
    values = [0.0, 20.0, 50.0, 100.0] * 30
    assert run_estimate(values, ["a"] * 120).interval == pytest.approx(mean_interval(values), abs=0.5)
    plays = [value for value in values for _ in range(3)]
    clusters = [index // 3 for index in range(360)]
    together = run_estimate(plays, ["a"] * 360, clusters=clusters)
    assert together.n == 120
    assert together.interval == pytest.approx(run_estimate(values, ["a"] * 120).interval)


RUNS = {  # games as (share played, share of those won)
    "all won": [(1, 1)] * 5,
    "all aborted": [(0, 0)] * 5,
    "mixed": [(1, 1), (0, 0), (0.5, 0.5), (0.9, 0.1), (0.2, 0.6)],
    "rare": [(0.05, 0.5), (1, 0.98), (1, 0.02), (0.98, 1), (0.1, 0.9)],
}


@pytest.mark.parametrize("games", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("statistic", [macro_mean, macro_clemscore])
def test_coverage_of_the_estimate_of_one_run(games, statistic):
    rng, repeats, held = np.random.default_rng(5), 100, 0
    shares = np.array(games, dtype=float)
    quality = np.where(shares[:, 0] > 0, 100 * shares[:, 1], np.nan)
    truth = statistic(100 * shares[:, 0], quality)
    strata = [str(index) for index in range(len(games)) for _ in range(N)]
    for _ in range(repeats):
        drawn = [(rng.random(N) < played, rng.random(N) < won) for played, won in games]
        scores = [100.0 * w if p else None for game in drawn for p, w in zip(*game)]
        low, high = run_estimate(scores, strata, statistic, draws=999).interval
        held += low - 1e-9 <= truth <= high + 1e-9
    assert held / repeats >= 0.93


# Weighted sums over tasks.


def test_weighted_mean_by_hand():
    scores, strata = [100.0, 0.0, 50.0, None, 100.0], "baabb"
    found = run_estimate(scores, strata, weighted_mean({"b": 2.0, "a": 0.5}, offset=-10), draws=199)
    assert found.value == pytest.approx(0.5 * 25 + 2 * 200 / 3 - 10)
    halves = run_estimate(scores, strata, weighted_mean({"a": 0.5, "b": 0.5}), draws=199)
    mean = run_estimate(scores, strata, draws=199)
    assert (halves.value, *halves.interval) == pytest.approx((mean.value, *mean.interval))
    for weights in ({"a": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "c": 1.0}):
        with pytest.raises(UserError, match=r"only one of the two has (b|c|b, c)$"):
            run_estimate(scores, strata, weighted_mean(weights))
    for odd in (-0.5, math.nan, math.inf):
        with pytest.raises(UserError, match=f"not negative, unlike b: {odd}"):
            weighted_mean({"a": 1.0, "b": odd})


def test_retained_skills_are_a_weighted_mean():
    """Two benchmarks: x with tasks of 30 and 10 items by size and chance 0.5; y with two tasks counting the same."""
    rng = np.random.default_rng(0)
    sizes, chance = {"x1": 30, "x2": 10, "y1": 20, "y2": 5}, {"x": 0.5, "y": 0.1}
    strata = [task for task, size in sizes.items() for _ in range(size)]
    before, after = (list(100.0 * (rng.random(len(strata)) < share)) for share in (0.6, 0.8))
    share = {"x1": 0.75, "x2": 0.25, "y1": 0.5, "y2": 0.5}
    weights = {task: share[task] / (1 - chance[task[0]]) / 2 for task in sizes}
    offset = -100 * sum(c / (1 - c) for c in chance.values()) / 2

    def axis(run):
        means = {task: np.mean([v for v, t in zip(run, strata) if t == task]) / 100 for task in sizes}
        x = 0.75 * means["x1"] + 0.25 * means["x2"]
        y = (means["y1"] + means["y2"]) / 2
        return (100 * (x - 0.5) / 0.5 + 100 * (y - 0.1) / 0.9) / 2

    found = paired_difference(before, after, strata, weighted_mean(weights, offset))
    assert near(found[:3], (axis(before), axis(after), axis(after) - axis(before)))
    without = paired_difference(before, after, strata, weighted_mean(weights))
    assert near(without.interval, found.interval)
    assert paired_difference(after, before, strata, weighted_mean(weights, offset)).interval == (
        -found.interval.high,
        -found.interval.low,
    )


def test_the_same_items_in_other_words_are_clusters():
    """A repeated benchmark as one stratum: five versions that are answered alike tell no more than one."""
    benchmark = find_benchmark("lm_pragmatics")
    assert benchmark.repeated
    assert benchmark.weight == "size", "the mean over all rows of the stratum"
    names = {leaf.config for leaf in benchmark.leaves}
    assert len(names) * 5 == len(benchmark.leaves), "what the tasks do not differ in, and five versions"
    rng = np.random.default_rng(1)
    items = [(leaf.config, index) for leaf in benchmark.leaves for index in range(12)]
    answers = {item: 100.0 * (rng.random(2) < (0.5, 0.7)) for item in dict.fromkeys(items)}
    alike = [[float(answers[item][run]) for item in items] for run in (0, 1)]
    statistic = weighted_mean({"lm_pragmatics": 1 / 0.7}, offset=-30 / 0.7)
    repeated = paired_difference(alike[0], alike[1], ["lm_pragmatics"] * len(items), statistic, clusters=items)
    once = [[float(pair[run]) for pair in answers.values()] for run in (0, 1)]
    single = paired_difference(once[0], once[1], ["lm_pragmatics"] * len(answers), statistic)
    assert (repeated.n, repeated.interval) == (len(names) * 12, pytest.approx(single.interval))

    apart = [list(100.0 * (rng.random(len(items)) < share)) for share in (0.5, 0.7)]
    clustered = paired_difference(apart[0], apart[1], ["lm_pragmatics"] * len(items), statistic, clusters=items)
    independent = paired_difference(apart[0], apart[1], ["lm_pragmatics"] * len(items), statistic)
    assert clustered.effect == pytest.approx(independent.effect)
    assert clustered.error == pytest.approx(independent.error, rel=0.25), (
        "clusters cost nothing where they tell nothing"
    )
