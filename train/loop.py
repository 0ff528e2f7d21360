"""Runs a plan: evaluate, train, evaluate, compare; what is finished is not done again.

Each stage has a folder `NN-name` with `stage.json` (state, commands, a digest of all that decides the result)
and what its commands wrote. A stage that was interrupted goes on where it can: training at its last checkpoint, runs
at the next episode. Everything else begins anew.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses
import gc
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playpen_eval.errors import UserError
from playpen_eval.provenance import provenance

from .plan import Stage, Step

if TYPE_CHECKING:
    from playpen_eval.compare import Several
    from playpen_eval.grid import Grid

FORMAT = 1
MARKER = "stage.json"
RESULT = "loop.json"
_CONTINUED = ("train", "run")
"""Commands that go on with what they find in their folder."""


def run_loop(plan: Sequence[Stage], output: Path, *, redo: bool = False) -> dict[str, Any]:
    """Runs the stages that are not finished, and compares all evaluations at the end.

    Args:
        plan: The stages.
        output: Their folder.
        redo: Delete and redo finished stages whose configuration has changed, and those that are no longer there.

    Returns:
        What is written to `loop.json`.

    Raises:
        UserError: A stage has changed, or its command failed.
        KeyboardInterrupt: As it came; says where it stopped.
    """
    output.mkdir(parents=True, exist_ok=True)
    _settle(plan, output, redo)
    for index, stage in enumerate(plan):
        _run_stage(stage, index, len(plan))
        if stage.kind == "evaluate":
            _show_changes(plan[: index + 1])
    return _conclude(plan, output)


def _settle(plan: Sequence[Stage], output: Path, redo: bool) -> None:
    """Finds stages that are not those of the plan any more."""
    folders = {stage.folder: stage for stage in plan}
    there = [path.parent for path in sorted(output.glob(f"*/{MARKER}")) if re.match(r"\d\d-", path.parent.name)]
    gone = [folder for folder in there if folder not in folders]
    changed = [folder for folder in there if folder in folders and _marker(folder)["digest"] != folders[folder].digest]
    if (gone or changed) and not redo:
        told = [f"changed: {_names(changed)}"] * bool(changed) + [f"no longer there: {_names(gone)}"] * bool(gone)
        raise UserError(
            f"{output} holds stages of another config ({'; '.join(told)}): give --redo to delete and redo them, or "
            "another --output"
        )
    for folder in (*gone, *changed):
        shutil.rmtree(folder)


def _names(folders: Sequence[Path]) -> str:
    return ", ".join(folder.name for folder in folders)


def _marker(folder: Path) -> dict[str, Any]:
    path = folder / MARKER
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(told, dict) or not {"digest", "state", "seconds"} <= told.keys():
            raise ValueError("not what a loop writes")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is broken ({error}); delete the folder {folder} to redo the stage") from None
    return told


def _run_stage(stage: Stage, index: int, of: int) -> None:
    title = f"[{index + 1}/{of}] {stage.folder.name}"
    told: dict[str, Any] = {"seconds": 0.0}
    if (stage.folder / MARKER).is_file():
        told = _marker(stage.folder)
        if told["state"] == "finished":
            print(f"{title}: finished before, {told['seconds']:.0f} s", file=sys.stderr)
            return
    elif stage.folder.exists() and any(stage.folder.iterdir()):
        raise UserError(f"{stage.folder} holds something that is no stage; choose another --output")
    told = {
        "format": FORMAT,
        "state": "running",
        "digest": stage.digest,
        "commands": [command(step) for step in stage.steps],
        "seconds": told["seconds"],
        "made_with": provenance(),
    }
    stage.folder.mkdir(parents=True, exist_ok=True)
    _write(stage.folder / MARKER, told)
    begin, before = time.monotonic(), told["seconds"]
    try:
        for step in stage.steps:
            print(f"\n{title}: {command(step)}", file=sys.stderr, flush=True)
            _run_step(step)
        told["state"] = "finished"
    except KeyboardInterrupt:
        print(f"\nstopped in {stage.folder}; the same command goes on there", file=sys.stderr)
        raise
    except UserError as error:
        raise UserError(f"stage {stage.folder.name}: {error}") from None
    finally:
        told["seconds"] = round(before + time.monotonic() - begin, 1)
        _write(stage.folder / MARKER, told)


def command(step: Step) -> str:
    """A step as a line for a shell."""
    return shlex.join([step.program, *step.words])


def _run_step(step: Step) -> None:
    words = list(step.words)
    if step.made.exists() and words[0] not in _CONTINUED:
        shutil.rmtree(step.made) if step.made.is_dir() else step.made.unlink()
    if step.program == "inspect":
        _run_inspect(step)
        return
    from playpen_eval.cli import main

    if words[0] == "train" and (step.made / "training.json").is_file():
        words.append("--resume")
    with _as_alone():
        status = main(words)
    if status == 130:
        raise KeyboardInterrupt
    if status:
        raise UserError(f"`{command(step)}` failed with exit status {status}")


@contextmanager
def _as_alone() -> Iterator[None]:
    """Commands run in this process: loading torch again would take longer than many a stage. Undoes what they leave."""
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    try:
        yield
    finally:
        torch = sys.modules.get("torch")
        if torch and threads:
            torch.set_num_threads(threads)
        gc.collect()
        if torch and torch.cuda.is_available():
            torch.cuda.empty_cache()


def _run_inspect(step: Step) -> None:
    from playpen_eval.runs import ERROR, MISSING, UNFINISHED, UNREADABLE, UNSCORED, read_run

    done = subprocess.run([sys.executable, "-m", "inspect_ai", *step.words], check=False)
    if done.returncode:
        raise UserError(f"`{command(step)}` failed with exit status {done.returncode}")
    # Inspect exits with 0 though an evaluation failed.
    bad = [
        one for one in read_run(step.made).problems if one.kind in (ERROR, MISSING, UNFINISHED, UNREADABLE, UNSCORED)
    ]
    if bad:
        raise UserError(f"`{command(step)}`: {bad[0]}")


def _write(path: Path, data: Any) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _series(plan: Sequence[Stage]) -> dict[str, list[tuple[Stage, Step]]]:
    """Evaluation -> the stages that ran it, in order."""
    found: dict[str, list[tuple[Stage, Step]]] = {}
    for stage in plan:
        for step in stage.steps:
            if step.name:
                found.setdefault(step.name, []).append((stage, step))
    return found


def _read(stage: Stage, step: Step) -> Any:
    """The run of an evaluation, under the name of its model."""
    from playpen_eval.runs import read_run

    run = read_run(step.made)
    return dataclasses.replace(run, meta=dataclasses.replace(run.meta, label=Path(stage.model).name))


def _show_changes(plan: Sequence[Stage]) -> None:
    """Tables of the last stage: against the model that its own was trained from, and against the first one."""
    from playpen_eval.compare import compare
    from playpen_eval.compare.tables import effects_grid
    from playpen_eval.grid import show

    last = plan[-1]
    parents = {stage.model: stage.parent for stage in plan if stage.parent}
    for name, runs in _series(plan).items():
        if runs[-1][0] is not last or len(runs) < 2:
            continue
        parent = next((one for one in reversed(runs[:-1]) if one[0].model == parents.get(last.model)), runs[-2])
        for before in dict.fromkeys((parent, runs[0])):
            grid = effects_grid(compare(_read(*before), _read(*runs[-1])))
            grid.title = f"{name}: {grid.title}"
            show(grid)
            print()


def _axes_grid(name: str, several: Several) -> Grid:
    """Axes by models, and which changes are not shown by these episodes."""
    from playpen_eval.grid import Grid, number
    from playpen_eval.report.plots import axis_figures

    axes = [subject for subject, kind in several.subjects.items() if kind == "axis"]
    figures = [axis_figures(summary) for summary in several.summaries]
    grid = Grid(["", *(f">{label}" for label in several.labels)], title=f"{name}: axes with their 95% intervals")
    for axis in axes:
        found = [one.get(axis) for one in figures]
        grid.rows.append([axis, *("-" if one is None else number(one.value, one.interval) for one in found)])
    unshown = []
    for (i, j), comparison in several.comparisons.items():
        changes = {axis: comparison.difference(axis).interval for axis in axes}
        if unclear := [axis for axis, (low, high) in changes.items() if low <= 0 <= high]:
            unshown.append(f"{several.labels[i]} to {several.labels[j]}: {', '.join(unclear)}")
    grid.notes = ["no change is shown where its interval holds 0:", *unshown] if unshown else []
    return grid


def _conclude(plan: Sequence[Stage], output: Path) -> dict[str, Any]:
    """Matrices, pages, plots and JSON of all evaluations, and where the time went."""
    from playpen_eval.compare import compare_several
    from playpen_eval.compare.tables import several_grids, several_to_dict
    from playpen_eval.grid import Grid, show
    from playpen_eval.report.html import comparison_html
    from playpen_eval.report.plots import learning_plot, styled

    times = {stage.folder.name: _marker(stage.folder)["seconds"] for stage in plan}
    result: dict[str, Any] = {"format": FORMAT, "seconds": times, "evaluations": {}, "made_with": provenance()}
    for name, runs in _series(plan).items():
        if len(runs) < 2:
            continue
        several = compare_several([_read(*one) for one in runs])
        result["evaluations"][name] = several_to_dict(several)
        show(_axes_grid(name, several), *several_grids(several)[1:])
        print()
        (output / f"{name}.html").write_text(comparison_html(several, 10), encoding="utf-8", errors="backslashreplace")
        figure = learning_plot(several)
        with styled():
            for ending in ("svg", "png"):
                metadata = {"Date": None} if ending == "svg" else None
                figure.savefig(output / f"{name}.{ending}", dpi=150, metadata=metadata)
    _write(output / RESULT, result)
    total = Grid(["stage", ">seconds"], [[name, f"{seconds:.0f}"] for name, seconds in times.items()])
    total.rows += [[], ["all", f"{sum(times.values()):.0f}"]]
    show(total)
    made = [output / f"{name}.html" for name in result["evaluations"]]
    print("\n" + "\n".join(map(str, [*made, output / RESULT])))
    return result
