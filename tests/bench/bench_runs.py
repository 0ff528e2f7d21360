"""How long it takes to read and to summarise many episodes, and how much memory.

    python tests/bench/bench_runs.py [--episodes 100000] [--json-log] [--keep DIR]

Plays a few episodes in each harness, copies their samples under new ids into one big log, and summarises it in a
process of its own, from `read_run` to `summarise_run`. In the .eval file the samples themselves are empty, since they
are not opened: their summaries are. Of lm-eval the episodes are taboo with 6 turns. `--json-log` adds Inspect's .json
format, which holds about 70 kB an episode. The stored report is that of the .eval file.

Bars for 100,000 episodes: 60 s and 1 GiB; a stored report is written in 10 s, read in 10 s and 500 MiB, and has 15 MiB.
Times are those of the CPU, user and system, since the machine may be busy.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

SECONDS, MEBIBYTES = 60, 1024
STORED = 15, 10, 500
"""Bars of a stored report: MiB on disk, seconds, MiB of memory."""
CHILD = """
import json, sys, time
start = time.process_time()
from playpen_eval.report import summarise_run
from playpen_eval.runs import read_run
run = read_run(sys.argv[1])
read = time.process_time() - start
if sys.argv[2] == "store":
    from playpen_eval.report.stored import results_text, to_results
    summary = summarise_run(run)
    start = time.process_time()
    open(sys.argv[3], "w").write(results_text(to_results([summary])))
elif sys.argv[2] == "summarise":
    summarise_run(run)
seconds = time.process_time() - start
# Not ru_maxrss, which a process inherits from the one that started it.
[peak] = [int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps([len(run.episodes), len(run.problems), read, seconds, peak]))
"""


def small_inspect_log(folder: Path, form: str) -> Path:
    """Plays one instance of every experiment of the training games."""
    import inspect_ai

    [log] = inspect_ai.eval(
        "playpen/unseen_instances",
        model="playpen-scripted/best",
        task_args={"limit_per_experiment": 1},
        log_dir=str(folder),
        log_format=form,  # type: ignore[arg-type]
        display="none",
    )
    return Path(log.location.removeprefix("file://"))


def big_eval(folder: Path, n: int) -> Path:
    """An .eval file of n samples."""
    source, path = small_inspect_log(folder / "small", "eval"), folder / "big.eval"
    if sys.version_info < (3, 14):
        import zipfile_zstd  # type: ignore[import-not-found, import-untyped]  # noqa: F401
    with zipfile.ZipFile(source) as archive:
        header, rows = json.loads(archive.read("header.json")), json.loads(archive.read("summaries.json"))
    copies = [row | {"id": f"{row['id']}-{i}"} for i, row in zip(range(n), itertools.cycle(rows))]
    grow(header, [row["id"] for row in copies])
    with zipfile.ZipFile(path, "w") as archive:
        for row in copies:
            archive.writestr(f"samples/{row['id']}_epoch_1.json", "{}")
        for name, data in (("summaries.json", copies), ("header.json", header)):
            archive.writestr(name, json.dumps(data, indent=2), compress_type=zipfile.ZIP_ZSTANDARD)  # type: ignore[attr-defined]
    return path


def big_json(folder: Path, n: int) -> Path:
    """A .json log of n samples."""
    log = json.loads(small_inspect_log(folder / "small-json", "json").read_text())
    rows, path = log.pop("samples"), folder / "big.json"
    pairs = list(zip(range(n), itertools.cycle(rows)))
    grow(log, [f"{row['id']}-{i}" for i, row in pairs])
    with path.open("w") as file:
        file.write(json.dumps(log, indent=2).removesuffix("\n}") + ',\n"samples": [')
        for i, row in pairs:
            file.write((", " if i else "") + json.dumps(row | {"id": f"{row['id']}-{i}"}, indent=2))
        file.write("]}\n")
    return path


def grow(header: dict[str, Any], ids: list[str]) -> None:
    """Makes a header say that the log has these samples."""
    header["eval"]["dataset"] |= {"samples": len(ids), "sample_ids": ids}
    header["results"] |= {"total_samples": len(ids), "completed_samples": len(ids)}


def big_lm_eval(folder: Path, n: int) -> Path:
    """Output of lm-eval with n samples."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    import lm_eval
    from lm_eval.api.model import LM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    from playpen_eval.lmeval.tasks_dir import write_tasks_dir

    class Missing(LM):
        """Misses every word, so that an episode has six turns."""

        def loglikelihood(self, requests: Any) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

        def generate_until(self, requests: Any) -> list[str]:
            firsts = [json.loads(request.args[0])[0]["content"] for request in requests]
            return ["CLUE: 1 2 3" if "CLUE: followed" in first else "GUESS: nothing" for first in firsts]

        def apply_chat_template(self, chat_history: Any, add_generation_prompt: bool = True) -> str:
            return json.dumps(chat_history)

    evaluate: Any = lm_eval.simple_evaluate
    manager = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False, metadata={})
    results = evaluate(Missing(), tasks=["playpen_taboo"], task_manager=manager, limit=20, bootstrap_iters=0)
    rows = copy.deepcopy(results.pop("samples")["playpen_taboo"])
    results["n-samples"]["playpen_taboo"] = {"original": n, "effective": n}
    tracker = EvaluationTracker(output_path=str(folder / "lm-eval"))
    tracker.general_config_tracker.model_name = "bench"
    tracker.save_results_aggregated(results, {"playpen_taboo": []})
    tracker.save_results_samples("playpen_taboo", rows)  # type: ignore[arg-type]
    [path] = (folder / "lm-eval").rglob("samples_*.jsonl")
    lines = [(json.loads(line)["doc"]["id"], line) for line in path.read_text().splitlines()]
    with path.open("w") as file:
        for i, (name, line) in zip(range(n), itertools.cycle(lines)):
            number = line.index(",")  # a line begins with its doc_id
            file.write(f'{{"doc_id": {i}' + line[number:].replace(name, f"{name}-{i}") + "\n")
    return folder / "lm-eval"


