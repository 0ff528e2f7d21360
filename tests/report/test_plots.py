"""Plots: what they show, that it fits, and that they are the same each time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text
from pages import episode, made_run

from playpen_eval.compare import compare, compare_several
from playpen_eval.report import summarise_run
from playpen_eval.report.plots import (
    axes_plot,
    axis_figures,
    effects_plot,
    games_plot,
    learning_plot,
    shifts_plot,
)
from playpen_eval.report.svg import to_inline_svg, to_svg
from playpen_eval.runs import Run, RunMeta

MANY = [f"a_game_with_a_long_name_{index}" for index in range(18)]


@pytest.fixture(scope="module")
def several():
    return compare_several([made_run(f"checkpoint-{step}", n=6) for step in (200, 50, 100)])


def texts(figure) -> list[str]:
    """All texts of a figure, in drawing order."""
    found = ElementTree.fromstring(to_svg(figure)).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()).strip() for text in found]


def overlaps(figure) -> list[tuple[str, str]]:
    """Pairs of texts that lie on each other."""
    figure.draw_without_rendering()
    skipped = set(undrawn(figure))
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in shown if text not in skipped]
    return [
        (one, other)
        for index, (one, box) in enumerate(boxes)
        for other, second in boxes[index + 1 :]
        if box.overlaps(second)
    ]


def undrawn(figure) -> Iterator[Text]:
    """Texts of hidden panels, and of ticks beyond the ends of an axis, which matplotlib makes all the same."""
    for axes in figure.axes:
        if not axes.get_visible():
            yield from axes.findobj(Text)
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high:
                    yield from (tick.label1, tick.label2)


def test_axes_of_one_run_show_its_figures():
    summary = summarise_run(made_run("one"))
    shown = texts(axes_plot([summary]))
    for axis, score in axis_figures(summary).items():
        assert axis in shown
        assert score.value is not None
        assert any(text.startswith(f"{score.value:.1f} [".replace("-", "−")) for text in shown)


def test_runs_side_by_side_do_not_overlap():
    summary = summarise_run(made_run("one", n=4))
    labels = [f"checkpoint-{100 * index} of a run with a long name" for index in range(12)]
    figure = axes_plot([summary] * 12, labels)
    assert not overlaps(figure)
    assert len([text for text in texts(figure) if text.startswith("checkpoint")]) == 12


def test_effects_are_sorted_within_their_axis(several):
    comparison = several.comparisons[0, 1]
    figure = effects_plot(comparison)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    group = names[names.index("games of unseen_instances") + 1 : names.index("games of unseen_games")]
    effects = [comparison.difference(name).effect for name in group]
    assert set(group) == {"taboo", "wordle", "imagegame"}
    assert effects == sorted(effects, reverse=True)
    assert names[:2] == ["axes", "overall"]
    assert "retained_skills" in names[: names.index("games of unseen_instances")]


def test_games_that_are_in_no_axis_are_shown_once():
    comparison = compare(made_run("a", MANY, 3), made_run("b", MANY, 3))
    figure = effects_plot(comparison)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert [names.count(name) for name in MANY] == [1] * len(MANY)
    assert not overlaps(figure)


def test_shifts_are_counted(several):
    comparison = several.comparisons[0, 2]
    figure = shifts_plot(comparison)
    for axes, subject in zip(figure.axes, ("overall", "unseen_instances")):
        shifts = comparison.shifts(subject)
        assert axes.get_title("left") == f"{subject} (n={sum(shifts.values())})"
        assert [text.get_text() for text in axes.texts][::2] == [str(n) for n in shifts.values()]
    assert not overlaps(figure)


def test_a_learning_curve_has_steps_on_a_scale(several):
    figure = learning_plot(several)
    [line] = figure.axes[0].get_lines()
    assert [*np.asarray(line.get_xdata())] == [50, 100, 200]
    scores = [summary.axes["overall"].score.value for summary in several.summaries]
    assert [*np.asarray(line.get_ydata())] == scores
    assert "training step" in texts(figure)
    assert not overlaps(figure)


def test_runs_that_tell_no_step_are_in_order():
    found = compare_several([made_run(name, n=4) for name in ("b", "a")])
    figure = learning_plot(found)
    assert "run" in texts(figure)
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()][:2] == ["b", "a"]


def test_games_show_counts_of_outcomes():
    run = made_run("one", MANY, 5)
    summary = summarise_run(run)
    figure = games_plot(summary)
    assert not overlaps(figure)
    shown = texts(figure)
    counts = [
        str(getattr(game.score, kind))
        for game in summary.games.values()
        for kind in ("success", "lose", "aborted")
        if getattr(game.score, kind)
    ]
    assert [text for text in shown if text.isdigit() and int(text) <= 5 and text != "0"][: len(counts)] == counts


def test_a_game_of_which_nothing_was_played_can_be_drawn():
    episodes = [episode("a", "taboo", index, "aborted", None) for index in range(3)]
    episodes += [episode("a", "wordle", 0, "aborted", None, partner_fault=True)]
    summary = summarise_run(Run(RunMeta("a", "a", "inspect"), episodes, [], []))
    assert to_svg(games_plot(summary))
    assert to_svg(axes_plot([summary]))


def test_the_same_data_give_the_same_bytes_and_no_setting_stays(several, tmp_path: Path):
    before = dict(matplotlib.rcParams)
    comparison = several.comparisons[0, 1]
    assert to_svg(effects_plot(comparison)) == to_svg(effects_plot(comparison))
    effects_plot(comparison).savefig(tmp_path / "effects.png")
    assert (tmp_path / "effects.png").read_bytes().startswith(b"\x89PNG")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    "name", ["$\\frac{$", "<b>&amp;", "\x00\x1b[31m", "\ud800", "\u202egame", "日本語のゲーム", "x" * 500]
)
def test_hostile_names_are_drawn_as_text(name):
    summary = summarise_run(made_run("one", [name, "taboo"], 2, skills=False, label=name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = to_inline_svg(games_plot(summary), "one", name)
        to_inline_svg(axes_plot([summary] * 2), "two", name)
    assert ElementTree.fromstring(svg).tag == "svg"
    svg.encode()


def test_svgs_of_one_page_share_no_id(several):
    found = []
    for name in ("one", "two"):
        root = ElementTree.fromstring(to_inline_svg(games_plot(several.summaries[0]), name, "title"))
        ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        used = [element.attrib["href"] for element in root.iter() if "href" in element.attrib]
        assert {address.removeprefix("#") for address in used} <= set(ids)
        assert root.attrib["aria-label"] == "title"
        found += ids
    assert len(set(found)) == len(found)
