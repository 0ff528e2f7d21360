"""Draws the lists from the targets of the wordle game: as many words as LMRL-Gym's list has, and a short part of them.

python games/lmrl_wordle/scripts/make_words.py
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from playpen_eval.game import read_texts, words_in
from playpen_eval.instances import split_of

COUNT = 431
SHORT = {"train": 24, "validation": 4, "test": 4}
HOME = Path(__file__).resolve().parent.parent


def draw() -> list[str]:
    """Common targets that no prompt mentions, in the order of their hashes; the first ones."""
    said = words_in(read_texts(str(HOME / "game.py")))
    rows = (HOME.parent / "wordle" / "data" / "targets.txt").read_text(encoding="ascii").splitlines()
    common = [word for word, level in (row.split("\t") for row in rows) if level == "high" and word not in said]
    return sorted(common, key=lambda word: hashlib.sha256(word.encode()).digest())[:COUNT]


def shorten(words: list[str]) -> list[str]:
    """The first ones of each split."""
    return [word for split, count in SHORT.items() for word in [one for one in words if split_of(one) == split][:count]]


def main() -> None:
    """Writes the lists, sorted."""
    words = draw()
    for name, some in (("words", words), ("short", shorten(words))):
        (HOME / "data" / f"{name}.txt").write_text("".join(f"{word}\n" for word in sorted(some)), encoding="ascii")


if __name__ == "__main__":
    main()
