"""Draws the word list from the targets of the wordle game: as many words as LMRL-Gym's list has.

python games/lmrl_wordle/scripts/make_words.py
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from playpen_eval.game import read_texts, words_in

COUNT = 431
HOME = Path(__file__).resolve().parent.parent


def draw() -> list[str]:
    """Common targets that no prompt mentions, in the order of their hashes; the first ones, sorted."""
    said = words_in(read_texts(str(HOME / "game.py")))
    rows = (HOME.parent / "wordle" / "data" / "targets.txt").read_text(encoding="ascii").splitlines()
    common = [word for word, level in (row.split("\t") for row in rows) if level == "high" and word not in said]
    return sorted(sorted(common, key=lambda word: hashlib.sha256(word.encode()).digest())[:COUNT])


def main() -> None:
    """Writes the list."""
    (HOME / "data" / "words.txt").write_text("".join(f"{word}\n" for word in draw()), encoding="ascii")


if __name__ == "__main__":
    main()
