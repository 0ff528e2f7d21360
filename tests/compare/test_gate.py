"""Verdicts of gates: by hand, about broken runs, for hostile text, and by simulation."""

from __future__ import annotations

import dataclasses
import json
import random
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from made_runs import episode, episodes, items, run
from scipy.stats import binom

from playpen_eval.compare import compare
from playpen_eval.compare.gate import RuleResult, check_levels, gate
from playpen_eval.compare.gate_files import escape
from playpen_eval.compare.pairing import EpisodePair
from playpen_eval.errors import UserError
from playpen_eval.report.summary import summarise_run
from playpen_eval.runs import DUPLICATE, ERROR, LIMIT, MISSING, PROBLEMS, UNFINISHED, Problem, Run

SKILL = ("mini_logic", "playpen_mini_logic")


def judged(before: Run, after: Run, rules: str, **more: Any) -> list[RuleResult]:
    return list(gate(compare(before, after), rules, **more).rules)


def one(before: Run, after: Run, rule: str, **more: Any) -> RuleResult:
    [found] = judged(before, after, rule, **more)
    return found


@pytest.fixture
def level_up() -> tuple[Run, Run]:
    """Ten points better in taboo, on 100 instances."""
    return run(episodes("taboo", "w" * 60 + "l" * 40)), run(episodes("taboo", "w" * 70 + "l" * 30))


def test_verdicts_and_exit_codes(level_up):
    comparison = compare(*level_up)
    assert gate(comparison, "taboo >= -2").verdict == "pass"
    assert gate(comparison, "taboo >= -2").exit_code == 0
    assert gate(comparison, "taboo >= 9").exit_code == 2
    assert gate(comparison, "taboo >= 40").exit_code == 1
    assert gate(comparison, "taboo >= -2; taboo >= 9").verdict == "not enough evidence"
    assert gate(comparison, ["taboo >= 9", "taboo >= 40", "taboo >= -2"]).verdict == "regression"


def test_the_interval_is_one_sided_and_of_the_level_that_is_named(level_up):
    before, after = level_up
    wide, narrow = judged(before, after, "taboo >= -2 @ 99%; taboo >= -2 @ 80%")
    assert wide.estimate == narrow.estimate == 10
    assert wide.interval is not None
    assert narrow.interval is not None
    assert wide.interval.low < narrow.interval.low < 10 < narrow.interval.high < wide.interval.high
    comparison = compare(before, after)
    [usual] = gate(comparison, "taboo >= -2").rules
    assert usual.interval == pytest.approx(comparison.difference("taboo", "score", 0.9).interval)
    assert (usual.threshold, usual.confidence, usual.subject, usual.figure) == (-2, 0.95, "taboo", "score")


def test_the_estimate_alone_decides_where_that_is_asked_for(level_up):
    before, after = level_up
    assert one(before, after, "taboo >= 10 @ estimate").verdict == "pass"
    found = one(before, after, "taboo >= 10.1 @ estimate")
    assert (found.verdict, found.confidence) == ("regression", None)
    assert "decided by the estimate alone" in found.reason
    # 66.6... - 64.6... is a hair less than 2 in floats.
    third = run(episodes("taboo", "w" * 97 + "l" * 53)), run(episodes("taboo", "w" * 100 + "l" * 50))
    assert one(*third, "taboo >= 2 @ estimate").verdict == "pass"


def test_a_lack_of_evidence_says_what_would_decide(level_up):
    before, after = level_up
    found = one(before, after, "taboo >= 9")
    assert "change +10.00 points, 95% limits +" in found.reason
    assert "(from 60.00 to 70.00, 100 instances); +9 lies between them" in found.reason
    assert "or more passes 4 times in 5" in found.reason
    assert "unchanged run" not in found.reason  # it never passes this one
    assert "`@ estimate` ignores chance" in found.reason
    same = run(episodes("taboo", "wl" * 20)), run(episodes("taboo", "lw" * 20))
    found = one(*same, "taboo >= -10")
    assert "an unchanged run passes as often with about " in found.reason
    few = run(episodes("taboo", "wl")), run(episodes("taboo", "lw"))
    assert "passes 4 times in 5" not in one(*few, "taboo >= -1").reason


