#!/usr/bin/env python3
"""Derive the word files of the game from WordNet 3.0.

Reads the database files of the Debian package ``wordnet-base`` and writes the files of ``data/`` except
``excluded.txt``, the hand-kept list (``word<TAB>reason``) of words that stand on no board. With ``--check`` nothing is
written: the files on disk are compared with what WordNet gives.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

NOUN_LEMMA = re.compile(r"[^_]+")
BOARD_WORD = re.compile(r"(?=.*[aeiouy])[a-z]{3,12}")
REASONS = ("sensitive", "unusual", "inflected", "category")
"""Why a word is excluded; `category`: from the categories alone, where another sense of it would stand."""
PHYSICAL, ABSTRACT = "physical_entity", "abstraction"
SIZES = {
    "common": 420,
    "frequency_high": 260,
    "frequency_low": 260,
    "ambiguous": 240,
    "unambiguous": 300,
    "concrete": 400,
    "abstract": 400,
}
CATEGORIES = """amphibian beverage bird body_part building cheese clothing color container crustacean cutlery dance
disease dog dwelling fabric fish flower footwear fruit furniture game.2 gem grain hat herb insect kinship
kitchen_utensil
measuring_instrument mammal metal military_officer mountain musical_instrument natural_depression nut pastry_dough
plant_part quadrilateral reptile road room sauce shape spice sport storm time_period tool toy tree vegetable vehicle
vessel weapon wind clergyman musician criminal relative artist scientist feeling writing waterway timepiece
stone_fruit polygon bag bed boat seat ship cloth_covering adornment jewelry lamp meat.1 dish.2 dessert bread"""
"""Lemmas of nouns whose first sense, or the one numbered, heads a category; those with too few familiar words are
left out."""

CATEGORY_WORDS = (6, 16)
FAMILIAR = 4
"""Times that WordNet itself uses a word in definitions and examples, from which on it counts as familiar."""


@dataclass
class Noun:
    """What WordNet says of a noun.

    Attributes:
        senses: Its synsets, the most frequent first.
        tagged: Uses as a noun in the tagged texts.
        elsewhere: Uses as a verb, adjective or adverb there.
        first: Uses in the most frequent sense.
        other_parts: Whether it is a verb, adjective or adverb as well.
        familiar: Uses in definitions and examples.
    """

    senses: list[str]
    tagged: int = 0
    elsewhere: int = 0
    first: int = 0
    other_parts: bool = False
    familiar: int = 0


@dataclass
class WordNet:
    """The noun part of the database.

    Attributes:
        nouns: Lemma -> what is known of it.
        parents: Synset -> hypernyms.
        names: Synset -> its words as they are spelt.
        exceptions: Irregular form -> its base forms.
        verbs: The lemmas of verbs.
    """

    nouns: dict[str, Noun] = field(default_factory=dict)
    parents: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    exceptions: dict[str, list[str]] = field(default_factory=dict)
    verbs: set[str] = field(default_factory=set)

    def ancestors(self, synset: str) -> set[str]:
        """A synset and everything above it."""
        found, todo = set(), [synset]
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo += self.parents[one]
        return found


def read_lines(path: Path) -> list[str]:
    """The lines of a database file without the licence at its top."""
    return [line for line in path.read_text(encoding="latin-1").splitlines() if not line.startswith("  ")]


def read_wordnet(folder: Path) -> WordNet:
    """Reads the database files of one folder."""
    net = WordNet()
    for line in read_lines(folder / "index.noun"):
        parts = line.split()
        count = int(parts[2])
        net.nouns[parts[0]] = Noun(senses=parts[-count:])
    for line in read_lines(folder / "data.noun"):
        parts = line.split("|")[0].split()
        words = int(parts[3], 16)
        net.names[parts[0]] = parts[4 : 4 + 2 * words : 2]
        rest = parts[5 + 2 * words :]
        net.parents[parts[0]] = [rest[i + 1] for i in range(0, len(rest) - 1) if rest[i] in ("@", "@i")]
    for line in read_lines(folder / "noun.exc"):
        form, *bases = line.split()
        net.exceptions[form] = bases
    for part in ("verb", "adj", "adv"):
        for line in read_lines(folder / f"index.{part}"):
            lemma = line.split()[0]
            if part == "verb":
                net.verbs.add(lemma)
            if noun := net.nouns.get(lemma):
                noun.other_parts = True
    for line in read_lines(folder / "cntlist.rev"):
        key, number, count = line.split()
        lemma, _, kind = key.partition("%")
        if noun := net.nouns.get(lemma):
            if kind[0] != "1":
                noun.elsewhere += int(count)
            else:
                noun.tagged += int(count)
                noun.first += int(count) * (number == "1")
    uses: Counter[str] = Counter()
    for part in ("noun", "verb", "adj", "adv"):
        for line in read_lines(folder / f"data.{part}"):
            uses.update(re.findall("[a-z]+", line.partition("|")[2].lower()))
    for lemma, noun in net.nouns.items():
        noun.familiar = uses[lemma]
    return net


def lemma_files(net: WordNet) -> dict[str, str]:
    """The files that tell noun lemmas; those of several words are left out, for a clue is one word."""
    lemmas = sorted(lemma for lemma in net.nouns if NOUN_LEMMA.fullmatch(lemma))
    irregular = sorted(form for form in net.exceptions if NOUN_LEMMA.fullmatch(form))
    return {
        "nouns.txt": "".join(f"{lemma}\n" for lemma in lemmas),
        "noun_exceptions.txt": "".join(f"{' '.join([form, *net.exceptions[form]])}\n" for form in irregular),
    }


def board_words(net: WordNet, excluded: Mapping[str, str]) -> dict[str, Noun]:
    """Nouns that may stand on a board: plain words, mainly nouns, no names, no inflected forms."""
    barred = {word for word, reason in excluded.items() if reason != "category"} | set(net.exceptions)
    return {
        lemma: noun
        for lemma, noun in net.nouns.items()
        if BOARD_WORD.fullmatch(lemma)
        and lemma not in barred
        and noun.tagged >= noun.elsewhere
        and not (lemma.endswith("s") and lemma[:-1] in net.nouns)
        and not (lemma.endswith("ing") and net.verbs & {lemma[:-3], lemma[:-4], lemma[:-3] + "e"})
        and all(lemma in net.names[synset] for synset in noun.senses)
    }


def top(words: dict[str, Noun], size: int, rank: Callable[[Noun], float], fits: Callable[[Noun], bool]) -> list[str]:
    """The words of highest rank, in alphabetical order."""
    chosen = sorted((word for word, noun in words.items() if fits(noun)), key=lambda word: (-rank(words[word]), word))
    return sorted(chosen[:size])


def word_lists(net: WordNet, words: dict[str, Noun]) -> dict[str, list[str]]:
    """The list of every kind of words."""

    def under(root: str, senses: slice) -> dict[str, Noun]:
        top_synset = next(s for s in net.nouns[root].senses if len(net.ancestors(s)) <= 3)
        return {
            word: noun
            for word, noun in words.items()
            if all(top_synset in net.ancestors(sense) for sense in noun.senses[senses])
        }

    every, first = slice(None), slice(1)
    abstract, physical = under(ABSTRACT, every), under(PHYSICAL, every)
    concrete = {word: noun for word, noun in physical.items() if word not in abstract}
    thoughts = {word: noun for word, noun in abstract.items() if word not in physical}
    rare = [word for word, noun in words.items() if noun.tagged == 1 and 1 <= noun.familiar <= 2]
    rare.sort(key=lambda word: Random(word).random())  # so that an exclusion changes no other word
    return {
        "common": top(under(PHYSICAL, first), SIZES["common"], lambda n: n.familiar, lambda n: n.tagged >= 3),
        "frequency_high": top(words, SIZES["frequency_high"], lambda n: n.tagged, lambda n: n.tagged > 2 * n.elsewhere),
        "frequency_low": sorted(rare[: SIZES["frequency_low"]]),
        "ambiguous": top(words, SIZES["ambiguous"], lambda n: len(n.senses), lambda n: n.familiar >= FAMILIAR),
        "unambiguous": top(
            words, SIZES["unambiguous"], lambda n: n.familiar, lambda n: len(n.senses) == 1 and not n.other_parts
        ),
        "concrete": top(concrete, SIZES["concrete"], lambda n: n.familiar, lambda n: not n.other_parts),
        "abstract": top(thoughts, SIZES["abstract"], lambda n: n.familiar, lambda n: not n.other_parts),
    }


def categories(net: WordNet, words: Mapping[str, Noun]) -> dict[str, list[str]]:
    """Category -> its most familiar words; a word belongs to the category whose name comes first in `CATEGORIES`."""
    least, most = CATEGORY_WORDS
    above = {word: net.ancestors(noun.senses[0]) for word, noun in words.items() if noun.familiar >= FAMILIAR}
    found: dict[str, list[str]] = {}
    taken: set[str] = set()
    for name in CATEGORIES.split():
        name, _, number = name.partition(".")
        head = net.nouns[name].senses[int(number or 1) - 1]
        inside = [word for word, synsets in above.items() if head in synsets and word != name and word not in taken]
        inside = sorted(inside, key=lambda word: (-words[word].familiar, word))[:most]
        if len(inside) >= least:
            found[name] = sorted(inside)
            taken.update(inside)
    return found


def read_excluded(path: Path) -> dict[str, str]:
    """Reads the exclusion list and checks that it is in order.

    Raises:
        ValueError: A bad line, or the list is unsorted.
    """
    rows = [line.split("\t") for line in path.read_text(encoding="ascii").splitlines()]
    if bad := [row for row in rows if len(row) != 2 or row[1] not in REASONS]:
        raise ValueError(f"{path.name}: bad lines: {bad}")
    found = [word for word, _ in rows]
    if found != sorted(set(found)):
        raise ValueError(f"{path.name}: not sorted, or a word occurs twice")
    return {word: reason for word, reason in rows}


def derive(wordnet: Path, data: Path) -> dict[str, str]:
    """The text of every derived file by its name."""
    net = read_wordnet(wordnet)
    excluded = read_excluded(data / "excluded.txt")
    words = board_words(net, excluded)
    files = lemma_files(net)
    for name, chosen in word_lists(net, words).items():
        files[f"{name}.txt"] = "".join(f"{word}\n" for word in chosen)
    found = categories(net, {word: noun for word, noun in words.items() if word not in excluded})
    files["categories.txt"] = "".join(f"{name}: {' '.join(inside)}\n" for name, inside in found.items())
    return files


def main(argv: list[str] | None = None) -> int:
    """Writes or checks the files; returns the exit status."""
    parser = argparse.ArgumentParser(description="Derive the word files of the game from WordNet 3.0.")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), metavar="DIR")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parent.parent / "data", metavar="DIR")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the files differ")
    args = parser.parse_args(argv)
    try:
        files = derive(args.wordnet, args.data)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    status = 0
    for name, text in files.items():
        path = args.data / name
        if not args.check:
            path.write_bytes(text.encode("ascii"))
            print(f"{name}: {text.count(chr(10))} lines")
        elif not path.is_file() or path.read_bytes() != text.encode("ascii"):
            print(f"{name}: differs")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
