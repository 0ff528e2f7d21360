"""What two runs must share to be compared, and what is left over."""

from __future__ import annotations

from typing import Any

import pytest
from made_runs import episode, episodes, items, run

from playpen_eval.compare.pairing import pair_runs
from playpen_eval.errors import UserError
from playpen_eval.runs import InstanceSource


def refused(before, after, *allowed: str) -> str:
    with pytest.raises(UserError) as error:
        pair_runs(before, after, allowed)
    return str(error.value)


def test_pairs_are_of_one_instance_in_sorted_order():
    before, after = run(episodes("taboo", "wla")), run(episodes("taboo", "lwa")[::-1])
    paired = pair_runs(before, after)
    assert [(pair.before.instance[-1], pair.before.kind, pair.after.kind) for pair in paired.games["taboo"]] == [
        ("0", "success", "lose"),
        ("1", "lose", "success"),
        ("2", "aborted", "aborted"),
    ]
    assert [pair.change for pair in paired.games["taboo"]] == [-100, 100, 0]
    assert (paired.only_before, paired.only_after, paired.cautions) == ({}, {}, ())


def test_what_only_one_run_has_is_listed():
    before = run(episodes("taboo", "www"), episodes("wordle", "w"))
    after = run(episodes("taboo", "ww"), [episode("taboo", 0, epoch=2)])
    paired = pair_runs(before, after)
    assert paired.only_before == {
        "taboo": ["taboo/1/test/default/2"],
        "wordle (test) beside self": ["wordle/1/test/default/0"],
    }
    assert paired.only_after == {"taboo": ["taboo/1/test/default/0 (epoch 2)"]}
    assert list(paired.games) == ["taboo"]


def test_an_episode_that_a_partner_aborted_is_left_out_of_both():
    paired = pair_runs(run(episodes("taboo", "pww")), run(episodes("taboo", "wpw")))
    assert paired.partner_faults == {"taboo": 2}
    assert len(paired.games["taboo"]) == 1


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"split": "validation"}, "taboo: instances test before and validation after"),
        ({"split": "clembench-2.0", "instance": "taboo/clembench-2.0/high/1"}, "test before and clembench-2.0 after"),
        ({"partner": "scripted:best", "roles": ("guesser",)}, "partner self before and scripted:best after"),
        ({"roles": ("guesser",)}, "the learner's roles all before and guesser after"),
        ({"version": 2}, "taboo: version 1 before and 2 after"),
    ],
)
def test_other_conditions_of_a_game_are_refused(changed: dict[str, Any], why: str):
    before = run(episodes("taboo", "w"), episodes("wordle", "w"))
    after = run([episode("taboo", 0, **changed)], episodes("wordle", "w"))
    assert why in refused(before, after)
    assert why in refused(before, after, "instances", "precision", "settings")


@pytest.mark.parametrize(
    ("what", "changed", "why"),
    [
        ("precision", {"dtype": "float16"}, "dtype is bfloat16 before and float16 after"),
        ("precision", {"quantization": "4bit"}, "quantization is none before and 4bit after"),
        ("settings", {"generation": {"temperature": 1.0}}, "temperature is 0.0 before and 1.0 after"),
        ("instances", {"instances": {"taboo": InstanceSource("test", "1" * 64)}}, "instances test (00000000) before"),
    ],
)
def test_other_conditions_of_a_run_are_refused_unless_allowed(what: str, changed: dict[str, Any], why: str):
    before = run(episodes("taboo", "w"), generation={"temperature": 0.0})
    conditions: dict[str, Any] = {"generation": {"temperature": 0.0}} | changed
    after = run(episodes("taboo", "w"), **conditions)
    assert why in refused(before, after)
    assert f"--allow {what}" in refused(before, after)
    assert any(why in caution for caution in pair_runs(before, after, [what]).cautions)


def test_what_a_log_does_not_tell_is_a_caution():
    before, after = run(episodes("taboo", "w"), dtype=None), run(episodes("taboo", "w"), quantization="4bit")
    assert pair_runs(before, after).cautions == ("not told by both logs: precision",)


def test_other_packages_and_formats_are_cautions():
    before = run(episodes("taboo", "w"), packages={"vllm": "0.31"})
    after = run(episodes("taboo", "w"), packages={"vllm": "0.32"}, format="lm-eval")
    assert pair_runs(before, after).cautions == (
        "vllm 0.31 before and 0.32 after",
        "read from inspect before and lm-eval after",
    )


def test_options_are_not_compared_across_harnesses():
    before, after = (
        run(items("winogrande", "playpen_winogrande", "01"), format=name) for name in ("inspect", "lm-eval")
    )
    assert "winogrande: answered by likelihood in one harness and by letter in the other" in refused(before, after)
    assert len(pair_runs(before, before).items) == 2


def test_items_are_paired_by_task_and_index():
    before, after = (run(items("winogrande", "playpen_winogrande", values)) for values in ("0110", "011"))
    paired = pair_runs(before, after)
    assert [pair.before.item[-1] for pair in paired.items] == ["0", "1", "2"]
    assert paired.only_before == {"winogrande": ["playpen_winogrande/3"]}


def test_nothing_in_common_is_refused():
    assert "no instance in common" in refused(run(episodes("taboo", "w")), run(episodes("wordle", "w")))
    assert "no instance in common" in refused(run(episodes("taboo", "w")), run([episode("taboo", 7)]))


def test_only_some_differences_can_be_allowed():
    one = run(episodes("taboo", "w"))
    assert "cannot allow a difference of partner" in refused(one, one, "partner")


def test_a_game_of_several_setups_is_paired_setup_by_setup():
    both = run(episodes("taboo", "wl"), episodes("taboo", "lw", split="validation"))
    paired = pair_runs(both, both)
    assert list(paired.games) == ["taboo (test)", "taboo (validation)"]
    alone = pair_runs(both, run(episodes("taboo", "wl")))
    assert list(alone.games) == ["taboo"]
    assert alone.only_before == {"taboo (validation) beside self": [f"taboo/1/validation/default/{n}" for n in (0, 1)]}