def test_the_number_of_instances_that_is_named_is_enough():
    draw = random.Random("instances")

    def outcomes(n: int) -> str:
        return "".join(draw.choice("wl") for _ in range(n))

    small = one(run(episodes("taboo", outcomes(60))), run(episodes("taboo", outcomes(60))), "taboo >= -15")
    assert small.verdict == "not enough evidence"
    n = int(small.reason.partition("with about ")[2].split()[0])
    comparison = compare(*(run(episodes("taboo", outcomes(n))) for _ in range(2)))
    # Four in five of unchanged runs pass where the limit is this far below the truth.
    assert comparison.difference("taboo", "score", 0.9).detectable() == pytest.approx(15, rel=0.25)


def test_levels_are_of_the_whole_second_run():
    before = run(episodes("taboo", "w" * 60))
    after = run(episodes("taboo", "w" * 60), [episode("taboo", 100 + n, "a") for n in range(20)])
    found = one(before, after, "taboo.aborted <= 5%")
    assert found.estimate == 25
    assert found.verdict == "regression"
    assert "25.00%, 95% limits " in found.reason
    assert one(before, after, "taboo.aborted <= 5").estimate == 0  # the change, of pairs


@pytest.mark.parametrize(("n", "verdict"), [(58, "not enough evidence"), (59, "pass")])
def test_59_episodes_without_an_abort_show_less_than_five_percent(n, verdict):
    found = check_levels(summarise_run(run(episodes("taboo", "w" * n))), "taboo.aborted <= 5%")
    assert found.verdict == verdict


def test_levels_over_games_count_each_game_the_same():
    games = run(episodes("taboo", "a" * 30), episodes("wordle", "w" * 90), episodes("guesswhat", "h" * 30))
    rules = "aborted <= 40%; score >= 40%; unseen_instances.played >= 40%; clemscore >= 40%; unseen_games >= 40%"
    found = check_levels(summarise_run(games), rules).rules
    # Quality over wordle and guesswhat, in which something was played, is 75.
    assert [rule.estimate for rule in found] == pytest.approx([100 / 3, 50, 50, 2 / 3 * 75, 50])


def test_levels_of_skills():
    summary = summarise_run(run(items(*SKILL, "1" * 40 + "0" * 10)))
    [found, capability] = check_levels(summary, "retained_skills >= 50%; logic >= 50%").rules
    assert summary.skills is not None
    assert summary.skills.error is not None
    assert found.estimate == pytest.approx(summary.skills.total)
    assert found.estimate is not None
    assert found.interval is not None
    assert found.interval.low == pytest.approx(found.estimate - 1.6449 * summary.skills.error, rel=1e-4)
    assert capability.interval == found.interval
    assert "of the smoke suite" in found.reason
    alike = check_levels(summarise_run(run(items(*SKILL, "111"))), "retained_skills >= 50%")
    assert alike.verdict == "not enough evidence"
    assert "too few different results" in alike.rules[0].reason


def test_one_run_has_no_changes():
    with pytest.raises(UserError, match=r"'taboo >= -2' is about a change.*compare BEFORE AFTER"):
        check_levels(summarise_run(run(episodes("taboo", "w"))), "taboo >= -2")


def test_what_was_not_run_does_not_pass(level_up):
    before, after = level_up
    for rule in ("retained_skills >= -99", "wordle >= -99", "wordle.aborted <= 99%", "unseen_games >= -99"):
        found = one(before, after, rule)
        assert (found.verdict, found.estimate, found.interval) == ("not enough evidence", None, None)
        assert "did not run" in found.reason
    with_skills = run(before.episodes, items(*SKILL, "11"))
    found = one(with_skills, after, "retained_skills >= -99")
    assert found.reason.startswith("the second run did not run retained_skills")
    with pytest.raises(UserError, match="did you mean 'taboo'"):
        judged(before, after, "tabboo >= 2")


def test_a_game_in_several_setups_is_named_by_its_label():
    both = run(episodes("taboo", "wwww"), episodes("taboo", "wwww", partner="scripted:best", roles=("guesser",)))
    found = one(both, both, "taboo >= -99")
    assert "under this name; there is taboo as guesser beside scripted:best, taboo beside self" in found.reason
    assert one(both, both, "taboo beside self >= -99").verdict == "pass"


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("side", ["before", "after"])
def test_problems_keep_a_rule_from_passing(level_up, side, kind):
    before, after = level_up
    broken = Problem(kind, 7, ("taboo/1/test/default/3",))
    first = dataclasses.replace(before, problems=[broken] if side == "before" else [])
    second = dataclasses.replace(after, problems=[broken] if side == "after" else [])
    change, level, worse = judged(first, second, "taboo >= -2; taboo >= 20%; taboo >= 40")
    stops = side == "before" or kind != LIMIT
    assert change.verdict == ("not enough evidence" if stops else "pass")
    assert level.verdict == ("not enough evidence" if side == "after" and kind != LIMIT else "pass")
    assert worse.verdict == "regression"
    if stops:
        name = "the first run" if side == "before" else "the second run"
        assert f"{name} has problems: {kind}, 7x (such as taboo/1/test/default/3)" in change.reason
        allowed = one(first, second, "taboo >= -2", allow_problems=True)
        assert allowed.verdict == "pass"
        assert f"allowed: {name} has problems" in allowed.reason


def test_lost_instances_keep_a_rule_from_passing(level_up):
    before, after = level_up
    partial = run(after.episodes[5:])
    change, level = judged(before, partial, "taboo >= -10; taboo >= 20%")
    assert change.verdict == level.verdict == "not enough evidence"
    assert "lacks 5 of the first one's 100 instances (such as taboo/1/test/default/0)" in change.reason
    assert one(before, partial, "taboo >= -10", allow_problems=True).verdict == "pass"
    assert one(partial, before, "taboo >= -25").verdict == "pass"  # more than before is no loss


def test_a_lost_game_counts_where_it_belongs(level_up):
    before, after = level_up
    more = run(before.episodes, episodes("guesswhat", "wwww"), episodes("wordle", "wwww", split="train"))
    results = judged(more, after, "unseen_instances >= -2; overall >= -2; taboo >= -2")
    assert [found.verdict for found in results] == ["pass", "not enough evidence", "pass"]
    assert "lacks 4 of the first one's 104 instances (such as guesswhat/" in results[1].reason


def test_lost_items_count(level_up):
    before, after = run(items(*SKILL, "01" * 40)), run(items(*SKILL, "01" * 39))
    found = one(before, after, "logic >= -30")
    assert found.verdict == "not enough evidence"
    assert "lacks 2 of the first one's 80 instances" in found.reason


@pytest.mark.parametrize(("faults", "verdict"), [(5, "pass"), (6, "not enough evidence"), (100, "not enough evidence")])
def test_partner_faults(faults, verdict):
    beside = {"partner": "scripted:best", "roles": ("guesser",)}
    before = run(episodes("taboo", "w" * 100, **beside), episodes("wordle", "w" * 4))
    after = run(episodes("taboo", "p" * faults + "w" * (100 - faults), **beside), episodes("wordle", "w" * 4))
    change, level = judged(before, after, "taboo >= -10; taboo.played >= 90%")
    assert change.verdict == level.verdict == verdict
    if faults == 6:
        assert "6 of 100 episodes are left out because a partner broke the protocol" in change.reason
    if faults == 100:
        assert change.reason.startswith("a partner broke the protocol in every episode of taboo")


def test_problems_of_a_single_run():
    broken = run(episodes("taboo", "w" * 80), problems=(Problem(ERROR, 3, ("x",)), Problem(UNFINISHED, 1, ("log",))))
    found = check_levels(summarise_run(broken), "taboo.aborted <= 5%")
    assert found.verdict == "not enough evidence"
    assert "the run has problems: ended with an error, 3x (such as x), the run has problems:" in found.rules[0].reason
    assert check_levels(summarise_run(broken), "taboo.aborted <= 5%", allow_problems=True).verdict == "pass"


HOSTILE = "\x1b[31m</failure>]]>\x00\n::error::| <script>alert(1)</script> ![x](http://evil) @someone `a` \ud800\u202e"


