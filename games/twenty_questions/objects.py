"""The objects, what is true of them, and the oracle that answers by it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .reading import key, plain, plain_words, plural

_DATA = Path(__file__).parent / "data"
_SIZES = {"egg": 1, "shoebox": 2, "person": 3, "car": 4}
"""Size from which on an object is bigger than this."""
_REFERENCES = _SIZES | {
    "shoe box": 2,
    "breadbox": 2,
    "bread box": 2,
    "human": 3,
    "man": 3,
    "fist": 1,
    "hand": 1,
    "house": 5,
}


class Item(NamedTuple):
    """An object: its name, other names that count, its category, its size (0 to 4) and what is true of it."""

    name: str
    variants: tuple[str, ...]
    category: str
    size: int
    attributes: frozenset[str]


class Attribute(NamedTuple):
    """Something that is true of an object or not: words that mean it, and questions that ask for it."""

    name: str
    keywords: tuple[str, ...]
    questions: tuple[str, ...]


def _lines(name: str) -> list[str]:
    lines = (_DATA / name).read_text(encoding="ascii").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _read_attributes() -> dict[str, Attribute]:
    found = {}
    for line in _lines("attributes.txt"):
        name, _, rest = line.partition(":")
        keywords, _, questions = rest.partition("|")
        parts = (part.strip() for part in keywords.split(","))
        found[name] = Attribute(name, tuple(parts), tuple(part.strip() for part in questions.split(" / ")))
    return found


def _read_objects() -> dict[str, Item]:
    found: dict[str, Item] = {}
    category, common = "", frozenset[str]()
    for line in _lines("objects.txt"):
        if line.startswith("["):
            category, _, rest = line[1:].partition("]")
            common = frozenset((category, *rest.split()))
            continue
        names, _, rest = line.partition(":")
        name, *variants = names.split("/")
        size, *own = rest.split()
        gone = {part[1:] for part in own if part.startswith("-")}
        true = (common | {part for part in own if not part.startswith("-")}) - gone
        found[name] = Item(name, tuple(variants), category, int(size), true)
    return found


def _read_kinds() -> dict[str, int]:
    """Words -> the objects of which they are true; see the file."""
    found: dict[str, int] = {}
    for line in _lines("kinds.txt"):
        words, _, rest = line.partition("|")
        others = rest.split()[:1] == ["not"]
        parts = filter(None, (part.strip() for part in rest.strip().removeprefix("not").split(",")))
        true = 0
        for part in parts:
            true |= _TRUE[part[1:]] if part.startswith("@") else BIT[part]
        found |= {plain_words(word).strip(): _ALL & ~true if others else true for word in words.split(",")}
    return found


ATTRIBUTES: Mapping[str, Attribute] = _read_attributes()
OBJECTS: Mapping[str, Item] = _read_objects()
NAMES: Sequence[str] = tuple(OBJECTS)
BIT: Mapping[str, int] = {name: 1 << place for place, name in enumerate(NAMES)}
"""Object -> its bit in a set of objects; sets of objects are integers."""

_ALL = sum(BIT.values())
_TRUE = {name: sum(BIT[o.name] for o in OBJECTS.values() if name in o.attributes) for name in ATTRIBUTES}
_SMALL = sum(BIT[o.name] for o in OBJECTS.values() if o.size < _SIZES["shoebox"])
_BIG = sum(BIT[o.name] for o in OBJECTS.values() if o.size >= _SIZES["person"])
_IN_HAND = tuple(
    f"{verb} in {hand} hand"
    for verb in ("hold", "hold it", "held", "fit", "fits", "fit it")
    for hand in ("one", "your", "a")
)
_MEANT = {" ".join(plain_words(word).split()): _TRUE[a.name] for a in ATTRIBUTES.values() for word in a.keywords}
_MEANT |= dict.fromkeys(("small", "little", "tiny", *_IN_HAND), _SMALL) | dict.fromkeys(("big", "large", "huge"), _BIG)
_MEANT |= _read_kinds()
_MEANT |= {plural(word): true for word, true in _MEANT.items() if plural(word) not in _MEANT}
_KEYWORD = re.compile(rf"(?<= )(?:{'|'.join(sorted(map(re.escape, _MEANT), key=len, reverse=True))})(?= )")
_NOT = re.compile(r" (?:not|never|without|non|other than) ")
_COMPARED = re.compile(
    r" (bigger|larger|taller|longer|heavier|smaller|shorter|lighter) than (?:(?:an?|the|your|my) )?(.+) $"
)

_LESS = ("smaller", "shorter", "lighter")

_BY_KEY = {
    key(form): item.name
    for item in OBJECTS.values()
    for name in (item.name, *item.variants)
    for form in (name, plural(name))
}
_THING = r"(?:object|thing|item|answer|word)"
_NAMED = re.compile(
    r"(?:(?:is|are|was|were|could|can|would|might|may|will|isnt)(?: not)?"
    rf" (?:(?:the|your) {_THING} (?:that )?(?:you are|youre) thinking of|you thinking of|you thinking about"
    rf"|it|this|that|they|these|those|(?:the|your|my)(?: secret| hidden| mystery)? {_THING})"
    r"|do you mean|are you)"
    r"(?: (?:be|possibly|perhaps|maybe|just|simply|actually|really|probably|called|named|known as))*"
    r" (?P<article>(?:an?|the|some|your|one) )?"
    r"(?:(?:type|kind|sort|piece|pair|set|form) of )?(?:(?:an?|the|some) )?"
    r"(?:(?:simple|normal|regular|ordinary|common|typical|plain) )?"
    r"(?P<name>.+?)(?: by any chance| perhaps| maybe| then| please)?"
)


@functools.lru_cache(maxsize=16384)
def named(question: str) -> str | None:
    """The object that a question names as what is asked for; None for any other question, or for several objects."""
    found = _NAMED.fullmatch(plain_words(question).strip())
    if found is None:
        return None
    name = _BY_KEY.get(key(found["name"]))
    # "Is it orange?" asks for a colour.
    return None if name in ATTRIBUTES and not found["article"] else name


@functools.lru_cache(maxsize=16384)
def true_of(question: str) -> int:
    """The objects of which the oracle says yes to a question.

    Several attributes in one question have to hold together, or one of them where it says "or". Where no keyword is
    found the answer is no.
    """
    name = named(question)
    if name is not None:
        return BIT[name]
    words = plain_words(question)
    compared = _COMPARED.search(words)
    if compared and (true := _compare(compared[1] in _LESS, compared[2])) is not None:
        return true
    found = [_MEANT[match] for match in _KEYWORD.findall(words)]
    if not found:
        return 0
    result = found[0]
    for true in found[1:]:
        result = result | true if " or " in words else result & true
    return _ALL & ~result if _NOT.search(words) else result


def _compare(smaller: bool, other: str) -> int | None:
    """The objects that are smaller or bigger than another thing; None if its size is not known."""
    size = _REFERENCES.get(other)
    if size is not None:
        return sum(BIT[o.name] for o in OBJECTS.values() if (o.size < size) == smaller)
    name = _BY_KEY.get(key(other))
    if name is None:
        return None
    size = OBJECTS[name].size
    return sum(BIT[o.name] for o in OBJECTS.values() if (o.size < size if smaller else o.size > size))


def answer(name: str, question: str) -> str:
    """What the scripted oracle says."""
    return "Yes." if true_of(question) & BIT[name] else "No."


def ask_for(name: str) -> str:
    """The question that names an object."""
    if name in ("trousers", "scissors", "pliers", "headphones"):
        return f"Is it a pair of {name}?"
    if name in ("corn", "garlic", "broccoli"):
        return f"Is it {name}?"
    article = "the" if name == "sun" else "an" if plain(name)[0] in "aeiou" else "a"
    return f"Is it {article} {name}?"


QUESTIONS: Sequence[str] = (
    *(f"Is it bigger than {'an' if name == 'egg' else 'a'} {name}?" for name in _SIZES),
    *(question for attribute in ATTRIBUTES.values() for question in attribute.questions),
)
"""What scripted guessers ask: two ways to ask for each attribute, and four sizes."""
