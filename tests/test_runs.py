"""Runs of every format, whole and broken."""

from __future__ import annotations

import json
import math
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import inspect_ai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playpen_eval import load_game
from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.instances import load_instances
from playpen_eval.runs import (
    DUPLICATE,
    ERROR,
    INVALID,
    LIMIT,
    MISSING,
    TRUNCATED,
    UNFINISHED,
    UNREADABLE,
    UNSCORED,
    Run,
    read_run,
    read_transcript,
)
from playpen_eval.runs.json_stream import JsonStream
from playpen_eval.runs.zip_members import ZSTANDARD, open_member
from playpen_eval.scoring import summarise

if sys.version_info < (3, 14):
    import zipfile_zstd  # type: ignore[import-not-found, import-untyped]  # noqa: F401


def play(folder: Path, *tasks: str, model: str = "best", **more: Any) -> Path:
    """A small log of Inspect with scripted players."""
    arguments = more.pop("task_args", {"limit_per_experiment": 1})
    inspect_ai.eval(
        list(tasks),
        model=f"playpen-scripted/{model}",
        task_args=arguments,
        log_dir=str(folder),
        display="none",
        **more,
    )
    return folder


def test_members_of_several_frames(tmp_path):
    """As Inspect writes them beyond 200 MiB."""
    import zstandard

    rows = [[index, "x" * 50] for index in range(50_000)]
    text = json.dumps(rows).encode()
    pieces = [text[start : start + 600_000] for start in range(0, len(text), 600_000)]
    frames = b"".join(zstandard.ZstdCompressor().compress(piece) for piece in pieces)
    path = tmp_path / "frames.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.json", frames)
        archive.writestr("after.json", b"{}")
        info = archive.getinfo("rows.json")
        info.compress_type, info.file_size, info.CRC = ZSTANDARD, len(text), zlib.crc32(text)
    with zipfile.ZipFile(path) as archive, open_member(archive, "rows.json") as file:
        assert json.load(file) == rows
    with zipfile.ZipFile(path) as archive:
        archive.getinfo("rows.json").CRC = 0
        with open_member(archive, "rows.json") as file, pytest.raises(zipfile.BadZipFile, match="damaged"):
            file.read()


def change(log: Path, **changed: Any) -> Path:
    """Rewrites members of an .eval file by functions of their data; None removes one."""
    functions = {name.replace("__", "/") + ".json": function for name, function in changed.items()}
    with zipfile.ZipFile(log) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(log, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            if name not in functions:
                archive.writestr(name, content)
            elif functions[name] is not None:
                archive.writestr(name, json.dumps(functions[name](json.loads(content))))
    return log


def only(folder: Path, pattern: str = "*.eval") -> Path:
    [path] = folder.rglob(pattern)
    return path


def kinds(run: Run) -> dict[str, int]:
    return {problem.kind: problem.count for problem in run.problems}


@pytest.fixture(scope="module")
def inspect_log(tmp_path_factory) -> Path:
    return only(play(tmp_path_factory.mktemp("logs"), "playpen/taboo", epochs=2))


@pytest.fixture
def log(inspect_log, tmp_path) -> Path:
    copy = tmp_path / "log.eval"
    copy.write_bytes(inspect_log.read_bytes())
    return copy


def test_an_inspect_log(log):
    run = read_run(log)
    assert not run.problems
    assert len(run.episodes) == 6
    first = run.episodes[0]
    assert first.key == ("taboo", "taboo/1/test/high/0-0")
    assert (first.kind, first.score, first.epoch, first.version, first.turns) == ("success", 1.0, 1, 1, 2)
    assert (first.experiment, first.split, first.partner, first.roles) == ("high", "test", "self", None)
    assert {episode.epoch for episode in run.episodes} == {1, 2}
    meta = run.meta
    assert (meta.label, meta.format, meta.model) == ("log", "inspect", "playpen-scripted/best")
    assert meta.instances["taboo"] == ("test", load_instances(load_game("taboo")).sha256)
    assert meta.versions == {"taboo": 1}
    assert meta.generation == {"temperature": 0.0, "max_tokens": 300}
    assert meta.model_calls == 12
    assert meta.tokens_in == 0
    assert meta.wall_seconds is not None
    assert meta.cost is None
    assert "inspect_ai" in meta.packages


def test_a_transcript_is_fetched_when_it_is_asked_for(log):
    [describer, guesser] = read_transcript(read_run(log).episodes[0].locator)
    assert describer.role == "describer"
    assert "secret word" in (describer.told or "")
    assert guesser.reply.startswith("GUESS:")
    locator = read_run(log).episodes[0].locator._replace(part=7)
    with pytest.raises(UserError, match="no longer at"):
        read_transcript(locator)


def test_the_json_format_reads_the_same(tmp_path, inspect_log):
    play(tmp_path, "playpen/taboo", epochs=2, log_format="json")
    both = [read_run(inspect_log), read_run(only(tmp_path, "*.json"))]
    plain = [[(e.key, e.epoch, e.kind, e.score, e.turns, e.experiment) for e in run.episodes] for run in both]
    assert sorted(plain[0]) == sorted(plain[1])
    assert both[0].meta.instances == both[1].meta.instances


def test_several_tasks_of_a_folder_are_one_run(tmp_path):
    play(tmp_path, "playpen/wordle", "playpen/wcst", model="breaker")
    run = read_run(tmp_path)
    assert {episode.game for episode in run.episodes} == {"wordle", "wcst"}
    assert all(episode.kind == "aborted" and episode.learner_fault for episode in run.episodes)
    assert {(item.benchmark, item.value) for item in run.items} == {("wcst", 0.0)}  # a game and a benchmark at once
    assert not run.problems
    play(tmp_path, "playpen/wordle", model="best")
    with pytest.raises(UserError, match=r"different models .*best, .*breaker"):
        read_run(tmp_path)


def test_a_partners_fault_is_no_fault_of_the_learner(tmp_path):
    arguments = {"limit_per_experiment": 1, "partner": "scripted:breaker"}
    run = read_run(play(tmp_path, "playpen/taboo", task_args=arguments))
    assert {(e.kind, e.learner_fault, e.partner_fault) for e in run.episodes} == {("aborted", False, True)}
    assert {(e.partner, e.roles, e.turns) for e in run.episodes} == {("scripted:breaker", ("guesser",), 1)}
    assert run.meta.partner == "scripted:breaker"
    assert summarise([episode.score_entry for episode in run.episodes], intervals=False).n == 0


def test_samples_that_failed_are_named(tmp_path):
    # The scripted players cannot answer items, so every sample but those of games ends with an error.
    pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    run = read_run(play(tmp_path, "playpen/retained_skills_mini", task_args={"limit_per_task": 1}))
    assert not run.items
    assert kinds(run) == {UNFINISHED: 1, ERROR: 8}
    assert "playpen_mini_general/0 (epoch 1)" in str(run.problems[1])
    assert "and 3 more" in str(run.problems[1])


def test_a_truncated_eval_file(log, tmp_path):
    log.write_bytes(log.read_bytes()[:-500])
    with pytest.raises(UserError, match=r"truncated file: .*log\.eval.*recover"):
        read_run(log)
    play(tmp_path, "playpen/wordle")
    run = read_run(tmp_path)
    assert kinds(run) == {TRUNCATED: 1}
    assert {episode.game for episode in run.episodes} == {"wordle"}


def test_a_damaged_member_of_an_eval_file(log):
    change(log, summaries=lambda rows: rows[:2])
    with zipfile.ZipFile(log) as archive:
        place = archive.getinfo("summaries.json").header_offset
    content = bytearray(log.read_bytes())
    content[place + 60 : place + 120] = bytes(60)
    log.write_bytes(content)
    assert kinds(read_run(log)) == {TRUNCATED: 1, MISSING: 6}


@pytest.mark.parametrize("status", ["error", "cancelled", "started"])
def test_an_unfinished_log_with_its_missing_samples(log, status):
    change(log, header=lambda header: header | {"status": status}, summaries=lambda rows: rows[:4])
    run = read_run(log)
    assert len(run.episodes) == 4
    assert kinds(run) == {UNFINISHED: 1, MISSING: 2}
    assert f"status {status}" in str(run.problems[0])


def test_a_log_that_was_never_closed(log):
    change(log, header=None, summaries=None)
    run = read_run(log)
    assert len(run.episodes) == 6
    assert kinds(run) == {UNFINISHED: 1}


def test_scores_that_are_no_figures(log):
    def spoil(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        values = [row["scores"]["episode"]["value"] for row in rows]
        values[0]["quality"] = math.nan  # played without a quality
        values[1]["quality"] = 250.0
        values[2]["played"] = math.nan
        rows[3]["scores"] = {}
        rows[4]["error"] = "ValueError: broken"
        rows[5]["scores"]["episode"]["value"]["success"] = "yes"
        return rows

    run = read_run(change(log, summaries=spoil))
    assert kinds(run) == {INVALID: 4, UNSCORED: 1, ERROR: 1}
    assert not run.episodes
    assert "ValueError: broken" in str(run.problems[0])


def test_a_sample_that_is_none_is_named_and_the_others_are_read(log):
    run = read_run(change(log, summaries=lambda rows: [rows[0] | {"metadata": [1]}, *rows[1:]]))
    assert kinds(run) == {UNREADABLE: 1}
    assert len(run.episodes) == 5


def test_a_limit_is_named_and_counts(log):
    def limit(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows[0]["limit"] = "time"
        rows[0]["scores"]["episode"]["value"] = {"played": 0.0, "success": 0.0, "quality": math.nan}
        return rows

    run = read_run(change(log, summaries=limit))
    assert kinds(run) == {LIMIT: 1}
    assert [episode.kind for episode in run.episodes].count("aborted") == 1


def test_duplicates_count_once(log):
    run = read_run(change(log, summaries=lambda rows: [*rows, rows[0], rows[3]]))
    assert len(run.episodes) == 6
    assert kinds(run) == {DUPLICATE: 2}


def test_the_last_attempt_of_a_retried_task_counts(log):
    older = log.with_name("older.eval")
    older.write_bytes(log.read_bytes())

    def earlier(header: dict[str, Any]) -> dict[str, Any]:
        return header | {"status": "error", "eval": header["eval"] | {"created": "2020-01-01T00:00:00+00:00"}}

    change(older, header=earlier)
    run = read_run(log.parent)
    assert len(run.episodes) == 6
    assert not run.problems


def test_retained_skills_of_inspect(log):
    def skill(name: str, value: float) -> dict[str, Any]:
        metadata = {"benchmark": "mini_logic", "task": "playpen_mini_logic", "index": 0}
        scores = {"skill_value": {"value": {"skill": value}}}
        return {"id": f"playpen_{name}/0", "epoch": 1, "metadata": metadata, "scores": scores}

    def header(data: dict[str, Any]) -> dict[str, Any]:
        spec = data["eval"] | {"scorers": [{"name": "skill_value"}], "metadata": {"benchmarks": ["mini_logic"]}}
        spec["dataset"]["sample_ids"], spec["config"]["epochs"] = ["playpen_a/0", "playpen_b/0", "playpen_c/0"], 1
        return data | {"eval": spec}

    rows = [skill("a", 1.0), skill("b", 0.5), skill("c", math.nan)]
    run = read_run(change(log, header=header, summaries=lambda _: rows))
    assert [(item.benchmark, item.item, item.value) for item in run.items] == [
        ("mini_logic", "playpen_a/0", 1.0),
        ("mini_logic", "playpen_b/0", 0.5),
    ]
    assert kinds(run) == {INVALID: 1}


@pytest.fixture
def own(tmp_path, capsys) -> Path:
    folder = tmp_path / "scripted"
    assert main(["run", "taboo", "wordle", "--model", "scripted", "--limit", "4", "-o", str(folder)]) == 0
    return folder


def test_a_folder_of_playpen_eval_run(own):
    run = read_run(own)
    assert not run.problems
    assert len(run.episodes) == 8
    assert run.meta.model == "scripted"
    assert run.meta.partner == "self"
    assert run.meta.instances["taboo"] == ("test", load_instances(load_game("taboo")).sha256)
    assert run.meta.generation == {"temperature": 0.0, "max_tokens": 300}
    taboo = next(episode for episode in run.episodes if episode.instance == "taboo/1/test/high/0-0")
    assert (taboo.kind, taboo.turns, taboo.split) == ("success", 2, "test")
    turns = read_transcript(taboo.locator)
    assert [turn.role for turn in turns] == ["describer", "guesser"]
    assert "secret word" in (turns[0].told or "")


def test_both_harness_and_own_runs_have_the_same_keys(own, inspect_log):
    keys = [{e.key for e in read_run(path).episodes if e.game == "taboo"} for path in (own, inspect_log)]
    assert len(keys[0] & keys[1]) == 3


def test_broken_lines_of_an_own_run(own):
    path = own / "episodes.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "{broken}\n", *lines[1:], lines[0], lines[2][:40]]))
    run = read_run(own)
    assert len(run.episodes) == 8
    assert kinds(run) == {TRUNCATED: 1, UNREADABLE: 1, DUPLICATE: 1}
    assert "episodes.jsonl:2" in str(next(p for p in run.problems if p.kind == UNREADABLE))
    (own / "run.json").write_text("{}")
    with pytest.raises(UserError, match=r"run\.json is broken"):
        read_run(own)


def test_what_is_no_run(tmp_path, log):
    with pytest.raises(UserError, match="does not exist"):
        read_run(tmp_path / "nothing")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"looked for logs of Inspect .*lm-eval .*clembench .*playpen-eval"):
        read_run(empty)
    (empty / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match="is no run; looked for"):
        read_run(empty / "notes.txt")
    (empty / "interactions.json").write_text("{}")
    with pytest.raises(UserError, match="Inspect logs and recordings"):
        read_run(tmp_path)
    change(log, header=lambda header: header | {"eval": header["eval"] | {"task": "mmlu", "scorers": []}})
    with pytest.raises(UserError, match="no log of a playpen task; there is mmlu"):
        read_run(log)


class Slow:
    """A text that comes in small pieces."""

    def __init__(self, text: str):
        self.text = text

    def read(self, size: int) -> str:
        part, self.text = self.text[:3], self.text[3:]
        return part


_JSON = st.recursive(
    st.none() | st.integers() | st.text(alphabet='a"\\\n ]}[{,:é', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd]"), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_JSON, max_size=4), st.sampled_from([None, 0, 1, 2]))
def test_members_that_are_not_wanted_are_skipped(rows, indent):
    text: Any = Slow(json.dumps({"before": rows, "rows": rows}, indent=indent, ensure_ascii=False))
    left = [{k: v for k, v in row.items() if k in "ac"} if isinstance(row, dict) else row for row in rows]
    assert list(JsonStream(text).members("rows", wanted="ac")) == [("before", rows), *(("rows", row) for row in left)]


def test_json_in_pieces():
    data = {"a": 12345, "rows": [{"x": math.inf}, [], '\\"é', 678, -1.5], "z": None, "none": []}
    stream: Any = Slow(" " + json.dumps(data, indent=1))
    assert list(JsonStream(stream).members("rows", "none")) == [
        ("a", 12345), *(("rows", row) for row in data["rows"]), ("z", None)
    ]  # fmt: skip
    for text in ('{"a": 1', '{"a"; 1}', "[1, 2", "[1 2]", "", "{1: 2}", '[1, {"b": ', "nothing"):
        broken: Any = Slow(text)
        with pytest.raises(ValueError):  # noqa: PT011
            list(JsonStream(broken).array() if text.startswith("[") else JsonStream(broken).members())
