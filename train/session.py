"""One training run: its folder and record, its model and tokenizer, and what all of TRL's configurations share."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError, require, unknown
from playpen_eval.provenance import provenance

from .chat import Chat, load_chat
from .config import Common
from .data.files import read_records
from .data.manifest import read_manifest, sha256_of
from .models import load_model

FORMAT = 1
MANIFEST = "training.json"
LOG = "log.jsonl"
HASHED = 1 << 30
"""Bytes of a local model up to which its digest is recorded; those of larger ones take minutes."""

_FREE = ("model", "save_every", "keep_checkpoints", "log_every", "threads")
"""Keys that a resumed run may change: they do not change its result."""


def quiet() -> None:
    """No telemetry, no bars beside ours and no warnings about what we know; before Hugging Face's imports."""
    silent = ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS")
    for name in (*silent, "TRL_EXPERIMENTAL_SILENCE"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)


class Session:
    """The folder of a run, and what is made from its configuration.

    Attributes:
        method: Such as `sft`.
        config: Its configuration.
        model: Folder or name of the model that is trained.
        output: The folder: model or adapter, tokenizer, checkpoints, log, and the record.
        gpu: Whether there is one, which is used then.
        bfloat16: Whether to compute in that precision.
        told: What goes into the record; the methods add to it.
    """

    def __init__(
        self,
        method: str,
        config: Common,
        model: str | None,
        output: Path,
        data: Sequence[Path] = (),
        *,
        resume: bool = False,
        again: str = "",
    ):
        """Begins or continues a run.

        Args:
            method: Such as `sft`.
            config: Its configuration.
            model: Folder or name of the model; the configuration's if None.
            output: The folder.
            data: Files that are trained on.
            resume: Continue the run in the folder.
            again: The command that continues it, for messages.

        Raises:
            UserError: There is a run in the folder and it is not to be continued, or it is another one; a file does
                not exist; an extra is not installed.
        """
        quiet()
        torch = require("torch", "train")
        accelerate, transformers = require("accelerate", "train"), require("transformers", "train")
        require("trl", "train")
        if model is None and config.model is None:
            raise UserError("no model: --model, or a recipe that names one")
        given = str(model or config.model)
        # The adapter's base is written down as it is given, and has to be found from any folder.
        self.model = str(Path(given).resolve()) if Path(given).is_dir() else given
        self.method, self.config, self.output = method, config, output
        self._resume, self._again = resume, again
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self.gpu = torch.cuda.is_available()
        self.bfloat16 = config.precision == "bfloat16" or (
            config.precision == "auto" and self.gpu and torch.cuda.is_bf16_supported()
        )
        self.state = accelerate.PartialState(cpu=not self.gpu)
        transformers.utils.logging.disable_progress_bar()
        transformers.set_seed(config.seed)  # before there is a model: it may get new weights
        self.told: dict[str, Any] = {}
        self._on_main(lambda: self._begin(data))
        self.told = self._read_record()

    @property
    def main(self) -> bool:
        """Whether this process writes the files."""
        return self.state.is_main_process

    def _on_main(self, work: Any) -> None:
        """Does what only one process may do; its error is everybody's."""
        from accelerate.utils import broadcast_object_list

        said = [None]
        if self.main:
            try:
                work()
            except UserError as error:
                said = [str(error)]
        if self.state.num_processes > 1:
            broadcast_object_list(said)
        if said[0] is not None:
            raise UserError(said[0])

    def _begin(self, data: Sequence[Path]) -> None:
        if self.output.is_file():
            raise UserError(f"{self.output} is a file, not a folder for a run")
        for path in data:
            if not path.is_file():
                raise UserError(f"{path} does not exist")
        told = {
            "format": FORMAT,
            "method": self.method,
            "state": "running",
            "model": self.model,
            "model_sha256": _model_digest(self.model),
            "config": dataclasses.asdict(self.config),
            "data": [_data(path) for path in data],
            "made_with": {**provenance(), **_versions("accelerate", "datasets", "peft")},
            "processes": self.state.num_processes,
            "device": self._device(),
        }
        if self._resume and (self.output / MANIFEST).is_file():
            self._check_same(self._read_record(), told)
        elif self.output.is_dir() and any(self.output.iterdir()):
            if self._resume:
                raise UserError(f"{self.output} holds no run to resume ({MANIFEST} is missing)")
            raise UserError(f"{self.output} is not empty: give --resume to continue its run, or another folder")
        else:
            self.output.mkdir(parents=True, exist_ok=True)
            self._write(told)

    def _device(self) -> str:
        import torch

        return torch.cuda.get_device_name() if self.gpu else "cpu"

    def _peak_memory(self) -> int | None:
        """Bytes that this process's tensors took on the GPU at most."""
        import torch

        return torch.cuda.max_memory_allocated() if self.gpu else None

    def _read_record(self) -> dict[str, Any]:
        path = self.output / MANIFEST
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is broken: {error}") from None

    def _check_same(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for name in ("method", "model", "model_sha256", "processes"):
            if old.get(name) != new[name]:
                raise UserError(f"{self.output} was begun with {name} {old.get(name)}, not {new[name]}")
        if [one["sha256"] for one in old["data"]] != [one["sha256"] for one in new["data"]]:
            raise UserError(f"{self.output} was begun with other data than {[one['path'] for one in new['data']]}")
        # A setting that is younger than the run has a default that does what was done before it.
        now = json.loads(json.dumps(new["config"]))
        for name, value in now.items():
            began = old["config"].get(name, getattr(type(self.config), name, None))
            if name not in _FREE and began != value:
                raise UserError(f"{self.output} was begun with {name} {began!r}, not {value!r}")

    def _write(self, told: Mapping[str, Any]) -> None:
        path = self.output / MANIFEST
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(json.dumps(told, indent=1, default=str) + "\n", encoding="utf-8")
        os.replace(temporary, path)

    @property
    def finished(self) -> bool:
        """Whether the run to be resumed had come to its end."""
        return self.told["state"] == "finished"

    def load_chat(self) -> Chat:
        """The model's tokenizer with the template in use, which is saved with the result."""
        chat = load_chat(self.model, self.config.chat_template)
        self.told["chat"] = {"template": chat.template, "sha256": chat.sha256, "end": chat.end}
        return chat

    def load_model(self, chat: Chat) -> Any:
        """The model; an adapter is trained on. Errors as those of `models.load_model`."""
        return load_model(self.model, self.config, chat, self.bfloat16)

    def arguments(self, kind: Any, **own: Any) -> Any:
        """TRL's configuration.

        Args:
            kind: Its class.
            **own: What the method sets.

        Raises:
            UserError: `trainer` of the recipe has an unknown name, one that we set, or a value that TRL refuses.
        """
        config = self.config
        given: dict[str, Any] = {
            "output_dir": str(self.output),
            "seed": config.seed,
            "learning_rate": config.learning_rate,
            "lr_scheduler_type": config.schedule,
            "warmup_steps": config.warmup,
            "weight_decay": config.weight_decay,
            "adam_beta2": config.beta2,
            "max_grad_norm": config.clip,
            "optim": config.optimizer,
            "per_device_train_batch_size": config.batch_size,
            "gradient_accumulation_steps": config.accumulate,
            "num_train_epochs": config.epochs,
            "max_steps": config.max_steps or -1,
            "save_steps": config.save_every,
            "save_total_limit": config.keep_checkpoints,
            "logging_steps": config.log_every,
            "bf16": self.bfloat16,
            "use_cpu": not self.gpu,
            "activation_checkpointing": config.checkpoint_activations,
            "report_to": "none",
            "disable_tqdm": True,
            "dataloader_pin_memory": self.gpu,
            "ddp_find_unused_parameters": False,
            **own,
        }
        known = [one.name for one in dataclasses.fields(kind)]
        for name in config.trainer:
            if name not in known:
                raise unknown(f"argument of {kind.__name__} in trainer", name, known)
            if name in given:
                raise UserError(f"trainer.{name} is set from the recipe's other keys")
        try:
            return kind(**given, **config.trainer)
        except (ValueError, TypeError, ImportError) as error:
            raise UserError(f"{kind.__name__} refuses the configuration: {error}") from None

    def train(
        self,
        trainer: Any,
        callbacks: Sequence[Any] = (),
        restore: Callable[[Path], None] | None = None,
        needs: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Trains to the end and saves the result.

        Args:
            trainer: One of TRL's.
            callbacks: The method's own, called before the log is written.
            restore: Takes the checkpoint that the run continues from.
            needs: Files of the method in a whole checkpoint.

        Returns:
            The log.

        Raises:
            UserError: Nothing could be learned; checkpoints are kept.
            KeyboardInterrupt: As it came; says how to go on.
        """
        from .callbacks import Progress, attach

        progress = Progress(self.output / LOG)
        attach(trainer, [*callbacks, progress])
        checkpoint = self.checkpoint(needs)
        if checkpoint and restore:
            restore(Path(checkpoint))
        self.write()
        try:
            trainer.train(resume_from_checkpoint=checkpoint)
        except (KeyboardInterrupt, UserError):
            progress.close()
            self.say_how_to_go_on(trainer.state.global_step, needs)
            raise
        finally:
            progress.close()
        trainer.save_model(str(self.output))
        if self.main:
            # TRL's frozen copy of an adapter that was trained on.
            shutil.rmtree(self.output / "ref", ignore_errors=True)
        self.finish(trainer.state.global_step)
        return trainer.state.log_history

    def write(self) -> None:
        """Writes the record down."""
        if self.main:
            self._write(self.told)

    def finish(self, steps: int) -> None:
        """Says in the record that the run is finished, and its result saved."""
        self.told |= {"state": "finished", "steps": steps, "peak_memory": self._peak_memory()}
        self.write()

    def checkpoint(self, needs: Sequence[str] = ()) -> str | None:
        """The checkpoint that a resumed run goes on from; None if there is none, or a new one begins."""
        return self._checkpoint(needs) if self._resume else None

    def _checkpoint(self, needs: Sequence[str]) -> str | None:
        """The newest whole checkpoint; a run that was killed can leave half of one."""
        names = ("trainer_state.json", *needs)
        whole = [path for path in self._checkpoints() if all((path / name).is_file() for name in names)]
        return str(whole[-1]) if whole else None

    def _checkpoints(self) -> list[Path]:
        """The folders of checkpoints, the oldest first."""
        return sorted(self.output.glob("checkpoint-*[0-9]"), key=lambda path: int(path.name.partition("-")[2]))

    def drop_old_checkpoints(self) -> None:
        """Removes all but the newest `keep_checkpoints`, in loops that have no trainer to do it."""
        for path in self._checkpoints()[: -self.config.keep_checkpoints]:
            shutil.rmtree(path)

    def say_how_to_go_on(self, step: int, needs: Sequence[str] = ()) -> None:
        """Tells on stderr what a run that was stopped leaves.

        Args:
            step: Where it was stopped.
            needs: Files of the method in a whole checkpoint.
        """
        if not self.main:
            return
        checkpoint = self._checkpoint(needs)
        kept = f"{checkpoint} is kept" if checkpoint else "there is no checkpoint yet, so it begins anew"
        print(f"\nstopped at step {step}; {kept}; to go on: {self._again}", file=sys.stderr)


def read_data(path: Path) -> list[dict[str, Any]]:
    """All records of a file.

    Raises:
        UserError: It cannot be read, or is empty.
    """
    records = list(read_records(path))
    if not records:
        raise UserError(f"{path} holds no records")
    return records


def _data(path: Path) -> dict[str, Any]:
    manifest = read_manifest(path)
    return {
        "path": str(path),
        "sha256": sha256_of(path),
        "games": manifest and sorted(manifest.get("games", {})),
        "not_for_evaluation": manifest and manifest.get("not_for_evaluation"),
    }


def _model_digest(model: str) -> str | None:
    folder = Path(model)
    if not folder.is_dir():
        return None
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    if sum(file.stat().st_size for file in files) > HASHED:
        return None
    import hashlib

    hashed = hashlib.sha256()
    for file in files:
        hashed.update(f"{file.name} {sha256_of(file)}\n".encode())
    return hashed.hexdigest()


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
