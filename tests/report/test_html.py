"""HTML pages: their numbers, that model text stays text, and that they need nothing else."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from pages import GAMES, episode, made_run

from playpen_eval.compare import compare, compare_several
from playpen_eval.errors import UserError
from playpen_eval.report import summarise_run, transcripts
from playpen_eval.report.html import comparison_html, report_html
from playpen_eval.report.transcripts import choose_episodes
from playpen_eval.runs import Locator, Run, RunMeta, Said, read_run

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "{{7*7}}{% raw %}",
    "\u202eabc\u2066",
    "\x00\x07\ud800\u2028]]>",
    "' onmouseover='alert(1)\" x=\"",
)
VOID = {"meta", "input", "br", "link", "img"}


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def row(self, *start: str) -> list[str]:
        """The first table row with these first cells."""
        rows = [[re.sub(r"\s+", " ", cell).strip() for cell in row] for row in self.rows]
        return next(row for row in rows if row[: len(start)] == list(start))

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]

    @property
    def episodes(self) -> list[dict]:
        return json.loads(self.scripts[0])


def spoken(locator) -> list[Said]:
    return [Said("describer", f"prompt of {locator.place}", "CLUE: <b>"), Said("guesser", "CLUE: <b>", "GUESS: &amp;")]


@pytest.fixture(autouse=True)
def _read(monkeypatch):
    monkeypatch.setattr(transcripts, "read_transcript", spoken)


@pytest.fixture(scope="module")
def summary():
    return summarise_run(made_run("one"))


@pytest.fixture(scope="module")
def comparison():
    return compare(made_run("before"), made_run("after", n=10))


def test_a_report_has_the_figures_of_the_summary(summary):
    page = Page(report_html([summary], 2))
    for label, game in summary.games.items():
        score = game.score
        assert score.played_interval is not None
        row = page.row(label, str(score.n))
        assert [cell.split()[0] for cell in row[2:5]] == [str(score.success), str(score.lose), str(score.aborted)]
        low, high = score.played_interval
        assert row[5] == f"{score.played:.1f} [{low:.1f}, {high:.1f}]".replace("-", "−")
        assert row[7].split()[0] == f"{score.clemscore:.1f}"
    for name, axis in summary.axes.items():
        assert page.row(name)[1].split()[0] == f"{axis.score.value:.1f}"
        assert page.row(name)[2].split()[0] == f"{axis.clemscore.value:.1f}"
    assert page.row("retained_skills")[1].split()[0] == f"{summary.skills.total:.1f}"
    for experiment, score in summary.games["taboo"].experiments.items():
        assert page.row("taboo", experiment)[2] == str(score.n)


def test_a_report_says_what_was_measured_and_what_the_log_does_not_tell(summary):
    page = Page(report_html([summary], 0))
    assert page.row("model")[1] == "a/model"
    assert page.row("instances")[1] == f"test (sha256 {'0' * 12}): {len(GAMES)} games"
    assert page.row("tokens read")[1] == "1,234,567"
    assert page.row("wall time")[1] == "1 min 15 s"
    assert page.row("cost")[1] == "$1.50"
    for name in ("commit", "precision", "settings", "model calls"):
        assert page.row(name)[1] == "not told by the log"


def test_problems_and_doubts_are_shown_before_the_figures(summary):
    text = Page(report_html([summary], 0)).text
    for line in [*map(str, summary.run.problems), *summary.doubts]:
        assert text.index(line) < text.index("All figures lie on a scale")


def test_a_comparison_has_its_effects(comparison):
    page = Page(comparison_html(comparison, 1))
    for effect in comparison.effects:
        found, row = effect.difference, page.row(effect.subject, effect.figure)
        low, high = found.interval
        assert row[2].replace("−", "-").endswith(f"[{low:.1f}, {high:.1f}]")
        assert float(row[2].split()[0].replace("−", "-")) == pytest.approx(found.effect, abs=0.05)
        assert float(row[5].replace("−", "-")) == pytest.approx(found.before, abs=0.05)
        assert float(row[7]) == pytest.approx(effect.detectable, abs=0.05)
        if effect.mcnemar:
            assert row[8].startswith(f"+{effect.mcnemar.gained} −{effect.mcnemar.lost}")
        assert row[9:] == [str(found.n), effect.kind]
    for axis in comparison.axes:
        assert [axis, *map(str, comparison.shifts(axis).values())] in page.rows
    assert "only after, not compared" in page.text
    assert "taboo/test/009" in page.text


def test_the_most_changed_episodes_are_side_by_side(comparison):
    page = Page(comparison_html(comparison, 20))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    by_id = {shown["id"]: shown for shown in page.episodes}
    linked = [by_id[link[1:]] for link in links if link and link[1:] in by_id]
    changed = comparison.most_changed(20)
    assert [shown["instance"] for shown in linked] == [pair.before.instance for pair in changed]
    for shown, pair in zip(linked, changed):
        assert [side["run"] for side in shown["sides"]] == ["before", "after"]
        assert [side["kind"] for side in shown["sides"]] == [pair.before.kind, pair.after.kind]


def test_several_runs_have_a_matrix_and_a_curve():
    several = compare_several([made_run(f"step-{step}", n=3) for step in (1, 2, 3)])
    page = Page(comparison_html(several, 1))
    assert "Learning curve" in page.text
    assert len(set(page.ids)) == len(page.ids)
    found = several.comparisons[1, 2].difference("overall")
    row = next(row for row in page.rows if row[0] == "step-2" and row[1] == "")
    assert float(row[2].split("[")[0].replace("−", "-")) == pytest.approx(found.effect, abs=0.05)
    assert {tuple(side["run"] for side in shown["sides"]) for shown in page.episodes} == {
        ("step-1", "step-2"),
        ("step-1", "step-3"),
    }


def test_a_gate_is_shown(comparison):
    rule = SimpleNamespace(text="overall >= -2", verdict="regression", reason="it fell <much>")
    page = Page(comparison_html(comparison, 0, SimpleNamespace(verdict="regression", rules=[rule])))
    assert page.row("overall >= -2") == ["overall >= -2", "regression", "it fell <much>"]
    assert "gate" not in Page(comparison_html(comparison, 0)).ids


@pytest.mark.parametrize("most", [0, 1, 5])
def test_some_transcripts_of_each_outcome_are_in_the_page(summary, most):
    page = Page(report_html([summary], most))
    for label in summary.games:
        there = [shown for shown in page.episodes if shown["game"] == label]
        played = [episode for episode in summary.run.episodes if episode.game == label]
        assert len(there) == min(most, len(played))
        if most == 5:
            assert {shown["sides"][0]["kind"] for shown in there} == {episode.kind for episode in played}
    assert f"{most * len(GAMES)} of {len(summary.run.episodes)} episodes are in this page" in page.text
    assert ("browser" in page.ids) == bool(most)


def test_a_page_is_the_same_each_time(comparison):
    assert comparison_html(comparison, 2) == comparison_html(comparison, 2)


def test_links_to_episodes_stay_when_more_are_shown(summary):
    few, many = (
        {
            (shown.label, shown.sides[0][1].instance): shown.id
            for shown in choose_episodes(summary.run, "", "e1", most).shown
        }
        for most in (2, 12)
    )
    assert few.items() <= many.items()
    assert len(set(many.values())) == len(summary.run.episodes)


def test_the_same_instance_of_several_setups_has_several_links():
    episodes = [
        episode("a", "taboo", 0, "success", 1.0, roles=(role,), partner="model:m", locator=Locator("own", "f", role))
        for role in ("describer", "guesser")
    ]
    page = Page(report_html([summarise_run(Run(RunMeta("a", "a", "inspect"), episodes, [], []))], 5))
    assert len({shown["id"] for shown in page.episodes}) == 2


def test_transcripts_that_cannot_be_read_are_named(summary, monkeypatch):
    def broken(locator):
        if locator.place == "taboo 0":
            raise UserError("the transcript is no longer at <there>")
        return spoken(locator)

    monkeypatch.setattr(transcripts, "read_transcript", broken)
    page = Page(report_html([summary], 12))
    assert "the transcript is no longer at <there>" in page.text
    [side] = [shown["sides"][0] for shown in page.episodes if "why" in shown["sides"][0]]
    assert side["why"] == "the transcript is no longer at <there>"
    assert "turns" not in side


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text, monkeypatch):
    monkeypatch.setattr(transcripts, "read_transcript", lambda locator: [Said(text, text, text), Said("b", None, text)])
    runs = []
    for label in ("before", text):
        made = made_run(f"seed {len(runs)}", games=[text, "taboo"], n=3, skills=False)
        records = [
            episode(label, one.game, index, one.kind, one.score, experiment=text, split=text, partner=text)
            for index, one in enumerate(made.episodes)
        ]
        meta = RunMeta(label, text, text, text, partner=text, generation={text: text}, packages={text: text})
        runs.append(Run(meta, records, [], made.problems))
    gate = SimpleNamespace(verdict=text, rules=[SimpleNamespace(text=text, verdict=text, reason=text)])
    made = comparison_html(compare(*runs, allow=["settings"]), 2, gate)
    made.encode()
    page = Page(made)
    assert not {tag for tag, _ in page.tags} & {"img", "iframe", "object", "base", "form"}
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert len(page.scripts) == 2
    assert page.episodes[0]["sides"][-1]["turns"] == [[text, text, 0, text, 0], ["b", None, 0, text, 0]]
    assert "49" not in page.row("model")
    assert not re.search("[\x00-\x08\x0b-\x1f\u2028\u202a-\u202e\u2066-\u2069\ufffe]", made)


def test_long_texts_are_clipped_with_a_note(summary, monkeypatch):
    monkeypatch.setattr(transcripts, "read_transcript", lambda _: [Said("a", "p" * 20_000, "r" * 100_000)] * 50)
    page = Page(report_html([summary], 1))
    turns = page.episodes[0]["sides"][0]["turns"]
    assert [len(turns[0][1]), turns[0][2], len(turns[0][3]), turns[0][4]] == [10_000, 10_000, 10_000, 90_000]
    assert sum(len(turn[1]) + len(turn[3]) for turn in turns) == transcripts.EPISODE
    assert turns[-1][3:] == ["", 100_000]


def test_a_page_needs_nothing_else(summary, comparison):
    for made in (report_html([summary, summary], 1), comparison_html(comparison, 1)):
        page = Page(made)
        for tag, attributes in page.tags:
            for key, value in attributes.items():
                if key in ("src", "href", "action", "data", "srcset", "poster"):
                    assert (value or "").startswith("#"), (tag, key, value)
                assert "url(" not in (value or "").replace("url(#", ""), (tag, key, value)
        assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|https?://(?!www\.w3\.org)", made)
        assert len(set(page.ids)) == len(page.ids)
        targets = {(attributes.get("href") or "#")[1:] for tag, attributes in page.tags if tag in ("a", "use")}
        assert targets <= {*page.ids, *(shown["id"] for shown in page.episodes)}
        [policy] = [attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes]
        assert policy is not None
        assert policy.startswith("default-src 'none'")


def test_recordings_make_a_page_in_time(shared, monkeypatch):
    monkeypatch.undo()
    summary = summarise_run(read_run(shared / "recordings" / "llama3-8b-base.tar.gz"))
    start = time.process_time()
    page = Page(report_html([summary], 10))
    assert time.process_time() - start < 10
    assert len(page.episodes) == 158
    taboo = next(shown for shown in page.episodes if shown["game"] == "taboo")
    assert {turn[0] for turn in taboo["sides"][0]["turns"]} == {"WordDescriber", "WordGuesser"}
    assert "could not be read" not in page.text
