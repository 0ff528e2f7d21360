"""Reads clembench results folders, old and new layout, from disk or straight out of a .tar.gz."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from playpen_eval.errors import UserError

_WANTED = {"instance.json", "interactions.json", "scores.json", "experiment.json", "results.csv"}


@dataclass(frozen=True)
class RecordedEpisode:
    """One episode as clembench recorded it.

    Attributes:
        path: Its folder within the recording, for messages to people.
        run: The folder of the model, which names the run.
        game: clembench's game name.
        experiment: The experiment object, without instances.
        instance: The instance object.
        interactions: The event log.
        scores: The scores; None if clembench wrote none.
    """

    path: str
    run: str
    game: str
    experiment: dict[str, Any]
    instance: dict[str, Any]
    interactions: dict[str, Any]
    scores: dict[str, Any] | None

    @property
    def clemcore(self) -> tuple[int, ...]:
        """Version of the framework that recorded it, such as (3, 2, 0)."""
        version = str(self.interactions.get("meta", {}).get("clem_version", ""))
        return tuple(int(part) for part in version.split(".") if part.isdigit())

    @property
    def version(self) -> str:
        """The clembench version whose rules it was played by: those of April 2026 came with clemcore 3.5."""
        return "2.0" if self.clemcore < (3, 5) else "3.0"

    def replies(self) -> Iterator[tuple[str, str, str]]:
        """What players said, in order: (player, what it had been told since its last reply, reply).

        Left out are players that are upstream's own code, and exchanges that are only in a player's history.
        """
        players = self.interactions.get("players", {})
        programs = {name for name, player in players.items() if player.get("model_name") == "programmatic"}
        heard: dict[str, list[str]] = {}
        for event in (event for turn in self.interactions["turns"] for event in turn):
            action, kind = event["action"], event["action"]["type"]
            if action.get("label") == "pseudo" or programs & {event["from"], event["to"]} - {"GM"}:
                continue
            if kind == "send message":
                heard.setdefault(event["to"], []).append(action["content"])
            elif kind == "get message":
                yield event["from"], "\n\n".join(heard.pop(event["from"], [])), action["content"]


@dataclass
class Recording:
    """All that could be read of one path.

    Attributes:
        episodes: The episodes.
        published: Run -> its row of results.csv (column -> text).
        errors: One message for each file that could not be used.
    """

    episodes: list[RecordedEpisode] = field(default_factory=list)
    published: dict[str, dict[str, str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def read_recording(path: Path) -> Recording:
    """Reads everything below a results folder, or inside a .tar.gz of one.

    Broken files are reported in `errors`; the rest is still read.

    Raises:
        UserError: The path does not exist or is neither a folder nor a .tar.gz.
    """
    recording = Recording()
    if path.is_dir():
        files = {
            str(PurePosixPath(file.relative_to(path))): file.read_bytes
            for file in sorted(path.rglob("*"))
            if file.name in _WANTED and file.is_file()
        }
    elif path.is_file() and path.name.endswith((".tar.gz", ".tgz", ".tar")):
        files = _read_tar(path, recording.errors)
    elif path.exists():
        raise UserError(f"{path} is neither a results folder nor a .tar.gz of one")
    else:
        raise UserError(f"{path} does not exist")
    _collect(path, files, recording)
    if not recording.episodes and not recording.errors:
        recording.errors.append(f"{path}: no recorded episodes (folders with an interactions.json)")
    return recording


def _read_tar(path: Path, errors: list[str]) -> dict[str, Callable[[], bytes]]:
    """The wanted files of an archive; of a truncated one, those before the break."""
    files: dict[str, Callable[[], bytes]] = {}
    opened = open if path.suffix == ".tar" else gzip.open
    try:
        with opened(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.isfile() and PurePosixPath(member.name).name in _WANTED:
                    handle = archive.extractfile(member)
                    assert handle is not None  # a regular file always has a handle
                    files[member.name.removeprefix("./")] = _constant(handle.read())
            while stream.read(1 << 16):  # to the end: only there a truncated archive is noticed for certain
                pass
    except Exception as error:  # tarfile lets errors of all kinds through on broken bytes
        why = str(error) or type(error).__name__
        errors.append(f"{path}: the archive is broken or truncated ({why}); {len(files)} files read")
    return files


def _constant(content: bytes) -> Callable[[], bytes]:
    return lambda: content


def _collect(root: Path, files: Mapping[str, Callable[[], bytes]], recording: Recording) -> None:
    def load(name: str) -> dict[str, Any] | None:
        try:
            data = json.loads(files[name]())
            if not isinstance(data, dict):
                raise ValueError("not a JSON object")
            return data
        except (OSError, ValueError, RecursionError) as error:
            recording.errors.append(f"{root}: {name}: {error}")
            return None

    experiments: dict[str, dict[str, Any] | None] = {}
    for name in files:
        path = PurePosixPath(name)
        if path.name == "results.csv":
            _read_results(f"{root}: {name}", path, files[name], recording)
        if path.name != "interactions.json":
            continue
        if len(path.parts) < 4:
            recording.errors.append(f"{root}: {name}: not in a folder MODEL/GAME/EXPERIMENT/EPISODE")
            continue
        folder, above = path.parent, str(path.parent.parent / "experiment.json")
        missing = [file for file in (str(folder / "instance.json"), above) if file not in files]
        if missing:
            recording.errors.append(f"{root}: {name}: there is no {' and no '.join(missing)}")
            continue
        if above not in experiments:
            experiments[above] = load(above)
        instance, interactions = load(str(folder / "instance.json")), load(name)
        scored = str(folder / "scores.json")
        scores = load(scored) if scored in files else None
        experiment = experiments[above]
        if instance is None or interactions is None or experiment is None or (scored in files and scores is None):
            continue
        run, game = str(folder.parent.parent.parent), folder.parent.parent.name
        recording.episodes.append(RecordedEpisode(str(folder), run, game, experiment, instance, interactions, scores))


def _read_results(label: str, path: PurePosixPath, read: Callable[[], bytes], recording: Recording) -> None:
    try:
        reader = csv.DictReader(io.StringIO(read().decode("utf-8")))
        if not {"", "-, clemscore"} <= set(reader.fieldnames or ()):
            raise ValueError("its header lacks the columns of models and clemscore")
        for row in reader:
            cells = {key: value for key, value in row.items() if key and isinstance(value, str)}
            recording.published[str(path.parent / row[""])] = cells
    except (OSError, ValueError, TypeError, csv.Error) as error:
        recording.errors.append(f"{label}: not a results.csv of clembench ({error})")
