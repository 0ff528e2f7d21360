"""The manifest beside a data set: what is inside, where it comes from, and what it must not be evaluated on."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from playpen_eval.errors import UserError
from playpen_eval.provenance import provenance

FORMAT = 1


def manifest_path(data: Path) -> Path:
    """The manifest of a data set."""
    return data.with_name(data.name + ".manifest.json")


class Tally:
    """Counts records as they pass."""

    def __init__(self) -> None:
        self.records = 0
        self._games: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(Counter))
        self._sets: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._splits: Counter[str] = Counter()

    def passing(self, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The records, unchanged."""
        for record in records:
            self.add(record)
            yield record

    def add(self, record: Mapping[str, Any]) -> None:
        """Counts one record; those of other kinds of data count as far as they have the columns."""
        self.records += 1
        game, sets = self._games[record["game"]], self._sets[record["game"]]
        for name in ("kind", "seat", "player"):
            game[name][str(record.get(name))] += 1
        for name in ("instance", "episode"):
            sets[name].add(str(record.get(name)))
        learn = record.get("learn") or record.get("chosen_learn") or record.get("turn_rewards") or ()
        game["turns"]["learned"] += len(learn)
        self._splits[str(record.get("split"))] += 1

    def games(self) -> dict[str, dict[str, Any]]:
        """The counts of each game."""
        return {
            name: {
                "records": sum(counts["kind"].values()),
                "episodes": len(self._sets[name]["episode"]),
                "instances": len(self._sets[name]["instance"]),
                "learned_turns": counts["turns"]["learned"],
                "kinds": dict(sorted(counts["kind"].items())),
                "seats": dict(sorted(counts["seat"].items())),
                "players": dict(counts["player"].most_common()),
            }
            for name, counts in sorted(self._games.items())
        }

    def splits(self) -> dict[str, int]:
        """Records by split."""
        return dict(sorted(self._splits.items()))


class Counted(Protocol):
    """What a manifest needs to know of the records."""

    records: int

    def games(self) -> dict[str, dict[str, Any]]:
        """The counts of each game."""
        ...

    def splits(self) -> dict[str, int]:
        """Records by split."""
        ...


def write_manifest(data: Path, tally: Counted, told: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the manifest of a finished data set and returns it.

    Args:
        data: The data set.
        tally: Has seen all its records.
        told: How it was made.
    """
    splits = tally.splits()
    manifest = {
        "format": FORMAT,
        "data": data.name,
        "sha256": sha256_of(data),
        "records": tally.records,
        "games": tally.games(),
        "splits": splits,
        # Whoever trains on recorded instances of clembench has seen what clembench's figures are measured on.
        "not_for_evaluation": sorted(splits.keys() - {"train"}),
        **told,
        "made_with": provenance(),
    }
    path = manifest_path(data)
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(json.dumps(manifest, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error}") from None
    return manifest


def read_manifest(data: Path) -> dict[str, Any] | None:
    """The manifest of a data set; None if there is none.

    Raises:
        UserError: It is broken.
    """
    path = manifest_path(data)
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(manifest, dict):
            raise ValueError("not a JSON object")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is broken: {error}") from None
    return manifest


def sha256_of(path: Path) -> str:
    """Digest of a file, or of all files in a folder with their names."""
    hashed: Any = hashlib.sha256()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            hashed.update(os.fsencode(file.relative_to(path)) + b"\0")
        with file.open("rb") as stream:
            while piece := stream.read(1 << 20):
                hashed.update(piece)
    return hashed.hexdigest()
