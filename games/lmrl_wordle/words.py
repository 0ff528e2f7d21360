"""The list: hidden words and guesses that count (CONTENT.md)."""

from __future__ import annotations

from pathlib import Path

WORDS = tuple((Path(__file__).parent / "data" / "words.txt").read_text(encoding="ascii").split())
KNOWN = frozenset(WORDS)
