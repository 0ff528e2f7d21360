"""A data set that is being written, in a form that a killed process can go on with.

Beside FILE lie FILE.draft, whole chunks one after the other, and FILE.progress.json, which tells how far they are
valid. A chunk of JSON lines is text; one of Parquet is a small Parquet file, as what makes such a file readable is
written last.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from playpen_eval.errors import UserError, require

from ..rows import RowMeta
from .files import check_ending
from .journal import lock

_encode = json.JSONEncoder(allow_nan=False).encode
_ROWS = 10_000
"""Least rows of a row group, but for the last one."""


class Draft:
    """The two files; leaving the `with` block keeps them.

    Attributes:
        told: What the writer said of the chunks that are there; None if there are none.
    """

    def __init__(self, data: Path, identity: Mapping[str, Any], *, resume: bool):
        """Opens the draft of a data set.

        Args:
            data: The data set's file.
            identity: What is being made; JSON data.
            resume: Go on with what is there.

        Raises:
            UserError: There is a draft, and `resume` is not given or it is of something else; another process writes
                to it; the files cannot be written.
        """
        check_ending(data)
        self._data, self._path, self._state = data, _beside(data, "draft"), _beside(data, "progress.json")
        self._identity = json.loads(json.dumps(identity))
        self._ends: list[int] = []
        self._lines: list[str] = []
        self.told: dict[str, Any] | None = None
        begun = self._state.exists()
        if begun and not resume:
            raise UserError(f"{data} is begun; --resume goes on with it, or remove {self._state} to begin anew")
        try:
            data.parent.mkdir(parents=True, exist_ok=True)
            if begun and data.exists() and not self._path.exists():
                os.replace(data, self._path)  # killed between the last two steps
            self._file: IO[bytes] = self._path.open("a+b")
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error}") from None
        try:
            lock(self._file, data)
            if begun:
                self._go_on()
            self._file.truncate(self._ends[-1] if self._ends else 0)
        except BaseException:
            self._file.close()
            raise

    @staticmethod
    def of(data: Path) -> bool:
        """Whether a data set is begun and not finished."""
        return _beside(data, "progress.json").exists()

    def _go_on(self) -> None:
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            before, ends, told = state["identity"], state["ends"], state["told"]
            differing = sorted(n for n in {*before, *self._identity} if before.get(n) != self._identity.get(n))
            whole = os.fstat(self._file.fileno()).st_size >= ends[-1]
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise UserError(f"{self._state} is broken ({error!r}); remove it to begin anew") from None
        if differing:
            raise UserError(
                f"{self._data} was begun with another {', '.join(differing)}; give the same, choose another -o, or "
                f"remove {self._state} to begin anew"
            )
        if not whole:
            raise UserError(f"{self._path} is shorter than it was; remove {self._state} to begin anew")
        self._ends, self.told = ends, told

    def put(self, record: Mapping[str, Any]) -> None:
        """Adds a record to the chunk at hand."""
        self._lines.append(_encode(record) + "\n")

    def commit(self, told: Mapping[str, Any]) -> None:
        """Writes the chunk at hand through to the files.

        Args:
            told: What is to be known of all chunks up to this one; JSON data.

        Raises:
            UserError: The files cannot be written.
        """
        chunk = "".join(self._lines).encode()
        if self._data.suffix == ".parquet":
            chunk = _as_parquet(chunk)
        ends = [*self._ends, (self._ends[-1] if self._ends else 0) + len(chunk)]
        try:
            self._file.write(chunk)
            self._file.flush()
            temporary = _beside(self._state, "tmp")
            temporary.write_text(json.dumps({"identity": self._identity, "ends": ends, "told": told}), encoding="utf-8")
            os.replace(temporary, self._state)
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error}; --resume goes on where it was") from None
        self._ends, self._lines = ends, []

    def finish(self) -> None:
        """Makes the data set of the chunks; until `remove` a killed process still goes on.

        Raises:
            UserError: It cannot be written.
        """
        try:
            if self._data.suffix == ".parquet":
                temporary = _beside(self._data, "tmp")
                _join(self._path, self._ends, temporary)
                os.replace(temporary, self._data)
            else:
                os.replace(self._path, self._data)
        except OSError as error:
            raise UserError(f"cannot write {self._data}: {error}; --resume goes on where it was") from None

    def remove(self) -> None:
        """Removes the draft; the data set and its manifest are there."""
        self._state.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ends:
            self._path.unlink(missing_ok=True)
        self._file.close()


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}.{ending}")


def _schema(arrow: Any) -> Any:
    """The columns of whole chats, so that no chunk has to tell of what type a column is that it has no value of."""
    types = {"str": arrow.string(), "int": arrow.int64(), "float | None": arrow.float64()}
    message = arrow.struct([("role", arrow.string()), ("content", arrow.string())])
    return arrow.schema(
        [
            ("messages", arrow.list_(message)),
            ("learn", arrow.list_(arrow.int64())),
            ("turn_rewards", arrow.list_(arrow.float64())),
            ("reward", arrow.float64()),
            *((field.name, types[str(field.type)]) for field in dataclasses.fields(RowMeta)),
            ("content", arrow.string()),
            ("key", arrow.string()),
        ]
    )


def _as_parquet(lines: bytes) -> bytes:
    arrow, parquet = require("pyarrow", "train"), require("pyarrow.parquet", "train")
    reader = require("pyarrow.json", "train")
    parse = reader.ParseOptions(explicit_schema=_schema(arrow), unexpected_field_behavior="error")
    options = reader.ReadOptions(use_threads=False, block_size=len(lines) + 1)
    table = reader.read_json(arrow.BufferReader(lines), read_options=options, parse_options=parse)
    sink = arrow.BufferOutputStream()
    parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def _join(draft: Path, ends: Sequence[int], output: Path) -> None:
    """Makes one file of the small ones."""
    arrow, parquet = require("pyarrow", "train"), require("pyarrow.parquet", "train")
    with parquet.ParquetWriter(output, _schema(arrow)) as writer:
        for tables in _groups(draft, ends):
            table = arrow.concat_tables(tables)
            writer.write_table(table, row_group_size=table.num_rows)


def _groups(draft: Path, ends: Sequence[int]) -> Iterator[list[Any]]:
    arrow, parquet = require("pyarrow", "train"), require("pyarrow.parquet", "train")
    group = []
    with draft.open("rb") as file:
        for start, end in zip([0, *ends], ends):
            file.seek(start)
            group.append(parquet.read_table(arrow.BufferReader(file.read(end - start))))
            if sum(table.num_rows for table in group) >= _ROWS:
                yield group
                group = []
    if group:
        yield group
