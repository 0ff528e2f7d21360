"""Folders of `playpen-eval run`: run.json and episodes.jsonl."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError
from playpen_eval.runs.collect import Collector, label_of, partner_at_fault, partner_name
from playpen_eval.runs.records import TRUNCATED, UNREADABLE, InstanceSource, Locator, Run, RunMeta

FORMAT = "playpen-eval"


def read_own(root: Path) -> Run:
    """Reads a folder of `playpen-eval run`.

    Raises:
        UserError: The manifest is broken.
    """
    try:
        manifest = json.loads((root / "run.json").read_text(encoding="utf-8"))
        games = manifest["games"]
        found = Collector()
        for name, game in games.items():
            found.instances[name] = InstanceSource(game["instances"], game["sha256"])
            found.versions[name] = int(game["version"])
        partner = partner_name(manifest["partner"])
        model = str(manifest["model"])
        wanted = {name: int(n) for name, n in (manifest.get("wanted") or {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{root / 'run.json'} is broken ({type(error).__name__}: {error})") from None
    path = root / "episodes.jsonl"
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                _read_line(line, f"{path}:{number}", Locator(FORMAT, str(path), offset), games, partner, found)
            offset += len(line)
    played = Counter(episode.game for episode in found.episodes)
    for name, n in wanted.items():
        found.missing(name, n, played[name])
    packages = dict(manifest.get("made_with") or {})
    commit = packages.pop("commit", None)
    return found.run(
        RunMeta(
            label=label_of(root),
            path=str(root),
            format=FORMAT,
            model=model,
            instances=found.instances,
            partner=partner,
            dtype=manifest.get("dtype"),
            quantization=manifest.get("quantization"),
            generation={name: manifest[name] for name in ("temperature", "max_tokens") if name in manifest},
            versions=found.versions,
            packages=packages,
            commit=commit,
        )
    )


def _read_line(
    line: bytes, where: str, locator: Locator, games: Mapping[str, Any], partner: str, found: Collector
) -> None:
    try:
        row = json.loads(line)
        outcome, game, roles = row["outcome"], row["game"], None
        told = games[game]
        if partner != "self":
            roles = tuple(told["learner_roles"])
        found.episode(
            game,
            row["id"],
            1,
            outcome["kind"],
            outcome["score"],
            locator,
            partner_fault=partner_at_fault(outcome, roles),
            version=int(told["version"]),
            experiment=row["experiment"],
            turns=len(row["replies"]),
            roles=roles,
            partner=partner,
        )
    except (ValueError, KeyError, TypeError) as error:
        # A killed process leaves half a line at the end; continuing the run mends it.
        kind = UNREADABLE if line.endswith(b"\n") else TRUNCATED
        found.problem(kind, f"{where}: {type(error).__name__}: {error}")
