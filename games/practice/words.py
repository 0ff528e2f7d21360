"""The words of the practice games, and how they are drawn and read."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from playpen_eval.game import Abort

KINDS = {
    "colour": ("black", "blue", "brown", "gold", "green", "grey", "pink", "red", "white", "yellow"),
    "thing": ("bag", "ball", "bell", "book", "coat", "cup", "drum", "hat", "key", "lamp"),
    "animal": ("bear", "bird", "cat", "cow", "dog", "fox", "frog", "goat", "hare", "horse"),
    "place": ("beach", "farm", "field", "hill", "house", "lake", "park", "road", "town", "wood"),
    "food": ("beans", "bread", "cake", "corn", "eggs", "fish", "milk", "pie", "rice", "soup"),
    "time": ("dawn", "dusk", "evening", "friday", "midnight", "monday", "morning", "night", "noon", "today"),
}
"""Kind -> its words; no word is of two kinds."""

COLOURS, THINGS = KINDS["colour"], KINDS["thing"]
Item = list[str]
"""Two words: a kind and a word of it, or a colour and a thing."""

_AROUND = " \t\r\n\"'`*.!?"


def draw_items(count: int, rng: Random) -> list[Item]:
    """Different kinds, each with a word of it."""
    return [[kind, rng.choice(KINDS[kind])] for kind in rng.sample(list(KINDS), count)]


def draw_lookalikes(rng: Random) -> tuple[list[Item], int]:
    """Three names in three colours each: no item differs from the others in how it is like them.

    Returns:
        The nine items in random order, and the index of any one of them.
    """
    colours, things = rng.sample(COLOURS, 3), rng.sample(THINGS, 3)
    items = [[colour, thing] for colour in colours for thing in things]
    rng.shuffle(items)
    return items, rng.randrange(len(items))


def show(items: Iterable[Item]) -> str:
    """Items as players read them."""
    return ", ".join(" ".join(item) for item in items)


def read(role: str, reply: str, tag: str, count: int = 1) -> list[str]:
    """The words of a reply, in lower case.

    Args:
        role: Who replied.
        reply: The reply.
        tag: What it has to begin with, in any case.
        count: How many words have to follow.

    Raises:
        Abort: The reply has another form.
    """
    text = reply.strip()
    words = text[len(tag) :].lower().strip(_AROUND).split()
    if text[: len(tag)].upper() != tag or len(words) != count:
        raise Abort(role, f"the reply is not {tag} and {count} word{'s' * (count > 1)}")
    return words
