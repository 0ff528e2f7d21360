"""Differences between two runs, and among several."""

from __future__ import annotations

import json

import pytest
from made_runs import episodes, items, run

from playpen_eval.compare import compare, compare_several
from playpen_eval.compare.tables import (
    comparison_grids,
    effects_grid,
    several_grids,
    several_to_dict,
    shifts_grid,
    to_dict,
)
from playpen_eval.errors import UserError
from playpen_eval.runs import MISSING, Problem


def two():
    """Three games on both axes; taboo gains 25 points, wordle loses 50, guesswhat stays."""
    before = run(episodes("taboo", "wlal"), episodes("wordle", "whhw"), episodes("guesswhat", "wwll"), label="before")
    after = run(episodes("taboo", "wlwl"), episodes("wordle", "laaw"), episodes("guesswhat", "wwll"), label="after")
    return before, after


def test_effects_of_games_axes_and_overall():
    found = compare(*two())
    effects = {(row.subject, row.figure): row.difference for row in found.effects}
    # Quality of taboo 33 1/3 and of wordle 75 before, 50 and 50 after; % played 75 and 100 before, 100 and 50 after.
    clemscores = 87.5 / 100 * (100 / 3 + 75) / 2, 75 / 100 * (50 + 50) / 2
    assert effects["unseen_instances", "clemscore"].before == pytest.approx(clemscores[0])
    assert effects["unseen_instances", "clemscore"].after == pytest.approx(clemscores[1])
    changes = {subject: difference.effect for (subject, figure), difference in effects.items() if figure == "score"}
    assert changes == pytest.approx(
        {
            "unseen_instances": (25 - 50) / 2,
            "unseen_games": 0,
            "overall": (25 - 50 + 0) / 3,
            "guesswhat": 0,
            "taboo": 25,
            "wordle": -50,
        }
    )
    assert effects["taboo", "score"].before == 25
    assert effects["taboo", "score"].n == 4
    assert effects["overall", "score"].n == 12


def test_p_values_of_games_are_adjusted_together_and_successes_tested():
    rows = {row.subject: row for row in compare(*two()).effects if row.kind == "game"}
    for row in rows.values():
        assert row.p_holm is not None
        assert min(1, row.difference.p) <= row.p_holm <= min(1, 3 * row.difference.p)
        assert row.detectable > 0
    test = rows["wordle"].mcnemar
    assert test is not None
    assert (test.gained, test.lost, test.both, test.neither) == (0, 3, 1, 0)
    assert test.p == pytest.approx(0.25)


def test_several_plays_of_an_instance_have_no_exact_test():
    before, after = (run(episodes("taboo", "wl"), episodes("taboo", letters, epoch=2)) for letters in ("ll", "ww"))
    [row] = [row for row in compare(before, after).effects if row.kind == "game"]
    assert row.mcnemar is None
    assert row.difference.effect == 50 * 1.5 - 25


def test_other_figures_than_the_score():
    found = compare(*two())
    assert found.difference("wordle", "aborted").effect == 50
    assert found.difference("wordle", "played").effect == -50
    assert found.difference("wordle", "success").effect == -75
    assert found.difference("wordle", "lose").effect == 25
    with pytest.raises(UserError, match="unknown figure 'quality'"):
        found.difference("wordle", "quality")
    with pytest.raises(UserError, match="did you mean 'taboo'"):
        found.difference("tabboo")


