"""The grammar of gates."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playpen_eval.compare.comparison import FIGURES
from playpen_eval.compare.rules import Rule, check_subject, one_line, parse_rules, shorten
from playpen_eval.errors import UserError


@pytest.mark.parametrize(
    ("text", "subject", "figure", "at_most", "threshold", "level", "confidence"),
    [
        ("unseen_games >= -2", "unseen_games", "score", False, -2, False, 0.95),
        ("retained_skills >= -1 @ 99%", "retained_skills", "score", False, -1, False, 0.99),
        ("aborted <= 5%", "overall", "aborted", True, 5, True, 0.95),
        ("taboo.played>=90%@97.5 %", "taboo", "played", False, 90, True, 0.975),
        ("overall.clemscore >= -1.5", "overall", "clemscore", False, -1.5, False, 0.95),
        ("score ≥ −.5 @ estimate", "overall", "score", False, -0.5, False, None),
        ("taboo.aborted ≤ +2", "taboo", "aborted", True, 2, False, 0.95),
        ("lose >= 0", "overall", "lose", False, 0, False, 0.95),
        ("taboo as guesser beside model:gpt-4.1 >= -2", "taboo as guesser beside model:gpt-4.1", "score", False, -2,
         False, 0.95),
        ("taboo beside model:gpt-4.1.lose <= 2", "taboo beside model:gpt-4.1", "lose", True, 2, False, 0.95),
    ],
)  # fmt: skip
def test_rules(text, subject, figure, at_most, threshold, level, confidence):
    assert parse_rules(text) == [Rule(text, subject, figure, at_most, threshold, level, confidence)]


def test_several_rules_by_semicolons_lines_arguments_and_files(tmp_path):
    file = tmp_path / "rules.txt"
    file.write_text("# what must hold\nunseen_games >= -2  # points; not percent\n\n  aborted <= 5%; taboo >= 0\n")
    rules = parse_rules([str(file), "wordle >= -3; ;lose <= 4"])
    assert [rule.text for rule in rules] == [
        "unseen_games >= -2", "aborted <= 5%", "taboo >= 0", "wordle >= -3", "lose <= 4"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no rule; write one such as 'unseen_games >= -2'"),
        (" ; # nothing", "has no rule"),
        ("gate.txt", "'gate.txt': this is no rule nor a file"),
        ("taboo > -2", "'>' is not known here; write >= or <="),
        ("taboo = 2", "'=' is not known here; write >= or <="),
        ("taboo => 2", "'=>' is not known here"),
        ("0 <= taboo <= 2", "one comparison"),
        (">= -2", "does not say of what"),
        ("taboo >=", "'' is no number"),
        ("taboo >= -1,5", "'-1,5' is no number; write one such as -1.5"),
        ("taboo >= nan", "'nan' is no number"),
        ("taboo >= ٣", "is no number"),
        ("taboo >= -2%", "cannot be negative; a change in points is written without %"),
        ("taboo.played >= 101%", "101 is too large"),
        ("taboo >= -200", "-200 is too large"),
        ("taboo >= 1 @", "'' is no confidence level"),
        ("taboo >= 1 @ 0.95", "'0.95' is no confidence level; write @ 95%, or @ estimate"),
        ("taboo >= 1 @ 50%", "out of range: more than 50%, at most 99.9%; @ estimate"),
        ("taboo >= 1 @ 99.99%", "out of range"),
        ("taboo.plaid >= 90%", "unknown figure 'plaid'; did you mean 'played'"),
        ("aborted >= -2", "would pass however many episodes are aborted; write aborted <= 2"),
        ("unseen_games <= 2", "would pass however low it falls; write unseen_games >= -2"),
    ],
)
def test_what_is_no_rule(text, why):
    with pytest.raises(UserError) as error:
        parse_rules(text)
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_no_rules_at_all():
    with pytest.raises(UserError, match="no rule; write one"):
        parse_rules([])


def test_errors_of_files_name_the_line(tmp_path):
    file = tmp_path / "rules.txt"
    file.write_text("aborted <= 5%\n# then\ntaboo > 3\n")
    with pytest.raises(UserError, match=r"rules\.txt:3: rule 'taboo > 3'"):
        parse_rules(str(file))
    file.write_bytes(b"taboo >= \xff\xfe")
    with pytest.raises(UserError, match=r"cannot read rules from .*rules\.txt"):
        parse_rules(str(file))
    file.write_text("# nothing but a comment\n")
    with pytest.raises(UserError, match=r"rules\.txt' has no rule"):
        parse_rules(str(file))


def test_subjects():
    for text in ("unseen_games", "overall", "statscore", "retained_skills", "taboo", "logic", "mini_logic", "wcst"):
        check_subject(parse_rules(f"{text} >= 0")[0])
    check_subject(parse_rules("wcst.aborted <= 5%")[0])  # a game, and a benchmark
    label = "taboo beside model:gpt-4.1"
    check_subject(parse_rules(f"{label} >= 0")[0], [label])
    with pytest.raises(UserError, match="unknown subject 'unseen_game'; did you mean 'unseen_games'"):
        check_subject(parse_rules("unseen_game >= 0")[0])
    with pytest.raises(UserError, match="retained_skills has only a score, no aborted"):
        check_subject(parse_rules("retained_skills.aborted <= 5%")[0])


WORDS = st.sampled_from(
    ["taboo", ".", "score", "aborted", ">=", "<=", "≥", ">", "-", "−", "2", "5", "%", "@", "estimate", "95", ";", "#",
     " ", "\n", "\0", "nan", "retained_skills", "/", "1e9", "9" * 400]
)  # fmt: skip


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(WORDS).map("".join)))
def test_any_text_gives_rules_or_an_error_for_the_user(text):
    try:
        rules = parse_rules(text)
    except UserError:
        return
    assert rules
    for rule in rules:
        assert rule.figure in FIGURES
        assert rule.subject
        assert -100 <= rule.threshold <= 100
        assert rule.confidence is None or 0.5 < rule.confidence < 1


@settings(deadline=None)
@given(
    st.sampled_from(["taboo", "unseen_games", "overall"]),
    st.sampled_from(["score", "played"]),
    st.integers(-1000, 1000),
    st.booleans(),
)
def test_what_is_written_is_read(subject, figure, tenths, spaced):
    gap = " " if spaced else ""
    [rule] = parse_rules(f"{subject}.{figure}{gap}>={gap}{tenths / 10}{gap}@{gap}90%")
    assert (rule.subject, rule.figure, rule.threshold, rule.confidence) == (subject, figure, tenths / 10, 0.9)


@settings(deadline=None)
@given(st.text())
def test_one_line_is_one_visible_line(text):
    line = one_line(text)
    assert line.splitlines() in ([], [line])
    assert all(char.isprintable() for char in line)
    line.encode()
    assert len(shorten(text)) <= 100
