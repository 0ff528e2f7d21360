"""Coverage of differences, tests, power and gates: by hand and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paired_episodes import compare

from playpen_eval.errors import UserError
from playpen_eval.statistics import (
    Difference,
    Interval,
    both_sides,
    gate_decision,
    holm,
    macro_clemscore,
    macro_mean,
    mcnemar_exact,
    paired_difference,
)

N = 50


def draw_pairs(rng, games):
    """Episodes of games (share before, share after, n); the two runs agree more often than by chance."""
    episodes = []
    for index, (before, after, n) in enumerate(games):
        luck = rng.random(n)
        other = np.where(rng.random(n) < 0.6, luck, rng.random(n))
        episodes += [(100.0 * (u < before), 100.0 * (v < after), str(index)) for u, v in zip(luck, other)]
    return episodes


GAMES = {
    "one": [(0.5, 0.3, N)],
    "one, rare": [(1, 0.98, N)],
    "small": [(0.9, 0.8, 6), (0.5, 0.3, 6), (0.02, 0.1, 11), (0.7, 0.7, 24), (0, 0.05, 12)],
    "many": [(0.9, 0.8, N), (0.5, 0.3, N), (0.02, 0.1, N), (0.7, 0.7, N), (0, 0.05, N)],
}


@pytest.mark.parametrize("games", GAMES.values(), ids=GAMES)
def test_coverage_of_differences_and_false_alarms_of_gates(games):
    rng, repeats = np.random.default_rng(2), 150
    truth = float(100 * np.mean([after - before for before, after, _ in games]))
    held = alarms = passes = 0
    for _ in range(repeats):
        episodes = draw_pairs(rng, games)
        low, high = compare(episodes).interval
        held += low <= truth <= high
        found = compare(episodes, confidence=both_sides(0.95))
        decision = gate_decision(found.effect, found.interval, truth)
        alarms += decision == "regression"
        passes += decision == "pass"
    assert held / repeats >= 0.93
    noise = 2 * math.sqrt(0.05 * 0.95 / repeats)
    assert alarms / repeats <= 0.05 + noise
    assert passes / repeats <= 0.05 + noise


# Tests.


def test_mcnemar_by_hand():
    before = [True] * 10 + [False] * 8
    after = [True] * 4 + [False] * 6 + [True] * 1 + [False] * 7
    found = mcnemar_exact(before, after)
    assert found[:4] == (1, 6, 4, 7)
    assert found.p == pytest.approx(2 * (1 + 7) / 2**7)
    assert mcnemar_exact(after, before).p == found.p
    assert mcnemar_exact([True, False], [True, False]).p == 1
    assert mcnemar_exact([], []) == (0, 0, 0, 0, 1)
    with pytest.raises(UserError, match="1 successes before and 2 after"):
        mcnemar_exact([True], [True, False])


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert list(holm({"b": 0.5, "a": 0.1})) == ["b", "a"]
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1, "b": 1}
    assert holm({}) == {}
    with pytest.raises(UserError, match="the p value of a is nan"):
        holm({"a": math.nan})


@given(st.dictionaries(st.text(max_size=2), st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(p_values):
    adjusted = holm(p_values)
    ranked = sorted(p_values, key=lambda name: p_values[name])
    assert [adjusted[name] for name in ranked] == sorted(adjusted.values())
    for name, p in p_values.items():
        assert p <= adjusted[name] <= min(1, len(p_values) * p) + 1e-12


# Power.


@pytest.mark.parametrize("statistic", [macro_mean, macro_clemscore])
@pytest.mark.parametrize(
    "games", [[(0.5, 0.3, N)], [(0.5, 0.4, N), (0.3, 0.15, 30), (0.6, 0.6, N)]], ids=["one", "three"]
)
def test_power_is_that_of_simulation(games, statistic):
    rng, repeats = np.random.default_rng(3), 300
    truth = float(100 * np.mean([after - before for before, after, _ in games]))
    samples = []
    for _ in range(repeats):
        before, after, strata = zip(*draw_pairs(rng, games))
        if statistic is macro_clemscore:  # what was won is played, and half of it is worth half
            before, after = (
                [None if not s else 50.0 if i % 2 else 100.0 for i, s in enumerate(r)] for r in (before, after)
            )
        samples.append(paired_difference(before, after, strata, statistic, draws=199))
    if statistic is macro_clemscore:
        truth *= 0.75
    found = np.mean([sample.p <= 0.05 for sample in samples])
    assert np.mean([sample.power(truth) for sample in samples]) == pytest.approx(found, abs=0.08)


def test_power_and_the_smallest_effect_agree():
    episodes = [(50.0, 50.0 + d, "a") for d in (0.0, 50.0, -50.0, 0.0)] * 10 + [(0.0, d, "b") for d in (0.0, 50.0)] * 30
    found = compare(episodes)
    effect = found.detectable()
    assert found.power(effect) == pytest.approx(0.8, abs=1e-4)
    assert found.power(-effect) == found.power(effect)
    assert found.power(0) < 0.05
    assert found.detectable(0.9) > effect > compare(episodes, confidence=0.9).detectable()
    assert compare(episodes * 16).detectable() == pytest.approx(compare(episodes * 4).detectable() / 2, rel=0.15)
    tenth = [(before / 10, after / 10, stratum) for before, after, stratum in episodes]
    assert compare(tenth, bounds=(0, 10)).detectable() == pytest.approx(effect / 10)
    mirror = compare([(after, before, stratum) for before, after, stratum in episodes])
    assert mirror.detectable() == effect


def test_runs_that_are_all_equal_do_not_promise_to_see_everything():
    assert compare([(0.0, 0.0, "a")] * 20).detectable() > 5


def test_what_cannot_be_said_of_power():
    certain = Difference(0, 0, 0, Interval(-2, 2), 1, 5, error=0)
    assert (certain.power(-3), certain.power(2), certain.detectable()) == (1, 0, 2)
    for power in (0, 1, 80, math.nan):
        with pytest.raises(UserError, match=f"a power of {power} is none"):
            certain.detectable(power)


# Gates.


@pytest.mark.parametrize(
    ("interval", "threshold", "at_most", "expected"),
    [
        ((-1, 3), -2, False, "pass"),
        ((-2, 3), -2, False, "pass"),
        ((-5, -2.1), -2, False, "regression"),
        ((-5, -2), -2, False, "not enough evidence"),
        ((-5, 1), -2, False, "not enough evidence"),
        ((1, 4), 5, True, "pass"),
        ((6, 9), 5, True, "regression"),
        ((4, 9), 5, True, "not enough evidence"),
    ],
)
def test_gate_by_interval(interval, threshold, at_most, expected):
    assert gate_decision(0, Interval(*interval), threshold, at_most=at_most) == expected


def test_gate_without_interval_or_figure():
    assert gate_decision(-2, None, -2) == "pass"
    assert gate_decision(-2.01, None, -2) == "regression"
    assert gate_decision(5.1, None, 5, at_most=True) == "regression"
    for nothing in (None, math.nan):
        assert gate_decision(nothing, Interval(0, 1), -2) == "not enough evidence"
