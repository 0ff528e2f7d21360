"""Records in files: JSON lines or Parquet, by the file's ending. Both load with `datasets`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError, require

ENDINGS = (".jsonl", ".parquet")
_CHUNK = 10_000
_encode = json.JSONEncoder(allow_nan=False).encode


def check_ending(path: Path) -> None:
    """Raises a `UserError` unless the path ends with one of `ENDINGS`."""
    if path.suffix not in ENDINGS:
        raise UserError(f"{path} is no name for a data set; it must end with {' or '.join(ENDINGS)}")


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> int:
    """Writes records as they come; the file appears when all are there.

    Args:
        path: A .jsonl or .parquet file, replaced if it exists.
        records: Dictionaries with the same keys.

    Returns:
        How many were written.

    Raises:
        UserError: The file cannot be written.
    """
    check_ending(path)
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = _write_lines(temporary, records) if path.suffix == ".jsonl" else _write_parquet(temporary, records)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def _write_lines(path: Path, records: Iterable[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(_encode(record) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, records: Iterable[dict[str, Any]]) -> int:
    arrow, parquet = require("pyarrow", "train"), require("pyarrow.parquet", "train")
    # All at once: a column may be empty in the first thousands of records, and a schema is not guessed from those.
    table = arrow.Table.from_pylist([_valid_text(record) for record in records])
    parquet.write_table(table, path)
    return table.num_rows


def _valid_text(value: Any) -> Any:
    """Halves of surrogate pairs, which JSON can escape and Arrow cannot, become question marks."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {name: _valid_text(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_valid_text(part) for part in value] if value and not isinstance(value[0], int | float) else list(value)
    return value


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Reads records one at a time.

    Raises:
        UserError: The file is missing, broken, or neither JSON lines nor Parquet.
    """
    check_ending(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    yield from _read_lines(path) if path.suffix == ".jsonl" else _read_parquet(path)


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise UserError(f"{path}:{number}: not JSON ({error})") from None
            if not isinstance(record, dict):
                raise UserError(f"{path}:{number}: not a JSON object")
            yield record


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    parquet, arrow = require("pyarrow.parquet", "train"), require("pyarrow", "train")
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_CHUNK):
                yield from batch.to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise UserError(f"cannot read {path}: {error}") from None


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of `size` items, the last one shorter."""
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch
