"""Inspect logs as runs: one .eval or .json file, or a folder of them.

Inspect's own functions build checked objects of every sample, which takes a minute and 1.2 GiB for 100,000 summaries.
So the files are read as what they are. Of their form this relies on the following, all of it the public classes
EvalLog, EvalSpec, EvalStats and EvalSampleSummary written as JSON (log version 2):

- an .eval file is a zip archive with `header.json` (an EvalLog without samples) and `summaries.json` (a list of sample
  summaries); of an evaluation that has not ended, with `_journal/start.json` and `_journal/summaries/N.json`
- a .json file is an EvalLog, with `samples` as its last long member; whole samples have the members of summaries
- of the header: status, eval.{task, task_id, task_version, created, model, model_args, model_roles, task_args,
  metadata, dataset.sample_ids, config.epochs, packages, revision, scorers}, plan.config, stats
- of a summary: id, epoch, metadata, scores, error, limit, turn_count
- and on what our own tasks and scorers write there
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from playpen_eval.errors import UserError
from playpen_eval.runs.collect import Collector, label_of, partner_name, precision
from playpen_eval.runs.json_stream import JsonStream
from playpen_eval.runs.records import (
    ERROR,
    INVALID,
    LIMIT,
    TRUNCATED,
    UNFINISHED,
    UNREADABLE,
    UNSCORED,
    InstanceSource,
    Locator,
    Run,
    RunMeta,
)
from playpen_eval.runs.zip_members import open_member

FORMAT = "inspect"
EPISODE, SKILL = "episode", "skill_value"
"""Our scorers; a log is ours if it has one of them."""

_JOURNAL = re.compile(r"_journal/summaries/(\d+)\.json")
_SUMMARY = ("id", "epoch", "metadata", "scores", "error", "limit", "turn_count")
_SETTINGS = ("temperature", "top_p", "max_tokens", "seed", "do_sample")


@dataclass
class _Log:
    path: Path
    header: dict[str, Any]
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def spec(self) -> dict[str, Any]:
        return self.header["eval"]

    @property
    def metadata(self) -> dict[str, Any]:
        return self.spec.get("metadata") or {}

    @property
    def ours(self) -> bool:
        return any(scorer["name"] in (EPISODE, SKILL) for scorer in self.spec.get("scorers") or [])

    @property
    def model(self) -> str:
        # hf/local and its like say in an argument which model they are.
        where = (self.spec.get("model_args") or {}).get("model_path")
        return f"{self.spec['model']} ({where})" if where else self.spec["model"]

    @property
    def partner(self) -> str | None:
        partner = self.metadata.get("partner")
        if partner == "model":
            partner = ((self.spec.get("model_roles") or {}).get("partner") or {}).get("model", "?")
            return f"model:{partner}"
        return None if partner is None else partner_name(partner)


def is_log(path: Path) -> bool:
    """Whether a file looks like a log of Inspect."""
    if path.suffix == ".eval":
        return True
    if path.suffix != ".json":
        return False
    try:
        with path.open("rb") as file:
            head = file.read(2000)
    except OSError:
        return False
    return re.match(rb'\s*\{\s*"version"\s*:\s*\d+\s*,\s*"status"\s*:', head) is not None


def read_inspect(root: Path, paths: Sequence[Path]) -> Run:
    """Reads the logs of one model.

    Args:
        root: What was asked for.
        paths: The logs.

    Raises:
        UserError: No log can be read, none is of our tasks, or they are of different models.
    """
    found, logs, others = Collector(), [], []
    for path in paths:
        try:
            log = _Log(path, _read_header(path))
            logs.append(log) if log.ours else others.append(str(log.spec["task"]))
        except Exception as error:  # zip, zstd and JSON have errors of all kinds for broken bytes
            found.problem(TRUNCATED, f"{path}: {error or type(error).__name__}")
    if not logs:
        why = "; ".join(map(str, found.problems()))
        raise UserError(
            f"{root}: {why}. `inspect log recover` may help"
            if why
            else f"{root}: no log of a playpen task; there is {', '.join(sorted(set(others)))}"
        )
    models = sorted({log.model for log in logs})
    if len(models) > 1:
        raise UserError(f"{root} holds logs of different models ({', '.join(models)}); name the logs of one")
    logs = _newest_attempts(logs)
    calls = [_read_log(log, found) for log in logs]
    return found.run(_meta(root, logs, found, sum(calls), others))


def _newest_attempts(logs: Iterable[_Log]) -> list[_Log]:
    """The newest first; of a task that was retried only the last attempt, which has the samples of those before it."""
    ordered = sorted(logs, key=lambda log: str(log.spec.get("created")), reverse=True)
    return list({log.spec.get("task_id") or str(log.path): log for log in reversed(ordered)}.values())[::-1]


def _stream(file: IO[bytes]) -> JsonStream:
    return JsonStream(io.TextIOWrapper(file, encoding="utf-8"))


def _read_member(archive: zipfile.ZipFile, name: str) -> Any:
    with open_member(archive, name) as file:
        return json.load(file)


def _read_header(path: Path) -> dict[str, Any]:
    if path.suffix == ".eval":
        with zipfile.ZipFile(path) as archive:
            finished = "header.json" in archive.namelist()
            header = _read_member(archive, "header.json" if finished else "_journal/start.json")
            header.setdefault("status", "started")
    else:
        header = {}
        with path.open("rb") as file:
            for name, value in _stream(file).members("samples"):
                if name == "samples":
                    break
                header[name] = value
    if not isinstance(header.get("eval"), dict) or not {"task", "model"} <= header["eval"].keys():
        raise ValueError("no log of Inspect")
    return header


def _samples(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix != ".eval":
        with path.open("rb") as file:
            members = _stream(file).members("samples", wanted=_SUMMARY)
            yield from (value for name, value in members if name == "samples")
        return
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "summaries.json" in names:
            with open_member(archive, "summaries.json") as file:
                yield from _stream(file).array()
            return
        parts = sorted({int(part[1]) for name in names if (part := _JOURNAL.fullmatch(name))})
        # Later entries replace earlier ones of the same sample.
        rows = {}
        for part in parts:
            for row in _read_member(archive, f"_journal/summaries/{part}.json"):
                rows[row["id"], row["epoch"]] = row
        yield from rows.values()


def _read_log(log: _Log, found: Collector) -> int:
    """Reads the samples; returns the number of replies that models generated."""
    header, spec, task = log.header, log.spec, log.spec["task"]
    status = header.get("status")
    if status != "success" or header.get("invalidated"):
        why = (header.get("error") or {}).get("message", "")
        state = "invalidated" if status == "success" else status
        found.problem(UNFINISHED, f"{task} has status {state}{': ' + why if why else ''} ({log.path})")
    _note_instances(log, found)
    ids, epochs = (spec.get("dataset") or {}).get("sample_ids"), (spec.get("config") or {}).get("epochs") or 1
    names = {name: name for name in map(str, ids or ())}  # one copy of each id, however many samples have it
    seen: set[tuple[str, int]] = set()
    calls = 0
    try:
        for sample in _samples(log.path):
            instance = names.setdefault(str(sample["id"]), str(sample["id"]))
            seen.add((instance, int(sample["epoch"])))
            calls += sample.get("turn_count") or 0
            try:
                _read_sample(log, instance, sample, found)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                found.problem(UNREADABLE, f"{instance} of {task}: {type(error).__name__}: {error}")
    except Exception as error:  # as above
        found.problem(TRUNCATED, f"{log.path}: {error or type(error).__name__}, after {len(seen)} samples")
    if ids is None:
        expected = ((spec.get("dataset") or {}).get("samples") or 0) * epochs
        found.missing(task, expected, len(seen))
        return calls
    wanted = ((str(name), epoch) for name in ids for epoch in range(1, epochs + 1))
    missing = (f"{name} (epoch {epoch}) of {task}" for name, epoch in wanted if (name, epoch) not in seen)
    found.missing(task, 0, 0, missing)
    return calls


def _note_instances(log: _Log, found: Collector) -> None:
    source, sha256 = log.metadata.get("instances"), log.metadata.get("sha256")
    if game := log.metadata.get("game"):
        log.versions, sha256 = {game: int(log.spec["task_version"])}, {game: sha256}
    elif isinstance(games := log.metadata.get("games"), dict):
        log.versions = games
    for game in log.versions:
        digest = sha256.get(game) if isinstance(sha256, dict) else None
        found.instances.setdefault(game, InstanceSource(str(source), digest))


def _read_sample(log: _Log, instance: str, sample: Mapping[str, Any], found: Collector) -> None:
    epoch = int(sample["epoch"])
    where = f"{instance} (epoch {epoch}) of {log.spec['task']}"
    scores, metadata = sample.get("scores") or {}, sample.get("metadata") or {}
    if sample.get("error"):
        error = sample["error"]
        return found.problem(ERROR, f"{where}: {error['message'] if isinstance(error, dict) else error}")
    score = scores.get(EPISODE) or scores.get(SKILL)
    if not score or not isinstance(score.get("value"), dict):
        return found.problem(UNSCORED, where)
    if sample.get("limit"):
        limit = sample["limit"]
        found.problem(LIMIT, f"{where}: {limit['type'] if isinstance(limit, dict) else limit}")
    if EPISODE not in scores and "game" not in metadata:
        value = score["value"].get("skill")
        return found.item(metadata["benchmark"], metadata["task"], instance, value, epoch)
    game = metadata.get("game") or log.metadata.get("game") or instance.partition("/")[0]
    outcome = _outcome(score["value"]) if EPISODE in scores else _skill_outcome(score)
    if outcome is None:
        return found.problem(INVALID, f"{where}: {score['value']}")
    kind, worth, partner_fault = outcome
    return found.episode(
        game,
        instance,
        epoch,
        kind,
        worth,
        Locator(FORMAT, str(log.path), instance, epoch),
        partner_fault=partner_fault,
        version=log.versions.get(game),
        experiment=metadata.get("experiment"),
        split=metadata.get("split"),
        turns=_turns(log, score, sample),
        roles=_roles(log, game),
        partner=log.partner or "self",
    )


def _outcome(value: Mapping[str, Any]) -> tuple[str, float | None, bool] | None:
    """Kind, score and whether a partner was at fault; None if the figures contradict each other."""
    figures = [_number(value.get(name)) for name in ("played", "success", "quality")]
    played, success, quality = figures
    if all(math.isnan(figure) for figure in figures):
        return "aborted", None, True
    if played == 0 and success == 0 and math.isnan(quality):
        return "aborted", None, False
    if played == 1 and success in (0, 1) and not math.isnan(quality):
        return ("success" if success else "lose"), quality / 100, False
    return None


def _skill_outcome(score: Mapping[str, Any]) -> tuple[str, float | None, bool] | None:
    value = _number(score["value"].get("skill"))
    if score.get("answer") in ("success", "lose"):
        return score["answer"], value, False
    return ("aborted", None, False) if value == 0 else None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _turns(log: _Log, score: Mapping[str, Any], sample: Mapping[str, Any]) -> int | None:
    told = (score.get("metadata") or {}).get("turns")
    if told is not None:
        return told
    # Inspect counts the replies of models only.
    return None if (log.partner or "self").startswith("scripted") else sample.get("turn_count")


def _roles(log: _Log, game: str) -> tuple[str, ...] | None:
    if log.partner in (None, "self"):
        return None
    role = (log.spec.get("task_args") or {}).get("role")
    if role is None:
        from playpen_eval.registry import load_game

        try:
            role = load_game(game).learner
        except UserError:  # a game that is not here; its own choice of role is still one role
            role = "learner"
    return (role,)


def _meta(root: Path, logs: Sequence[_Log], found: Collector, calls: int, others: Iterable[str]) -> RunMeta:
    newest = logs[0].spec
    arguments = {**(newest.get("model_args") or {}), **(newest.get("model_generate_config") or {})}
    settings = arguments | (logs[0].header.get("plan", {}).get("config") or {})
    dtype, quantization = precision(arguments)
    usage = [use for log in logs for use in (log.header.get("stats", {}).get("model_usage") or {}).values()]
    read = ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")
    costs = [use["total_cost"] for use in usage if use.get("total_cost") is not None]
    packages = {name: version for log in reversed(logs) for name, version in (log.spec.get("packages") or {}).items()}
    return RunMeta(
        label=label_of(root),
        path=str(root),
        format=FORMAT,
        model=logs[0].model,
        instances=found.instances,
        partner=found.partner(),
        dtype=dtype,
        quantization=quantization,
        generation={name: settings[name] for name in _SETTINGS if settings.get(name) is not None},
        versions=found.versions,
        packages=packages,
        commit=(newest.get("revision") or {}).get("commit"),
        tokens_in=sum(use.get(name) or 0 for use in usage for name in read) if usage else None,
        tokens_out=sum(use.get("output_tokens") or 0 for use in usage) if usage else None,
        model_calls=calls or None,
        wall_seconds=_wall_seconds(logs),
        cost=sum(costs) if costs else None,
        other_tasks=tuple(sorted(set(others))),
    )


def _wall_seconds(logs: Iterable[_Log]) -> float | None:
    """The time that the logs cover; tasks of an eval-set run side by side, and sets are continued days later."""
    spans = []
    for log in logs:
        stats = log.header.get("stats") or {}
        if stats.get("started_at") and stats.get("completed_at"):
            spans.append(
                tuple(datetime.fromisoformat(stats[name]).timestamp() for name in ("started_at", "completed_at"))
            )
    total, until = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total if spans else None