def test_a_narrower_level_gives_a_narrower_interval():
    found = compare(*two())
    wide, narrow = (found.difference("overall", confidence=level).interval for level in (0.95, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert found.difference("overall") is found.difference("overall")


def test_outcomes_move():
    found = compare(*two())
    assert {move: n for move, n in found.shifts("wordle").items() if n} == {
        ("success", "lose"): 1,
        ("success", "aborted"): 2,
        ("success", "success"): 1,
    }
    assert sum(found.shifts("overall").values()) == 12


def test_the_most_changed_episodes_show_both_directions():
    pairs = compare(*two()).most_changed(2)
    assert [(pair.before.game, pair.change) for pair in pairs] == [("wordle", -100), ("taboo", 100)]
    assert len(compare(*two()).most_changed(100)) == 4


def test_an_abort_that_becomes_a_loss_is_a_change():
    found = compare(run(episodes("taboo", "aw")), run(episodes("taboo", "lw")))
    assert [pair.after.kind for pair in found.most_changed()] == ["lose"]
    assert found.difference("taboo").effect == 0


def test_skills_are_corrected_for_guessing_and_averaged_over_benchmarks():
    chance_half = [run(items("winogrande", "playpen_winogrande", values)) for values in ("0011", "0111")]
    assert compare(*chance_half).difference("winogrande").effect == pytest.approx(2 * 25)
    both = [
        run(items("winogrande", "playpen_winogrande", one), items("ifeval", "playpen_ifeval", other))
        for one, other in (("0011", "01"), ("0111", "00"))
    ]
    found = compare(*both)
    assert found.subjects == {
        "winogrande": "benchmark",
        "ifeval": "benchmark",
        "commonsense": "capability",
        "general": "capability",
        "retained_skills": "axis",
    }
    assert found.difference("retained_skills").effect == pytest.approx((2 * 25 - 50) / 2)
    with pytest.raises(UserError, match="retained_skills has only a score, no played"):
        found.difference("retained_skills", "played")


def test_tasks_count_by_size_where_the_benchmark_says_so():
    before = run(items("mmlu_pro", "playpen_mmlu_pro_law", "0000"), items("mmlu_pro", "playpen_mmlu_pro_math", "00"))
    after = run(items("mmlu_pro", "playpen_mmlu_pro_law", "1100"), items("mmlu_pro", "playpen_mmlu_pro_math", "00"))
    assert compare(before, after).difference("mmlu_pro").effect == pytest.approx(100 * 2 / 6 / 0.9)


def test_a_game_that_is_a_benchmark_is_compared_as_a_game():
    before, after = (run(episodes("nback", one), items("nback", "playpen_nback", "01")) for one in ("wl", "ww"))
    assert compare(before, after).subjects == {"nback": "game"}


def test_instances_of_the_train_split_are_part_of_no_axis():
    before, after = (run(episodes("taboo", one, split="train")) for one in ("wl", "ww"))
    found = compare(before, after)
    assert found.subjects == {"taboo (train)": "game"}
    assert any("part of no axis" in doubt for doubt in found.doubts)


def test_doubts_name_problems_leftovers_and_partner_faults():
    before = run(episodes("taboo", "wpww"), problems=(Problem(MISSING, 2, ("taboo/x", "taboo/y")),))
    after = run(episodes("taboo", "www"))
    assert compare(before, after).doubts == (
        "before: missing: taboo/x; taboo/y",
        "only before, not compared: taboo 1",
        "left out, because a partner broke the protocol: taboo 1",
    )


def test_only_some_games_or_splits():
    found = compare(*two(), games=["taboo"])
    assert found.subjects == {"unseen_instances": "axis", "overall": "axis", "taboo": "game"}
    with pytest.raises(UserError, match="has no split validation; it has test"):
        compare(*two(), splits=["validation"])


def test_the_same_run_twice_has_not_changed():
    found = compare(two()[0], two()[0])
    assert all(row.difference.effect == 0 and row.difference.p > 0.9 for row in found.effects)
    assert found.most_changed() == []


def test_tables_and_json():
    found = compare(*two())
    text = effects_grid(found).markdown()
    assert "before (before) to after (after)" in text
    row = next(line for line in text.splitlines() if line.startswith("| wordle "))
    assert [cell.strip() for cell in row.split("|")[2:5]] == ["4", "75.0", "25.0"]
    [shifts] = [row for row in shifts_grid(found).rows if row and row[0] == "unseen_instances"]
    assert shifts == ["unseen_instances", "8", "", "1", "", "", "2", "1", "4"]
    assert [len(grid.headings) for grid in comparison_grids(found)] == [9, 9, 4]
    data = json.loads(json.dumps(to_dict(found), allow_nan=False))
    assert [row["subject"] for row in data["effects"] if row["kind"] == "game"] == ["guesswhat", "taboo", "wordle"]
    assert data["axes"]["overall"] == ["guesswhat", "taboo", "wordle"]


def test_checkpoints_are_sorted_by_step():
    runs = [
        run(episodes("taboo", one), label=f"checkpoint-{step}")
        for step, one in ((200, "www"), (50, "lll"), (100, "lww"))
    ]
    found = compare_several(runs)
    assert found.steps == (50, 100, 200)
    assert found.labels == ("checkpoint-50", "checkpoint-100", "checkpoint-200")
    assert [found.level(index, "taboo") for index in range(3)] == pytest.approx([0, 200 / 3, 100])
    assert found.comparisons[0, 2].difference("taboo").effect == 100
    levels, *matrices = several_grids(found)
    assert [row[0] for row in levels.rows] == list(found.labels)
    assert [matrix.title for matrix in matrices] == ["Change of unseen_instances", "Change of overall"]
    assert len(several_to_dict(found)["comparisons"]) == 3


def test_runs_of_one_name_are_told_apart():
    found = compare_several([run(episodes("taboo", one)) for one in ("ww", "wl", "ll")])
    assert found.steps is None
    assert found.labels == ("logs/run #1", "logs/run #2", "logs/run #3")


def test_one_run_cannot_be_compared():
    with pytest.raises(UserError, match="1 run to compare"):
        compare_several([run(episodes("taboo", "w"))])
