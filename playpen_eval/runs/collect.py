"""What all readers share: checks on what goes into a run, and how different logs say the same thing."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from playpen_eval.players import SELF, scripted_style
from playpen_eval.runs.records import (
    DUPLICATE,
    EXAMPLES,
    INVALID,
    MISSING,
    PROBLEMS,
    EpisodeRecord,
    InstanceSource,
    ItemRecord,
    Locator,
    Problem,
    Run,
    RunMeta,
)

_CLEMBENCH = re.compile(r"clembench-[\d.]+")
_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".eval", ".json")


class Collector:
    """Takes episodes and items, and names what is wrong with them instead of taking it.

    Attributes:
        episodes: What was taken.
        items: What was taken.
        versions: Game -> version, as the episodes tell.
        instances: Game -> source; the first one told counts.
    """

    def __init__(self) -> None:
        self.episodes: list[EpisodeRecord] = []
        self.items: list[ItemRecord] = []
        self.versions: dict[str, int] = {}
        self.instances: dict[str, InstanceSource] = {}
        self._places: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}
        self._seen: set[tuple[Any, ...]] = set()

    def problem(self, kind: str, where: str) -> None:
        """Notes a problem."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        places = self._places.setdefault(kind, [])
        if len(places) < EXAMPLES:
            places.append(where)

    def episode(
        self,
        game: str,
        instance: str,
        epoch: int,
        kind: str,
        score: float | None,
        locator: Locator,
        *,
        partner_fault: bool = False,
        version: int | None = None,
        experiment: str | None = None,
        split: str | None = None,
        turns: int | None = None,
        roles: tuple[str, ...] | None = None,
        partner: str | None = None,
    ) -> None:
        """Takes one episode; what it does not say of its instance, the instance's id does."""
        where = f"{instance} (epoch {epoch})"
        if not _fits(kind, score):
            return self.problem(INVALID, f"{where}: {kind} with score {score}")
        key = (game, instance, roles, epoch)
        if key in self._seen:
            return self.problem(DUPLICATE, f"{where} in {locator.path}")
        self._seen.add(key)
        told_version, told_split, told_experiment = id_parts(instance)
        version = told_version if version is None else version
        if version is not None:
            self.versions.setdefault(game, version)
        self.episodes.append(
            EpisodeRecord(
                sys.intern(game),
                instance,
                epoch,
                version,
                sys.intern(experiment or told_experiment),
                sys.intern(split or told_split),
                sys.intern(kind),
                score,
                kind == "aborted" and not partner_fault,
                partner_fault,
                turns,
                roles,
                partner,
                locator,
            )
        )
        return None

    def item(self, benchmark: str, task: str, item: str, value: Any, epoch: int = 1) -> None:
        """Takes one item of a reference benchmark."""
        if not isinstance(value, int | float) or not math.isfinite(value):
            return self.problem(INVALID, f"{item} (epoch {epoch}): value {value}")
        key = (task, item, epoch)
        if key in self._seen:
            return self.problem(DUPLICATE, f"{item} (epoch {epoch})")
        self._seen.add(key)
        self.items.append(ItemRecord(sys.intern(benchmark), sys.intern(task), item, float(value), epoch))
        return None

    def missing(self, task: str, expected: int, found: int, names: Iterable[str] = ()) -> None:
        """Notes what is not there.

        Args:
            task: Of which task.
            expected: How many there should be.
            found: How many there are.
            names: Which ones are missing, if that is known.
        """
        names = list(names) or [f"{expected - found} of {expected} of {task}"] * (expected > found)
        for name in names:
            self.problem(MISSING, name)

    def run(self, meta: RunMeta) -> Run:
        """The finished run."""
        self._items_of_games()
        return Run(meta, self.episodes, self.items, self.problems())

    def problems(self) -> list[Problem]:
        """What was noted, in the order of `PROBLEMS`."""
        return [
            Problem(kind, self._counts[kind], tuple(self._places[kind])) for kind in PROBLEMS if kind in self._counts
        ]

    def partner(self) -> str | None:
        """Who took the other roles in the episodes."""
        return ", ".join(sorted({episode.partner for episode in self.episodes if episode.partner})) or None

    def _items_of_games(self) -> None:
        """A benchmark that is a game is measured wherever it is played; an aborted episode scores 0."""
        from playpen_eval.skills.catalogue import benchmarks

        games = {name: one.tasks[0] for name, one in benchmarks().items() if one.kind == "game"}
        for episode in self.episodes:
            if episode.game in games and not episode.partner_fault:
                self.item(episode.game, games[episode.game], episode.instance, episode.score or 0.0, episode.epoch)


def _fits(kind: str, score: Any) -> bool:
    """Whether an outcome has the score that it must have."""
    if kind == "aborted":
        return score is None
    if kind not in ("success", "lose") or not isinstance(score, int | float) or not math.isfinite(score):
        return False
    return score <= 1 and (score >= 0 or kind == "lose")


def id_parts(instance: str) -> tuple[int | None, str, str]:
    """Version, split and experiment out of an instance's id.

    Ids are `GAME/VERSION/SPLIT/EXPERIMENT/...` or `GAME/clembench-2.0/EXPERIMENT/GAME_ID`.
    """
    parts = instance.split("/")
    if len(parts) > 3 and _CLEMBENCH.fullmatch(parts[1]):
        return None, parts[1], "/".join(parts[2:-1])
    if len(parts) > 4 and parts[1].isdigit():
        return int(parts[1]), parts[2], "/".join(parts[3:-1])
    return None, "", "default"


def partner_name(spec: Any) -> str:
    """One name for what logs say of a partner, the same in every format."""
    if isinstance(spec, Mapping):
        arguments = spec.get("model_args") or {}
        return f"model:{arguments.get('pretrained') or arguments.get('model') or spec.get('model')}"
    text = str(spec)
    if text == SELF:
        return SELF
    style = scripted_style(text)
    return f"scripted:{style}" if style else f"model:{text}"


def partner_at_fault(outcome: Mapping[str, Any], roles: tuple[str, ...] | None) -> bool:
    """Whether somebody else than the learner broke the protocol; `roles` are the learner's beside a partner."""
    return outcome["faulty_role"] is not None and roles is not None and outcome["faulty_role"] not in roles


def precision(arguments: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Number format and quantization that arguments of a model ask for."""
    dtype = arguments.get("dtype") or arguments.get("torch_dtype")
    bits = [name.removeprefix("load_in_") for name in ("load_in_4bit", "load_in_8bit") if _is_true(arguments.get(name))]
    method = arguments.get("quantization") or arguments.get("quantization_config") or arguments.get("gguf_file")
    quantization = bits[0] if bits else None if method is None else str(method)
    return None if dtype is None else str(dtype).removeprefix("torch."), quantization


def label_of(path: Path) -> str:
    """The name of a path, without the ending of an archive or log."""
    name = path.resolve().name
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
