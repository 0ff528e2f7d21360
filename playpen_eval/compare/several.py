"""More than two runs: every pair of them, and the course of a training run's checkpoints."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from playpen_eval.compare.comparison import Comparison, pair_up
from playpen_eval.errors import UserError
from playpen_eval.report.summary import Summary, select, summarise_run
from playpen_eval.runs import Run, read_run

_STEP = re.compile(r"(?:checkpoint|step|iter|epoch)s?[-_=]?(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Several:
    """Several runs of the same instances.

    Attributes:
        labels: A name for each run, all different.
        comparisons: (i, j) with i < j -> comparison of run i (before) with run j (after).
        steps: Training step of each run if all of them tell one (`checkpoint-200`), else None.
    """

    labels: tuple[str, ...]
    comparisons: Mapping[tuple[int, int], Comparison]
    steps: tuple[int, ...] | None

    @property
    def summaries(self) -> list[Summary]:
        """The figures of each run."""
        first = [self.comparisons[0, index].after for index in range(1, len(self.labels))]
        return [self.comparisons[0, 1].before, *first]

    def level(self, index: int, subject: str) -> float:
        """The score of one run, on what it shares with the first one (the first: with the second one)."""
        return (
            self.comparisons[0, 1].difference(subject).before
            if not index
            else (self.comparisons[0, index].difference(subject).after)
        )

    @property
    def subjects(self) -> dict[str, str]:
        """What every pair of runs has a difference of; see `Comparison.subjects`."""
        [first, *others] = self.comparisons.values()
        return {name: kind for name, kind in first.subjects.items() if all(name in other.subjects for other in others)}


def compare_several(
    runs: Sequence[Run | str | Path],
    *,
    allow: Collection[str] = (),
    splits: Sequence[str] = (),
    games: Sequence[str] = (),
) -> Several:
    """Compares every pair of several runs; see `compare`.

    Args:
        runs: At least two; the order is that of tables. Checkpoints of one training are sorted by step.
        allow: As for `compare`.
        splits: As for `compare`.
        games: As for `compare`.

    Raises:
        UserError: There are too few, or two of them are not to be compared.
    """
    if len(runs) < 2:
        raise UserError(f"{len(runs)} run to compare; name at least two")
    read = [run if isinstance(run, Run) else read_run(run) for run in runs]
    steps = _steps(read)
    if steps is not None:
        order = sorted(range(len(read)), key=steps.__getitem__)
        read, steps = [read[index] for index in order], tuple(steps[index] for index in order)
    chosen = [select(run, splits=splits, games=games) for run in read]
    summaries: dict[int, Summary] = {}

    def summarised(run: Run) -> Summary:
        """Each run is in several pairs; its intervals take seconds."""
        if id(run) not in summaries:
            summaries[id(run)] = summarise_run(run)
        return summaries[id(run)]

    pairs = itertools.combinations(range(len(chosen)), 2)
    comparisons = {(i, j): pair_up(chosen[i], chosen[j], allow, summarised) for i, j in pairs}
    return Several(_labels(read), comparisons, steps)


def _steps(runs: Sequence[Run]) -> tuple[int, ...] | None:
    """The training steps that paths or models name; None unless all do, and differ."""
    found = []
    for run in runs:
        texts = [run.meta.label, run.meta.path, run.meta.model or ""]
        matches = [match for text in texts if (match := _STEP.search(text))]
        if not matches:
            return None
        found.append(int(matches[0][1]))
    return tuple(found) if len(set(found)) == len(found) else None


def _labels(runs: Sequence[Run]) -> tuple[str, ...]:
    """File names; whole paths where those are the same, and numbers where even these are."""
    names = [run.meta.label for run in runs]
    if len(set(names)) < len(names):
        names = [run.meta.path for run in runs]
    return tuple(name if names.count(name) == 1 else f"{name} #{index}" for index, name in enumerate(names, 1))
