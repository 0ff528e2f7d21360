"""Items of a letter and a digit, what is right to say of them, and sequences of tasks."""

from __future__ import annotations

from random import Random

TASKS = {"L": "letter", "N": "number"}
ANSWERS = {"L": ("vowel", "consonant"), "N": ("even", "odd")}
LETTERS = ("aeiu", "gkmr")
DIGITS = ("2468", "3579")
EXAMPLE = "o1"
"""Shown in the instruction; its letter and digit are in no item."""

SWITCHES = REPEATS = 16


def right_answer(task: str, item: str) -> str:
    """What is right to say of an item under a task (`L` or `N`)."""
    kinds, sign = (LETTERS, item[0]) if task == "L" else (DIGITS, item[1])
    return ANSWERS[task][sign in kinds[1]]


def alternating(length: int, first: str) -> str:
    """Tasks in twos: `LLNNLL...` or `NNLLNN...`."""
    return "".join(first if index % 4 < 2 else other_task(first) for index in range(length))


def other_task(task: str) -> str:
    """The task that is not this one."""
    return "N" if task == "L" else "L"


def draw_tasks(cued: bool, rng: Random) -> str:
    """A first task, then as many switches as repetitions: in any order if cues tell them, else alternating in twos."""
    tasks = rng.choice("LN")
    if not cued:
        return alternating(1 + SWITCHES + REPEATS, tasks)
    changes = [True] * SWITCHES + [False] * REPEATS
    rng.shuffle(changes)
    for change in changes:
        tasks += other_task(tasks[-1]) if change else tasks[-1]
    return tasks


def draw_items(tasks: str, rng: Random) -> list[str]:
    """An item for each task; under each task both kinds of letter, and of digit, are equally frequent.

    No letter and no digit comes twice in a row.
    """
    kinds = [("", "")] * len(tasks)
    for task in "LN":
        places = [index for index, other in enumerate(tasks) if other == task]
        pairs = zip(_halves(LETTERS, len(places), rng), _halves(DIGITS, len(places), rng), strict=True)
        for place, pair in zip(places, pairs, strict=True):
            kinds[place] = pair
    items: list[str] = []
    for letters, digits in kinds:
        before = items[-1] if items else ""
        letter, digit = (rng.choice([sign for sign in signs if sign not in before]) for signs in (letters, digits))
        items.append(letter + digit)
    return items


def _halves(kinds: tuple[str, str], count: int, rng: Random) -> list[str]:
    """Two kinds in random order, equally often; of an odd number one of them, by chance, once more."""
    start = rng.randrange(2)
    drawn = [kinds[index % 2] for index in range(start, start + count)]
    rng.shuffle(drawn)
    return drawn
