"""The words: which guesses exist, which words are targets, and the clues to them (sources and licences: CONTENT.md)."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from playpen_eval.game import read_texts, words_in

PROMPTS = read_texts(__file__)
_DATA = Path(__file__).parent / "data"

ALLOWED_LIST = (_DATA / "allowed.txt").read_text(encoding="ascii").split()
ALLOWED = frozenset(ALLOWED_LIST)
LEVELS = ("high", "medium")


def _targets() -> dict[str, list[str]]:
    """Targets by level, without the words that the prompts themselves mention."""
    by_level: dict[str, list[str]] = {level: [] for level in LEVELS}
    said = words_in(PROMPTS)
    for line in (_DATA / "targets.txt").read_text(encoding="ascii").splitlines():
        word, level = line.split("\t")
        if word not in said:
            by_level[level].append(word)
    return by_level


def _clues() -> dict[str, str]:
    rows = map(json.loads, (_DATA / "clues.jsonl").read_text(encoding="ascii").splitlines())
    return {row["word"]: row["clue"] for row in rows}


TARGETS = _targets()
CLUES = _clues()
WORD_BY_CLUE = {clue: word for word, clue in CLUES.items()}
CLUED = {level: [word for word in words if word in CLUES] for level, words in TARGETS.items()}


@functools.lru_cache(maxsize=64)
def word_set(words: str) -> frozenset[str]:
    """A blank-separated word list as a set."""
    return frozenset(words.split())
