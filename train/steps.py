"""The frame of a training loop of our own: bar and log, checkpoints, and where a resumed run goes on."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

import torch

from playpen_eval.errors import UserError

from .callbacks import Progress
from .session import LOG, Session

WEIGHTS = "state.pt"


class Steps:
    """Counts the steps of a run; what is between two of them belongs to the method.

        with Steps(session, total, model=model, optimizer=optimizer) as steps:
            for step in steps:
                ...
                steps.log(loss=loss.item())

    A run that is stopped says how to go on, and one that is resumed begins after its newest checkpoint with the same
    weights and random numbers, so that on a CPU it ends as if it had not been stopped.
    """

    def __init__(self, session: Session, total: int, **parts: Any):
        """Takes up the newest checkpoint if the run is resumed.

        Args:
            session: The run.
            total: Its steps.
            **parts: What a checkpoint holds, each with `state_dict` and `load_state_dict`.

        Raises:
            UserError: Several processes, or a checkpoint that cannot be read.
        """
        if session.state.num_processes > 1:
            raise UserError(f"train {session.method} runs in one process; start it without a launcher")
        self._session, self._total, self._parts = session, total, parts
        self._progress = Progress(session.output / LOG)
        self._state: Any = SimpleNamespace(global_step=0, max_steps=total, is_world_process_zero=True, log_history=[])
        self._sums: dict[str, float] = {}
        self._since = 0
        if checkpoint := session.checkpoint([WEIGHTS]):
            self._load(Path(checkpoint))

    @property
    def history(self) -> list[dict[str, Any]]:
        """The log."""
        return self._state.log_history

    def __enter__(self) -> Steps:
        """Starts the bar."""
        self._session.write()
        self._progress.on_train_begin(None, self._state, None)
        self._start = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Takes the bar away; says how to go on if the run was stopped."""
        self._progress.close()
        if isinstance(error, KeyboardInterrupt | UserError):
            self._session.say_how_to_go_on(self._state.global_step, [WEIGHTS])

    def __iter__(self) -> Iterator[int]:
        """The numbers of the steps that are left, from 0; reports and saves after each."""
        config = self._session.config
        for step in range(self._state.global_step, self._total):
            yield step
            self._state.global_step = step + 1
            self._progress.on_step_end(None, self._state, None)
            last = step + 1 == self._total
            if self._since and ((step + 1) % config.log_every == 0 or last):
                self._report({name: value / self._since for name, value in self._sums.items()})
                self._sums, self._since = {}, 0
            if (step + 1) % config.save_every == 0 and not last:
                self._save()
        self._report({"train_runtime": time.monotonic() - self._start})

    def log(self, **numbers: float) -> None:
        """Numbers of this step; the log has their means over `log_every` steps."""
        for name, value in numbers.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._since += 1

    def _report(self, numbers: dict[str, float]) -> None:
        self._state.log_history.append({"step": self._state.global_step, **numbers})
        self._progress.on_log(None, self._state, None, numbers)

    def _save(self) -> None:
        folder = self._session.output / f"checkpoint-{self._state.global_step}"
        unfinished = folder.with_name(folder.name + ".tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        held = {name: part.state_dict() for name, part in self._parts.items()}
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        random = {"cpu": torch.get_rng_state(), "cuda": cuda}
        torch.save({"parts": held, "random": random, "sums": self._sums, "since": self._since}, unfinished / WEIGHTS)
        state = {"global_step": self._state.global_step, "log_history": self._state.log_history}
        (unfinished / "trainer_state.json").write_text(json.dumps(state), encoding="utf-8")
        unfinished.rename(folder)
        self._session.drop_old_checkpoints()

    def _load(self, folder: Path) -> None:
        try:
            held = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
            for name, part in self._parts.items():
                part.load_state_dict(held["parts"][name])
        except Exception as error:  # torch has errors of all kinds for files that are not whole
            raise UserError(
                f"cannot read the checkpoint {folder} ({type(error).__name__}: {error}); delete it to go on from the "
                "one before"
            ) from None
        torch.set_rng_state(held["random"]["cpu"])
        if held["random"]["cuda"]:
            torch.cuda.set_rng_state_all(held["random"]["cuda"])
        self._sums, self._since = held["sums"], held["since"]
        state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        self._state.global_step, self._state.log_history = state["global_step"], state["log_history"]
