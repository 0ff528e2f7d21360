"""The cards: target, level, six related words, four clues (content and licence: CONTENT.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from playpen_eval.game import read_texts, words_in

PROMPTS = read_texts(__file__)


class Card(NamedTuple):
    """One word to describe.

    Attributes:
        target: The word.
        level: How frequent it is: high, medium or low.
        related: Words that a describer would reach for first; an instance forbids three of them.
        hints: Clues that use none of these words, the best one first.
    """

    target: str
    level: str
    related: tuple[str, ...]
    hints: tuple[str, ...]


def _read() -> list[Card]:
    with (Path(__file__).parent / "cards.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Card(row["target"], row["level"], tuple(row["related"]), tuple(row["hints"])) for row in rows]


CARDS = _read()
BY_TARGET = {card.target: card for card in CARDS}
_SAID = words_in(PROMPTS)
BY_LEVEL = {
    level: [card for card in CARDS if card.level == level and card.target not in _SAID]
    for level in ("high", "medium", "low")
}
"""The cards to play; a target that the prompts themselves mention is only known, not asked for."""