class Measured(NamedTuple):
    """What a process took that did nothing else."""

    episodes: int
    problems: int
    read_seconds: float
    seconds: float
    peak: float


def measure(path: Path, what: str, *more: str) -> Measured:
    """Reads a run in a process of its own, and does something with it: `read`, `summarise` or `store`."""
    command = [sys.executable, "-c", CHILD, str(path), what, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(*json.loads(done.stdout))


def mebibytes(path: Path) -> float:
    """Size of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 2**20


def line(name: str, path: Path, found: Measured) -> None:
    """Prints what summarising took."""
    missed = " MISSED" if found.seconds > SECONDS or found.peak > MEBIBYTES else ""
    print(
        f"{name}: {found.episodes} episodes, {found.problems} problems, {mebibytes(path):.0f} MiB on disk, read in "
        f"{found.read_seconds:.1f} s, summarised in {found.seconds:.1f} s in all (bar {SECONDS}), "
        f"peak {found.peak:.0f} MiB (bar {MEBIBYTES}){missed}",
        flush=True,
    )


def stored(log: Path, path: Path) -> None:
    """Stores the run of a log, reads it again, and summarises it."""
    written, again = measure(log, "store", str(path)), measure(path, "read")
    size, seconds, peak = STORED
    missed = max(written.seconds, again.seconds) > seconds or again.peak > peak or mebibytes(path) > size
    print(
        f"stored report: written in {written.seconds:.1f} s, read in {again.seconds:.1f} s (bars {seconds}), peak when "
        f"read {again.peak:.0f} MiB (bar {peak}), {mebibytes(path):.1f} MiB on disk (bar {size})" + " MISSED" * missed
    )
    line("stored report", path, measure(path, "summarise"))


def main() -> None:
    """Makes the logs, summarises them, prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--json-log", action="store_true")
    parser.add_argument("--keep", type=Path, help="make the logs in this folder, and leave them there")
    args = parser.parse_args()
    makers: list[Callable[[Path, int], Path]] = [big_eval, big_lm_eval, *([big_json] if args.json_log else [])]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for make in makers:
            path = make(folder, args.episodes)
            line(make.__name__, path, measure(path, "summarise"))
        stored(folder / "big.eval", folder / "stored.json")


if __name__ == "__main__":
    main()
