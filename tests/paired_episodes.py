"""Paired episodes as tests of statistics write them: (before, after, stratum)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playpen_eval.statistics import Difference, paired_difference


def compare(episodes: Sequence[tuple[float | None, float | None, str]], *args: Any, **kwargs: Any) -> Difference:
    """The difference of two runs, by few resamples."""
    before, after, strata = zip(*episodes, strict=True)
    return paired_difference(before, after, strata, *args, draws=199, **kwargs)
