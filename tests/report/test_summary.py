"""From records to the figures of a run."""

from __future__ import annotations

import pytest
from made_runs import episode, episodes, items, run

from playpen_eval.errors import UserError
from playpen_eval.report import report_grids, summarise_run
from playpen_eval.report.summary import select
from playpen_eval.runs import DUPLICATE, Problem, read_run

TRAINING = (
    "imagegame",
    "privateshared",
    "referencegame",
    "taboo",
    "wordle",
    "wordle_withclue",
    "wordle_withcritic",
)


def test_games_and_axes():
    found = summarise_run(run(episodes("taboo", "whla"), episodes("guesswhat", "ll"), episodes("nback", "w")))
    taboo = found.games["taboo"].score
    assert (taboo.n, taboo.success, taboo.lose, taboo.aborted) == (4, 2, 1, 1)
    assert (taboo.played, taboo.quality, taboo.clemscore) == (75, 50, 37.5)
    assert found.games["taboo"].turns == 3
    assert {axis: figures.games for axis, figures in found.axes.items()} == {
        "unseen_instances": ("taboo",),
        "unseen_games": ("guesswhat",),
        "overall": ("guesswhat", "taboo"),
    }
    overall = found.axes["overall"]
    assert overall.score.value == 37.5 / 2
    assert overall.clemscore.value == round((75 + 100) / 2 / 100 * 25, 2)
    for figure in (overall.score, overall.clemscore):
        assert figure.interval is not None
        assert figure.interval.low < figure.value < figure.interval.high  # type: ignore[operator]


def test_a_partial_axis_names_what_is_missing():
    found = summarise_run(run(episodes("taboo", "w")))
    assert found.axes["unseen_instances"].missing == tuple(game for game in TRAINING if game != "taboo")
    assert [doubt for doubt in found.doubts if doubt.startswith("unseen_instances is partial, without imagegame")]
    whole = summarise_run(run(*(episodes(game, "w") for game in TRAINING)))
    assert whole.axes["unseen_instances"].missing == ()
    assert whole.doubts == ()


def test_an_axis_of_which_nothing_was_played_has_a_score_and_no_clemscore():
    figures = summarise_run(run(episodes("taboo", "aa"))).axes["unseen_instances"]
    assert figures.score.value == 0
    assert figures.score.interval is not None
    assert figures.score.interval.high > 0
    assert figures.clemscore == (None, None)


def test_episodes_that_a_partner_aborted_count_for_nothing():
    found = summarise_run(run(episodes("taboo", "wpp")))
    assert (found.games["taboo"].score.n, found.games["taboo"].score.partner_aborted) == (1, 2)
    assert found.axes["unseen_instances"].score.value == 100


def test_setups_are_never_mixed():
    beside = [episode("taboo", n, "l", partner="scripted:best", roles=("guesser",)) for n in range(2)]
    found = summarise_run(run(episodes("taboo", "w"), beside))
    assert list(found.games) == ["taboo as guesser beside scripted:best", "taboo beside self"]
    assert found.axes == {}
    assert any("taboo was played in several setups" in doubt for doubt in found.doubts)


def test_the_train_split_is_shown_apart():
    found = summarise_run(run(episodes("taboo", "w", split="train"), episodes("taboo", "ll")))
    assert list(found.games) == ["taboo", "taboo (train)"]
    assert found.axes["unseen_instances"].score.value == 0


def test_one_split_of_several_can_be_chosen():
    mixed = run(episodes("taboo", "w"), episodes("taboo", "l", split="validation"))
    assert list(summarise_run(mixed).games) == ["taboo (test)", "taboo (validation)"]
    chosen = summarise_run(select(mixed, splits=["validation"]))
    assert chosen.axes["unseen_instances"].score.value == 0
    with pytest.raises(UserError, match="has no game wordle; it has taboo"):
        select(mixed, games=["wordle"])


def test_a_run_with_nothing_in_it_has_no_figures():
    with pytest.raises(UserError, match=r"holds no episode and no item \(duplicate: a\)"):
        summarise_run(run(problems=(Problem(DUPLICATE, 1, ("a",)),)))


def test_skills():
    found = summarise_run(run(items("winogrande", "playpen_winogrande", "0111")))
    assert found.skills is not None
    assert found.skills.scores["winogrande"].score == pytest.approx(50)
    assert any("retained skills are partial" in doubt for doubt in found.doubts)
    assert summarise_run(run(episodes("taboo", "w"))).skills is None


def test_repeated_answers_to_an_item_count_as_one_item():
    found = summarise_run(run(*(items("winogrande", "playpen_winogrande", "01", epoch=epoch) for epoch in (1, 2))))
    assert found.skills is not None
    assert found.skills.scores["winogrande"].n == 2


def test_problems_and_conditions_stand_below_the_table():
    broken = run(episodes("taboo", "w"), problems=(Problem(DUPLICATE, 3, ("a", "b")),), dtype=None, tokens_out=1234)
    text = report_grids(summarise_run(broken))[0].markdown()
    for part in ("! duplicate: a; b and 1 more", "precision: not told", "1,234 written", "some/model"):
        assert part in text.replace("\\", "")


def test_recorded_runs_have_their_published_clemscores(shared):
    found = summarise_run(read_run(shared / "recordings" / "llama3-8b-base.tar.gz"))
    assert found.axes["overall"].clemscore.value == 29.28
    assert found.axes["statscore"].clemscore.value == 56.46
    assert (found.axes["unseen_instances"].clemscore.value, found.axes["unseen_games"].clemscore.value) == (
        25.75,
        32.53,
    )
