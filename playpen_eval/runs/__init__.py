"""Reads runs, whatever wrote them, into small records: `read_run(path)`."""

from __future__ import annotations

from pathlib import Path

from playpen_eval.errors import UserError
from playpen_eval.runs.records import (
    DUPLICATE,
    ERROR,
    INVALID,
    LIMIT,
    MISSING,
    PROBLEMS,
    TRUNCATED,
    UNFINISHED,
    UNREADABLE,
    UNSCORED,
    EpisodeRecord,
    InstanceSource,
    ItemRecord,
    Locator,
    Problem,
    Run,
    RunMeta,
)
from playpen_eval.runs.transcripts import Play, Said, read_play, read_transcript

__all__ = [
    "DUPLICATE",
    "ERROR",
    "INVALID",
    "LIMIT",
    "MISSING",
    "PROBLEMS",
    "TRUNCATED",
    "UNFINISHED",
    "UNREADABLE",
    "UNSCORED",
    "EpisodeRecord",
    "InstanceSource",
    "ItemRecord",
    "Locator",
    "Play",
    "Problem",
    "Run",
    "RunMeta",
    "Said",
    "read_play",
    "read_run",
    "read_transcript",
]

_LOOKED_FOR = (
    "logs of Inspect (.eval or .json), output of lm-eval (results_*.json with samples_*.jsonl), "
    "clembench results (interactions.json and scores.json, or a .tar.gz of them), "
    "a folder of `playpen-eval run` (run.json with episodes.jsonl), "
    "what `playpen-eval report --json` wrote of one run"
)


def read_run(path: str | Path) -> Run:
    """Reads one run; what is wrong with its content is in `Run.problems`.

    Args:
        path: A log of Inspect or a folder of them, output of lm-evaluation-harness with samples, a clembench results
            folder or a .tar.gz of one, a folder of `playpen-eval run`, or a stored report of one run.

    Raises:
        UserError: The path is none of these or several at once, nothing in it can be read, or it holds several models.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist")
    return _read_folder(path) if path.is_dir() else _read_file(path)


def _read_file(path: Path) -> Run:
    from playpen_eval.runs.read_inspect import is_log, read_inspect
    from playpen_eval.runs.read_lm_eval import is_results, read_lm_eval
    from playpen_eval.runs.read_results import is_stored, read_stored

    if path.name.endswith((".tar.gz", ".tgz", ".tar")):
        from playpen_eval.runs.read_clembench import read_clembench

        return read_clembench(path)
    if is_log(path):
        return read_inspect(path, [path])
    if is_stored(path):
        return read_stored(path)
    if is_results(path):
        return read_lm_eval(path, [path])
    raise UserError(f"{path} is no run; looked for {_LOOKED_FOR}")


def _read_folder(path: Path) -> Run:
    from playpen_eval.runs.read_inspect import is_log, read_inspect
    from playpen_eval.runs.read_lm_eval import is_results, read_lm_eval

    if (path / "run.json").is_file() and (path / "episodes.jsonl").is_file():
        from playpen_eval.runs.read_own import read_own

        return read_own(path)
    files = sorted(file for file in path.rglob("*") if file.suffix in (".eval", ".json"))
    logs, results = [file for file in files if is_log(file)], [file for file in files if is_results(file)]
    recorded = any(file.name == "interactions.json" for file in files)
    there = {"Inspect logs": logs, "lm-eval results": results, "recordings of clembench": recorded}
    kinds = [name for name, files in there.items() if files]
    if len(kinds) > 1:
        raise UserError(f"{path} holds {' and '.join(kinds)}; name one of the folders below it")
    if logs:
        return read_inspect(path, logs)
    if results:
        return read_lm_eval(path, results)
    if recorded:
        from playpen_eval.runs.read_clembench import read_clembench

        return read_clembench(path)
    raise UserError(f"{path} holds no run; looked for {_LOOKED_FOR}")
