"""Fixed subsets: the same share of every task, by a rule that anybody can repeat.

Of a task with n items those belong to the P% subset whose SHA-256 of `TASK/INDEX` is among the ceil(n x P / 100)
smallest. So ids depend on nothing but the task's name and size, and a smaller subset is part of every larger one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from playpen_eval.errors import UserError, require
from playpen_eval.skills.catalogue import benchmarks, find_benchmark

Z = 1.959963984540054
"""Of a 95% interval."""


def chosen(task: str, n: int, percent: float) -> list[int]:
    """The ids of one task's subset, in order.

    Args:
        task: The task's name in lm-evaluation-harness.
        n: Its number of items.
        percent: Size of the subset in percent, above 0 and at most 100.

    Raises:
        UserError: No such percentage.
    """
    if not 0 < percent <= 100:
        raise UserError(f"--percent must be above 0 and at most 100, not {percent:g}")
    ranked = sorted(range(n), key=lambda index: hashlib.sha256(f"{task}/{index}".encode()).digest())
    return sorted(ranked[: math.ceil(n * percent / 100)])


def subset(names: Sequence[str], percent: float) -> dict[str, list[int]]:
    """The subset of some benchmarks, or of all, as lm_eval's `--samples` takes it.

    Raises:
        UserError: Unknown benchmark, or its data are missing.
    """
    require("lm_eval", "lm-eval")
    from playpen_eval.lmeval.prepare import load_tasks

    picked = [find_benchmark(name) for name in names] or list(benchmarks().values())
    tasks = load_tasks([task for benchmark in picked for task in benchmark.tasks])
    return {name: chosen(name, len(task.eval_docs), percent) for name, task in tasks.items()}


def widths(found: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, float]]:
    """Benchmark -> items of a subset, and half of the widest 95% interval of its score, in points.

    The widest is that of a share of 50% right; where tasks repeat the same items, that of one task's size.
    """
    result = {}
    for benchmark in benchmarks().values():
        sizes = [len(found[task]) for task in benchmark.tasks if task in found]
        if not sizes:
            continue
        shares = [size / sum(sizes) if benchmark.weight == "size" else 1 / len(sizes) for size in sizes]
        errors = [share * math.sqrt(0.25 / size) for share, size in zip(shares, sizes, strict=True)]
        error = math.fsum(errors) if benchmark.repeated else math.hypot(*errors)
        result[benchmark.name] = (sum(sizes), 100 * Z * error / (1 - benchmark.chance))
    return result
