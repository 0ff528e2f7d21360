"""Loading and scoring of the mini suite; its task files name what is here."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset


def load(capability: str, **_others: Any) -> dict[str, Dataset]:
    """Loads the items of a capability as the harness's documents.

    Args:
        capability: Name of a file in `data`.
        **_others: The harness passes all metadata, the model's arguments included.
    """
    from datasets import Dataset

    lines = _file(f"{capability}.jsonl").read_text(encoding="utf-8").splitlines()
    return {"test": Dataset.from_list([json.loads(line) for line in lines])}


def normalise(text: str) -> str:
    """Lower case, without punctuation, articles and needless blanks."""
    text = re.sub(r"[^\w\s]|_", "", text.lower())
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Whether the reply is the answer."""
    return {"exact_match": float(normalise(results[0]) == normalise(doc["answer"]))}


def _file(name: str) -> Path:
    # The task files are read from a copy that `playpen-eval tasks-dir` makes, the items from where they lie.
    folders = [
        Path(parent) / "lmeval" / "mini" / "data" for parent in importlib.import_module("playpen_eval.tasks").__path__
    ]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"no {name} in {', '.join(map(str, folders))}; reinstall playpen-eval")
