"""Tables in the terminal and as Markdown."""

from __future__ import annotations

from playpen_eval.grid import Grid, number, show
from playpen_eval.statistics import Interval

GRID = Grid(["name", ">n"], [["taboo [x]", "1"], [], ["a|b\n<i>", "20"]], "Title *", ["note_1"])


def test_markdown_keeps_hostile_text_in_its_cell():
    assert GRID.markdown().splitlines() == [
        "**Title \\***",
        "",
        "| name | n |",
        "| --- | ---: |",
        "| taboo \\[x\\] | 1 |",
        "| a\\|b &lt;i&gt; | 20 |",
        "",
        "note\\_1",
    ]


def test_the_terminal_shows_text_and_no_markup(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    show(GRID)
    assert capsys.readouterr().out.splitlines()[0] == "Title *"
    show(GRID)
    out = capsys.readouterr().out
    for part in ("taboo [x]", "<i>", "note_1"):
        assert part in out


def test_a_narrow_terminal_loses_nothing(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "10")
    show(Grid(["a" * 30, ">b"], [["x" * 40, "123456789"]]))
    assert "123456789" in capsys.readouterr().out


def test_numbers():
    assert number(None) == "-"
    assert number(39.46) == "39.5"
    assert number(39.46, Interval(33.3, 45.6)) == "39.5 [33, 46]"
    assert number(-2.0, Interval(-5.24, 1.0), signed=True) == "-2.0 [-5.2, +1.0]"
    assert number(0.0, signed=True) == "+0.0"
