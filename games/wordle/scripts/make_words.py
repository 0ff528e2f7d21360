#!/usr/bin/env python3
"""Derive the word lists of the game from SCOWL.

Reads the word lists of the Debian package ``scowl`` and writes two files:

* ``allowed.txt``: every word that a player may guess, one a line;
* ``targets.txt``: every word that may be the answer, ``word<TAB>level``.

The hand-kept list ``excluded.txt`` (``word<TAB>reason``) names the words that
would otherwise be targets and must not be. With ``--check`` nothing is
written: the files on disk are compared with what the lists give.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable
from pathlib import Path

WORD_LENGTH = 5
SIZES = (10, 20, 35, 40, 50, 55, 60, 70, 80)
TARGET_CLASSES = ("american", "english")
LEVEL_SIZES = {"high": (10, 20), "medium": (35,)}
BASE_SIZES = (10, 20, 35, 40, 50)
REASONS = ("inflected", "sensitive", "unusual")
# End like an inflected form of a listed word, but are words of their own.
NOT_INFLECTED = frozenset({"tweed"})

ALLOWED_NAME = "allowed.txt"
TARGETS_NAME = "targets.txt"
EXCLUDED_NAME = "excluded.txt"


def read_words(paths: Iterable[Path]) -> set[str]:
    """Read the plain lower-case words of some SCOWL lists.

    Args:
        paths: The lists, one word a line, encoded as latin-1.

    Returns:
        The words made of the letters a to z only.
    """
    words: set[str] = set()
    for path in paths:
        for word in path.read_text(encoding="latin-1").split():
            if word.isascii() and word.isalpha() and word.islower():
                words.add(word)
    return words


def class_paths(scowl: Path, sizes: Iterable[int]) -> list[Path]:
    """Name the lists that the targets come from.

    Args:
        scowl: The folder of the SCOWL lists.
        sizes: The SCOWL sizes wanted.

    Returns:
        The paths of the English and American lists of these sizes.
    """
    return [scowl / f"{name}-words.{size}" for name in TARGET_CLASSES for size in sizes]


def possible_bases(word: str) -> set[str]:
    """List what a word may be a plain inflected form of.

    Args:
        word: A word of at least four letters.

    Returns:
        The strings that give the word by adding a regular -s or -ed ending.
    """
    bases: set[str] = set()
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        bases.add(word[:-1])
        if word.endswith("es"):
            bases.add(word[:-2])
        if word.endswith("ies"):
            bases.add(word[:-3] + "y")
        if word.endswith("ves"):
            bases.update({word[:-3] + "f", word[:-3] + "fe"})
    if word.endswith("ed"):
        bases.update({word[:-1], word[:-2]})
        if word.endswith("ied"):
            bases.add(word[:-3] + "y")
        if word[-3] == word[-4]:
            bases.add(word[:-3])
    return {base for base in bases if len(base) > 1}


def derive_allowed(scowl: Path) -> list[str]:
    """Derive the words that a player may guess.

    Args:
        scowl: The folder of the SCOWL lists.

    Returns:
        The sorted words of the right length in every class of word list,
        spelling variants included.
    """
    paths = [path for size in SIZES for path in sorted(scowl.glob(f"*-words.{size}"))]
    return sorted(word for word in read_words(paths) if len(word) == WORD_LENGTH)


def derive_candidates(scowl: Path) -> dict[str, str]:
    """Derive the possible targets before the exclusion list is applied.

    Args:
        scowl: The folder of the SCOWL lists.

    Returns:
        The level of each word that is common enough and no plain inflection.
    """
    bases = read_words(class_paths(scowl, BASE_SIZES))
    candidates: dict[str, str] = {}
    for level, sizes in LEVEL_SIZES.items():
        for word in read_words(class_paths(scowl, sizes)):
            if len(word) != WORD_LENGTH or word in candidates:
                continue
            if word in NOT_INFLECTED or not possible_bases(word) & bases:
                candidates[word] = level
    return candidates


def read_excluded(path: Path, candidates: Iterable[str]) -> set[str]:
    """Read the exclusion list and check that it is in order.

    Args:
        path: The list, ``word<TAB>reason`` a line.
        candidates: The words that the list may name.

    Returns:
        The excluded words.

    Raises:
        ValueError: If the list is unsorted, repeats a word, gives an unknown
            reason or names a word that is no candidate.
    """
    rows = [line.split("\t") for line in path.read_text(encoding="ascii").splitlines()]
    for row in rows:
        if len(row) != 2 or row[1] not in REASONS:
            raise ValueError(f"{path.name}: bad line: {row}")
    words = [row[0] for row in rows]
    if words != sorted(set(words)):
        raise ValueError(f"{path.name}: not sorted, or a word occurs twice")
    unknown = set(words) - set(candidates)
    if unknown:
        raise ValueError(f"{path.name}: not among the candidates: {' '.join(sorted(unknown))}")
    return set(words)


def derive_files(scowl: Path, data: Path) -> dict[str, str]:
    """Derive the text of both word files.

    Args:
        scowl: The folder of the SCOWL lists.
        data: The folder that holds the exclusion list.

    Returns:
        The text of each file by its name.

    Raises:
        ValueError: If the exclusion list is not in order or a target is not
            an allowed guess.
    """
    allowed = derive_allowed(scowl)
    candidates = derive_candidates(scowl)
    excluded = read_excluded(data / EXCLUDED_NAME, candidates)
    targets = {word: level for word, level in candidates.items() if word not in excluded}
    missing = set(targets) - set(allowed)
    if missing:
        raise ValueError(f"targets that are not allowed: {' '.join(sorted(missing))}")
    return {
        ALLOWED_NAME: "".join(f"{word}\n" for word in allowed),
        TARGETS_NAME: "".join(f"{word}\t{level}\n" for word, level in sorted(targets.items())),
    }


def differences(path: Path, expected: str) -> list[str]:
    """Compare a file with the text it should hold.

    Args:
        path: The file.
        expected: The text it should hold.

    Returns:
        The lines of a unified diff, none if the file is as expected.
    """
    found = path.read_bytes().decode("latin-1") if path.exists() else ""
    if found == expected:
        return []
    return list(
        difflib.unified_diff(
            found.splitlines(keepends=True),
            expected.splitlines(keepends=True),
            fromfile=f"{path.name} (on disk)",
            tofile=f"{path.name} (derived)",
            n=0,
        )
    )


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    Args:
        argv: The arguments, those of the process if None.

    Returns:
        The parsed arguments.
    """
    parser = argparse.ArgumentParser(description="Derive the word lists of the game from SCOWL.")
    parser.add_argument(
        "--scowl",
        type=Path,
        default=Path("/usr/share/dict/scowl"),
        metavar="DIR",
        help="folder of the SCOWL lists (default: %(default)s)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(__file__).resolve().parent.parent / "data",
        metavar="DIR",
        help="folder of the word files (default: the data folder beside this one)",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the files differ")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Write or check the word files.

    Args:
        argv: The arguments, those of the process if None.

    Returns:
        The exit status: 0 if all is well, 1 if a check found differences,
        2 if the inputs cannot be used.
    """
    args = parse_args(argv)
    try:
        files = derive_files(args.scowl, args.data)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    status = 0
    for name, text in files.items():
        path = args.data / name
        if args.check:
            lines = differences(path, text)
            sys.stdout.writelines(lines)
            print(f"{name}: {'differs' if lines else 'as derived'}")
            status = 1 if lines else status
        else:
            path.write_bytes(text.encode("ascii"))
            print(f"{name}: {text.count(chr(10))} words")
    return status


if __name__ == "__main__":
    sys.exit(main())
