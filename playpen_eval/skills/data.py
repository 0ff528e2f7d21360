"""Other people's data sets: local copies, the hub, and what to do when there is neither.

A local copy of the split S of the configuration C of the hub's data set OWNER/NAME is the file

    DIR/OWNER/NAME/C/S.jsonl    (or .parquet; the folder C is `default` for a data set without configurations)

with DIR from the environment variable PLAYPEN_DATA, which `--data DIR` sets. With it set nothing else is looked at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError, require
from playpen_eval.instances import read_jsonl

ENV = "PLAYPEN_DATA"
FORMATS = ("jsonl", "parquet")


@dataclass(frozen=True)
class DataSet:
    """A data set on the Hugging Face hub.

    Attributes:
        id: Its name there.
        splits: The splits that are read.
        columns: The columns that are read.
        configs: Its configurations; none if it has no named ones.
        revision: The revision that is read; None for the newest.
        licence: As the source says; None where no source was seen.
        source: Where id, columns and licence were read.
    """

    id: str
    splits: tuple[str, ...]
    columns: tuple[str, ...]
    configs: tuple[str, ...] = ()
    revision: str | None = None
    licence: str | None = None
    source: str = ""

    def parts(self) -> Iterator[tuple[str | None, str]]:
        """All pairs of configuration and split."""
        for config in self.configs or (None,):
            for split in self.splits:
                yield config, split


class MissingDataError(UserError):
    """A data set is neither in the local folder nor to be had from the hub."""

    def __init__(self, data: DataSet, why: str):
        self.data = data
        licence = data.licence or "not checked, see its page"
        super().__init__(
            f"data set {data.id!r} is missing ({why}); licence: {licence}; "
            f"get it with: playpen-eval skills fetch {data.id} --data DIR"
        )


def use_folder(folder: str | Path | None) -> None:
    """Reads local copies from a folder from now on, in worker processes, too; None changes nothing."""
    if folder:
        os.environ[ENV] = str(folder)


def data_folder() -> Path | None:
    """The folder of local copies.

    Raises:
        UserError: The named folder does not exist.
    """
    named = os.environ.get(ENV)
    if not named:
        return None
    folder = Path(named).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"data folder {named!r} does not exist (from --data or {ENV})")
    return folder


def local_file(data: DataSet, config: str | None, split: str, folder: Path) -> Path | None:
    """The local copy of one split, if there is one."""
    for ending in FORMATS:
        path = folder / data.id / (config or "default") / f"{split}.{ending}"
        if path.is_file():
            return path
    return None


def local_files(data: DataSet) -> dict[tuple[str | None, str], Path] | None:
    """The local copies of all parts; None without a data folder.

    Raises:
        MissingDataError: There is a folder, and some part is not in it.
        UserError: The parts are of different formats.
    """
    folder = data_folder()
    if folder is None:
        return None
    found = {}
    for config, split in data.parts():
        path = local_file(data, config, split, folder)
        if path is None:
            raise MissingDataError(data, f"no {config or 'default'}/{split}.jsonl or .parquet in {folder / data.id}")
        found[config, split] = path
    if len({path.suffix for path in found.values()}) > 1:
        raise UserError(f"{folder / data.id} holds .jsonl and .parquet; make all files of one data set of one kind")
    return found


def load_rows(data: DataSet, config: str | None, split: str) -> list[dict[str, Any]]:
    """The rows of one split, from the local copy or the hub (its cache, when offline).

    Raises:
        MissingDataError: It cannot be had.
        UserError: The copy is broken, or lacks a column.
    """
    folder = data_folder()
    if folder is None:
        rows = _from_hub(data, config, split)
        where = data.id
    else:
        path = local_file(data, config, split, folder)
        if path is None:
            raise MissingDataError(data, f"no {config or 'default'}/{split}.jsonl or .parquet in {folder / data.id}")
        rows, where = _read(path), str(path)
    _check_columns(data, where, rows)
    return rows


def check_available(data: DataSet) -> None:
    """Finds out whether a data set can be had.

    Raises:
        MissingDataError: It cannot.
        UserError: A local copy is broken, or lacks a column.
    """
    files = local_files(data)
    for path in (files or {}).values():
        _check_columns(data, str(path), _read(path))
    if files is None:
        datasets = require("datasets", "lm-eval")
        for config in data.configs or (None,):
            try:
                datasets.load_dataset_builder(data.id, config, revision=data.revision)
            except Exception as error:  # the hub client raises errors of many kinds; all mean the same here
                raise MissingDataError(data, _first_line(error)) from None


def fetch(data: DataSet, folder: Path) -> list[Path]:
    """Copies a data set from the hub into the layout above; files that are there already stay as they are.

    Returns:
        The files of all its parts.

    Raises:
        MissingDataError: The hub does not give it.
    """
    files = []
    for config, split in data.parts():
        path = local_file(data, config, split, folder)
        if path is None:
            path = folder / data.id / (config or "default") / f"{split}.jsonl"
            write_rows(path, _from_hub(data, config, split))
        files.append(path)
    return files


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes rows as JSON lines, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    os.replace(partial, path)


def _from_hub(data: DataSet, config: str | None, split: str) -> list[dict[str, Any]]:
    datasets = require("datasets", "lm-eval")
    try:
        return list(datasets.load_dataset(data.id, config, split=split, revision=data.revision))
    except Exception as error:  # as above
        raise MissingDataError(data, _first_line(error)) from None


def _read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return read_jsonl(path)
    parquet = require("pyarrow.parquet", "lm-eval")
    try:
        return parquet.read_table(path).to_pylist()
    except Exception as error:  # pyarrow has errors of its own for broken files
        raise UserError(f"cannot read {path}: {_first_line(error)}") from None


def _check_columns(data: DataSet, where: str, rows: list[Any]) -> None:
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{where} holds no rows")
    lacking = [column for column in data.columns if column not in rows[0]]
    if lacking:
        raise UserError(f"{where}: no column {', '.join(map(repr, lacking))}; there are {', '.join(rows[0])}")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
