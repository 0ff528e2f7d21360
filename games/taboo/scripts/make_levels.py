"""Derive the level of every card from the SCOWL size class of its target.

SCOWL sorts English words into size classes: the smaller the class, the more
common the word. A target in class 10 is ``high``, one in class 20 (and not in
10) is ``medium``, and one in class 35 or 40 (and in no smaller one) is ``low``.
The lists ``english-words.N`` and ``american-words.N`` are read together.

Usage:
    python make_levels.py                 # write the levels back
    python make_levels.py --check         # verify only
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

LEVEL_OF_SIZE: dict[int, str] = {10: "high", 20: "medium", 35: "low", 40: "low"}
LIST_NAMES: tuple[str, ...] = ("english-words", "american-words")
DEFAULT_CARDS = Path(__file__).resolve().parent.parent / "cards.jsonl"
DEFAULT_SCOWL = Path("/usr/share/dict/scowl")


def read_levels(scowl: Path) -> dict[str, str]:
    """Read the word lists and map each word to its level.

    Args:
        scowl: Folder that holds the SCOWL lists (Latin-1, one word a line).

    Returns:
        The level of every word in the size classes used.
    """
    levels: dict[str, str] = {}
    for size in sorted(LEVEL_OF_SIZE):
        for name in LIST_NAMES:
            text = (scowl / f"{name}.{size}").read_text(encoding="latin-1")
            for word in text.split():
                levels.setdefault(word, LEVEL_OF_SIZE[size])
    return levels


def read_cards(path: Path) -> list[dict]:
    """Read the cards, one JSON object a line.

    Args:
        path: The cards file.

    Returns:
        The cards in file order.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def find_offenders(cards: list[dict], levels: dict[str, str]) -> list[str]:
    """List the cards whose level does not agree with the word lists.

    Args:
        cards: The cards.
        levels: The level of every known word.

    Returns:
        One message for each offending card.
    """
    messages: list[str] = []
    for number, card in enumerate(cards, start=1):
        target = card["target"]
        expected = levels.get(target)
        if expected is None:
            messages.append(f"line {number}: {target}: in no size class used")
        elif card.get("level") != expected:
            found = card.get("level")
            messages.append(f"line {number}: {target}: {found}, should be {expected}")
    return messages


def write_levels(path: Path, cards: list[dict], levels: dict[str, str]) -> None:
    """Set the level of each card and write the file back.

    Args:
        path: The cards file.
        cards: The cards; every target must have a level.
        levels: The level of every known word.
    """
    lines = []
    for card in cards:
        rest = {k: v for k, v in card.items() if k not in ("target", "level")}
        record = {"target": card["target"], "level": levels[card["target"]], **rest}
        lines.append(json.dumps(record) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program name; those of the process if None.

    Returns:
        The exit status: 1 if a card is wrong or has no level, 2 if a file
        cannot be read, otherwise 0.
    """
    parser = argparse.ArgumentParser(
        description="Derive the level of every card from SCOWL size classes.",
    )
    parser.add_argument(
        "--scowl",
        type=Path,
        default=DEFAULT_SCOWL,
        metavar="DIR",
        help="folder with the SCOWL lists (default: %(default)s)",
    )
    parser.add_argument(
        "--cards",
        type=Path,
        default=DEFAULT_CARDS,
        metavar="FILE",
        help="the cards (default: cards.jsonl one folder up)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; exit 1 and list the cards that disagree",
    )
    args = parser.parse_args(argv)

    try:
        levels = read_levels(args.scowl)
        cards = read_cards(args.cards)
    except OSError as error:
        print(f"cannot read {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    offenders = find_offenders(cards, levels)
    if args.check:
        for message in offenders:
            print(message)
        return 1 if offenders else 0

    unknown = [c["target"] for c in cards if c["target"] not in levels]
    if unknown:
        for target in unknown:
            print(f"{target}: in no size class used")
        return 1
    write_levels(args.cards, cards, levels)
    print(f"{len(cards)} cards, {len(offenders)} levels changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
