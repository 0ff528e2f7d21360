"""Output of lm-evaluation-harness as runs: results_*.json and the samples_TASK_*.jsonl beside them, line by line.

Of their form this relies on: `configs`, `n-samples`, `config.{model_args, model_dtype}`, `model_name`, `git_hash`,
`lm_eval_version`, `transformers_version` and `total_evaluation_time_seconds` of the results; `doc_id`, `doc`, `resps`,
`filter` and the metrics of a sample; that both files have the same time stamp; and on what our own tasks write.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.runs.collect import Collector, label_of, partner_at_fault, partner_name, precision
from playpen_eval.runs.records import (
    DUPLICATE,
    INVALID,
    MISSING,
    UNREADABLE,
    InstanceSource,
    Locator,
    Run,
    RunMeta,
)
from playpen_eval.skills.aggregate import read_results_file
from playpen_eval.skills.catalogue import Benchmark, benchmark_of_task

FORMAT = "lm-eval"
_RESULTS = re.compile(r"_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(\.\d+)?\.json$")
_SETTINGS = ("temperature", "top_p", "max_gen_toks", "do_sample")


@dataclass
class _Results:
    path: Path
    data: dict[str, Any]

    @property
    def model(self) -> str:
        return str(self.data.get("model_name") or self.arguments.get("pretrained") or self.config.get("model"))

    @property
    def config(self) -> dict[str, Any]:
        return self.data.get("config") or {}

    @property
    def arguments(self) -> dict[str, Any]:
        given = self.config.get("model_args") or {}
        if isinstance(given, str):
            pairs = (part.partition("=") for part in given.split(","))
            return {name.strip(): value.strip() for name, _, value in pairs}
        return given

    def samples(self, task: str) -> Path:
        """The file of a task's samples."""
        stamp = self.path.stem.rpartition("_")[2]
        return self.path.with_name(f"samples_{task}_{stamp}.jsonl")


def is_results(path: Path) -> bool:
    """Whether a file looks like results of lm-eval."""
    return _RESULTS.search(path.name) is not None and path.is_file()


def read_lm_eval(root: Path, paths: list[Path]) -> Run:
    """Reads the results of one model; of every task the newest count.

    Args:
        root: What was asked for.
        paths: The results files.

    Raises:
        UserError: There are no samples, nothing of ours, results of different models, or a results file is broken.
    """
    results = [_Results(path, read_results_file(path, "configs")) for path in sorted(paths, key=lambda path: path.name)]
    models = sorted({one.model for one in results})
    if len(models) > 1:
        raise UserError(f"{root} holds results of different models ({', '.join(models)}); name the folder of one")
    skills = benchmark_of_task()
    newest = {task: one for one in results for task in one.data["configs"]}
    ours = {task: one for task, one in newest.items() if _game(one, task) or task in skills}
    if not ours:
        raise UserError(f"{root}: no results of a playpen task; there is {', '.join(sorted(newest)) or 'no task'}")
    if not any(one.samples(task).is_file() for task, one in ours.items()):
        raise UserError(f"{root} holds results without samples; run lm_eval again with --log_samples")
    found = Collector()
    for task, one in ours.items():
        _read_task(one, task, skills.get(task), found)
    return found.run(_meta(root, results, ours, found, tuple(sorted(newest.keys() - ours.keys()))))


def _game(results: _Results, task: str) -> str | None:
    return (results.data["configs"][task].get("dataset_kwargs") or {}).get("playpen_game")


