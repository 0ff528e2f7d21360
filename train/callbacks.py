"""What is seen of a training while it runs: a bar on stderr, and a log with one line of JSON for each report."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

_SHOWN = ("loss", "reward", "return")


class Progress(TrainerCallback):
    """Writes the log and moves the bar."""

    def __init__(self, log: Path):
        self._log = log
        self._bar: Bar | None = None
        self._task: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Starts the bar; what a resumed run had logged after its checkpoint is dropped."""
        if not state.is_world_process_zero:
            return
        if self._log.is_file():
            lines = [line for line in self._log.read_text(encoding="utf-8").splitlines() if line.strip()]
            kept = [line for line in lines if json.loads(line)["step"] <= state.global_step]
            self._log.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        columns = (TextColumn("steps"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, TextColumn("{task.fields[said]}"), console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task("", total=state.max_steps, completed=state.global_step, said="")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Moves the bar."""
        if self._bar is not None:
            self._bar.update(self._task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Appends a line."""
        if not state.is_world_process_zero or logs is None:
            return
        numbers = {
            name: _number(value) for name, value in logs.items() if value is None or isinstance(value, int | float)
        }
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **numbers}) + "\n")
        if self._bar is not None:
            shown = (f"{name} {logs[name]:.3g}" for name in _SHOWN if isinstance(logs.get(name), int | float))
            self._bar.update(self._task, said=" ".join(shown))

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Takes the bar away."""
        self.close()


def _number(value: float | None) -> float | None:
    """JSON has no NaN."""
    return value if value is not None and math.isfinite(value) else None


def attach(trainer: Any, callbacks: Sequence[TrainerCallback]) -> None:
    """Our callbacks instead of transformers' bar and printer."""
    for kind in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(kind)
    for callback in callbacks:
        trainer.add_callback(callback)