def test_hostile_text_in_junit_and_markdown(level_up):
    before, after = level_up
    hostile = dataclasses.replace(after, problems=[Problem(MISSING, 1, (HOSTILE,)), Problem(DUPLICATE, 1, ())])
    found = gate(compare(before, hostile), "taboo >= -2; taboo >= 9; taboo >= 40; taboo.played >= 50%")
    root = ElementTree.fromstring(found.junit().encode())
    assert root.attrib == {"tests": "4", "failures": "1", "errors": "3"}
    cases = list(root.iter("testcase"))
    assert [case.get("name") for case in cases] == ["taboo >= -2", "taboo >= 9", "taboo >= 40", "taboo.played >= 50%"]
    assert [child.tag for case in cases for child in case] == ["error", "error", "failure", "error"]
    assert "</failure>]]>" in (cases[0][0].get("message") or "")
    text = found.markdown()
    text.encode()
    for mark in ("<", "`", "](", "![", "://", "@someone", "\x1b", "\u202e", "\x00"):
        assert mark not in text, mark
    assert not any(line.startswith("::") for line in text.splitlines())
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(row.count("|") == rows[0].count("|") for row in rows[:5])
    json.dumps(found.to_dict(), allow_nan=False).encode()


def test_passing_rules_in_junit_and_the_tables(level_up):
    before, after = level_up
    comparison = compare(run(before.episodes, items(*SKILL, "0011")), run(after.episodes, items(*SKILL, "0111")))
    found = gate(comparison, "taboo >= -2")
    [case] = ElementTree.fromstring(found.junit()).iter("testcase")
    assert [child.tag for child in case] == ["system-out"]
    lines = found.markdown().splitlines()
    assert lines[0] == "### Gate: pass"
    assert "| unseen_instances | 60.0 | 70.0 | +10.0 | " in found.markdown()
    assert "| unseen_games | - | - | - | - |" in lines
    assert any(line.startswith("| retained_skills | ") and "| - |" not in line for line in lines)
    alone = check_levels(comparison.after, "taboo.played >= 50%").markdown()
    assert "| unseen_instances | 70.0 | " in alone
    assert "| unseen_games | - | - |" in alone


def test_plain_data(level_up):
    data = gate(compare(*level_up), "taboo >= 9; wordle >= 1").to_dict()
    assert (data["verdict"], data["exit_code"]) == ("not enough evidence", 2)
    first, second = data["rules"]
    assert first["estimate"] == 10
    assert len(first["interval"]) == 2
    assert second["estimate"] is second["interval"] is None
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_escaped_rules_are_still_readable():
    assert escape("unseen_games >= -2 @ 95%: 3.5 of 4") == "unseen_games &#62;= -2 &#64; 95%: 3.5 of 4"


def simulated(rule: str, change: float, *, n: int, repeats: int, agreement: float = 0.5) -> dict[str, float]:
    """How often a gate says what, when success changes by so many points from 60%."""
    draw = random.Random(f"gate {rule} {change} {n}")
    comparison = compare(run(episodes("taboo", "w" * n)), run(episodes("taboo", "w" * n)))
    verdicts = []
    for _ in range(repeats):
        pairs = []
        for number in range(n):
            luck = draw.random()
            # Some instances are as hard for the second run as for the first, the others independently so.
            other = luck if draw.random() < agreement else draw.random()
            won = (luck < 0.6, other < 0.6 + change / 100)
            pairs.append(EpisodePair(*(episode("taboo", number, "w" if one else "l") for one in won)))
        paired = dataclasses.replace(comparison.paired, games={"taboo": pairs})
        verdicts.append(gate(dataclasses.replace(comparison, paired=paired, _cache={}), rule).verdict)
    return {verdict: verdicts.count(verdict) / repeats for verdict in ("pass", "regression", "not enough evidence")}


REPEATS = 200
MOST = binom.ppf(0.999, REPEATS, 0.05) / REPEATS
"""What a rate of 5% stays below, but for one time in a thousand."""


def test_false_alarms_and_false_passes_on_the_threshold():
    for rule, change in (("taboo >= -10", -10), ("taboo >= 0", 0)):
        found = simulated(rule, change, n=40, repeats=REPEATS)
        assert found["regression"] <= MOST, found
        assert found["pass"] <= MOST, found


def test_power_grows_with_the_distance_and_the_sample():
    near = simulated("taboo >= -10", 0, n=40, repeats=60)
    far = simulated("taboo >= -10", 20, n=40, repeats=60)
    large = simulated("taboo >= -10", 0, n=160, repeats=60)
    assert near["pass"] < far["pass"]
    assert near["pass"] < large["pass"]
    assert far["pass"] > 0.6
    assert simulated("taboo >= -10", -50, n=40, repeats=60)["regression"] > 0.8