def _read_task(results: _Results, task: str, benchmark: Benchmark | None, found: Collector) -> None:
    path, game = results.samples(task), _game(results, task)
    counts = results.data.get("n-samples", {}).get(task, {})
    expected = int(counts.get("effective") or 0)
    if not path.is_file():
        return found.problem(MISSING, f"all samples of {task} (no {path.name})")
    chosen = benchmark.metric.partition(",")[2] if benchmark and not game else None
    wanted = int(results.data["configs"][task].get("repeats") or 1)
    ids: set[int] = set()
    hashed: Any = hashlib.sha256()
    for number, offset, line in _lines(path):
        try:
            sample = json.loads(line)
            if chosen is not None and sample.get("filter", chosen) != chosen:
                continue  # the same answer, read in another way
            doc_id = int(sample["doc_id"])
            if doc_id in ids:
                found.problem(DUPLICATE, f"{task}/{doc_id} in {path}:{number}")
                continue
            ids.add(doc_id)
            if game:
                text = sample["doc"]["instance"]
                hashed.update((("," if len(ids) > 1 else "[") + text).encode("utf-8", "surrogatepass"))
                repeats = _read_episodes(sample, offset, path, found)
                found.missing(f"repeats of {task}/{doc_id}", wanted, repeats)
            elif benchmark is not None:
                _read_item(sample, task, benchmark, found)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            found.problem(UNREADABLE, f"{path}:{number}: {type(error).__name__}: {error}")
    hashed.update(b"]")
    if game:
        # Instances in their own order, all of them: then this is the digest that the other formats record.
        complete = len(ids) == int(counts.get("original") or -1)
        source = (results.data["configs"][task].get("metadata") or {}).get("playpen_source") or "test"
        # `load_instances` names a checkout by its version, which the ids tell.
        checkout = source.startswith("clembench:") and found.episodes
        name = found.episodes[-1].split if checkout else Path(source).name
        found.instances.setdefault(game, InstanceSource(name, hashed.hexdigest() if complete else None))
    found.missing(task, expected, len(ids))
    return None


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, offset, line
            offset += len(line)


def _read_episodes(sample: Mapping[str, Any], offset: int, path: Path, found: Collector) -> int:
    """Reads the episodes of one instance; returns their number."""
    part = -1
    for part, text in enumerate(_texts(sample["resps"])):
        episode = json.loads(text)
        outcome, partner = episode["outcome"], partner_name(episode["partner"])
        roles = None if partner == "self" else tuple(episode["learner_roles"])
        found.episode(
            episode["game"],
            episode["id"],
            part + 1,
            outcome["kind"],
            outcome["score"],
            Locator(FORMAT, str(path), offset, part),
            partner_fault=partner_at_fault(outcome, roles),
            version=episode["version"],
            experiment=sample["doc"]["experiment"],
            turns=len(episode["replies"]),
            roles=roles,
            partner=partner,
        )
    return part + 1


def _texts(responses: Any) -> Iterator[str]:
    """The episodes of a sample: a list of one text, or of one list of repeats."""
    for response in responses:
        if isinstance(response, str):
            yield response
        else:
            yield from response


def _read_item(sample: Mapping[str, Any], task: str, benchmark: Benchmark, found: Collector) -> None:
    item, value = f"{task}/{sample['doc_id']}", sample[benchmark.metric.partition(",")[0]]
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return found.item(benchmark.name, task, item, float(value) / benchmark.scale)
    return found.problem(INVALID, f"{item}: {value}")


def _meta(
    root: Path, results: list[_Results], ours: Mapping[str, _Results], found: Collector, others: tuple[str, ...]
) -> RunMeta:
    newest = results[-1]
    dtype, quantization = precision(newest.arguments)
    seconds = [float(one.data["total_evaluation_time_seconds"]) for one in results if _has_time(one)]
    [game_task, *_] = [task for task in ours if _game(ours[task], task)] or [None]
    settings = ours[game_task].data["configs"][game_task].get("generation_kwargs") or {} if game_task else {}
    packages = {"lm-eval": newest.data.get("lm_eval_version"), "transformers": newest.data.get("transformers_version")}
    return RunMeta(
        label=label_of(root),
        path=str(root),
        format=FORMAT,
        model=newest.model,
        instances=found.instances,
        partner=found.partner(),
        dtype=_dtype(newest) or dtype,
        quantization=quantization,
        generation={
            "max_tokens" if name == "max_gen_toks" else name: settings[name]
            for name in _SETTINGS
            if settings.get(name) is not None
        },
        versions=found.versions,
        packages={name: version for name, version in packages.items() if version},
        commit=newest.data.get("git_hash"),
        wall_seconds=sum(seconds) if seconds else None,
        other_tasks=others,
    )


def _has_time(results: _Results) -> bool:
    return results.data.get("total_evaluation_time_seconds") is not None


def _dtype(results: _Results) -> str | None:
    told = results.config.get("model_dtype")
    return None if told is None else str(told).removeprefix("torch.")
