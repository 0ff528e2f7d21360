"""Writes data/executive.jsonl; the same file on every run.

python tasks/lmeval/mini/scripts/executive.py
"""

import json
import random
from collections.abc import Callable
from pathlib import Path

# No A: the scoring drops articles. No I, L, O: they look like digits.
LETTERS = "BCDFGHJKMNPQRSTVWXZ"
VOWELS = "EU"
NUMBER = "Answer with the number only."
TOGETHER = "written together without blanks"
ORDINALS = ("", "directly before it", "two places before it", "three places before it")


def n_back(rng: random.Random, level: int) -> tuple[str, str]:
    """How many letters equal the one that came n places before."""
    back = 1 + level % 3
    while True:
        letters = [rng.choice(LETTERS)]
        while len(letters) < 9 + level:
            repeat = len(letters) >= back and rng.random() < 0.35
            letters.append(letters[-back] if repeat else rng.choice(LETTERS))
        count = sum(a == b for a, b in zip(letters, letters[back:]))
        if 2 <= count <= 5:
            break
    return (
        f"Letters are shown one after the other: {' '.join(letters)}. "
        f"How many times does a letter equal the letter {ORDINALS[back]}? {NUMBER}",
        str(count),
    )


def tally(rng: random.Random, level: int) -> tuple[str, str]:
    """Two counters, kept up to date at once."""
    counts = {"red": rng.randint(2, 9), "blue": rng.randint(2, 9)}
    text = f"A red box holds {counts['red']} beads and a blue box holds {counts['blue']} beads. "
    last = ""
    for _ in range(4 + level):
        kinds = ["add", "take", "move", "swap"]
        kind = rng.choice([kind for kind in kinds if kind != last])
        box, other = rng.sample(sorted(counts), 2)
        if kind != "add" and counts[box] < 2:
            kind = "add"
        beads = rng.randint(1, 6 if kind == "add" else min(5, counts[box] - 1) if kind != "swap" else 1)
        plural = f"{beads} bead{'s' * (beads > 1)}"
        if kind == "add":
            counts[box] += beads
            text += f"Put {plural} into the {box} box. "
        elif kind == "take":
            counts[box] -= beads
            text += f"Take {plural} out of the {box} box. "
        elif kind == "move":
            counts[box] -= beads
            counts[other] += beads
            text += f"Move {plural} from the {box} box to the {other} box. "
        else:
            counts["red"], counts["blue"] = counts["blue"], counts["red"]
            text += "Swap the beads of the two boxes. "
        last = kind
    box = rng.choice(sorted(counts))
    return f"{text}How many beads are in the {box} box now? {NUMBER}", str(counts[box])


def backward_span(rng: random.Random, level: int) -> tuple[str, str]:
    """Digits in reverse; at every other level among letters."""
    digits = rng.sample("123456789", 5 + level // 2)
    if level % 2 == 0:
        shown, what = digits, "these digits"
    else:
        shown, what = list(digits), "only the digits, not the letters,"
        for letter in rng.sample(LETTERS, 3 + level // 2):
            shown.insert(rng.randrange(len(shown) + 1), letter)
    return (
        f"Repeat {what} in reverse order: {' '.join(shown)}. Answer with the digits {TOGETHER}.",
        "".join(reversed(digits)),
    )


def rule_switch(rng: random.Random, level: int) -> tuple[str, str]:
    """Classify by letter or by number; a star switches between the two rules."""
    while True:
        shown, answer, by_letter = [], "", True
        for index in range(5 + level):
            if index and rng.random() < 0.4:
                shown.append("*")
                by_letter = not by_letter
            letter, digit = rng.choice(VOWELS + rng.choice(LETTERS) * 2), rng.choice("23456789")
            shown.append(letter + digit)
            first = letter in VOWELS if by_letter else digit in "2468"
            answer += "P" if first else "Q"
        if 2 <= shown.count("*") <= 4 and 1 < answer.count("P") < len(answer) - 1:
            break
    return (
        "Go through a list from left to right and write one letter for each pair. Letter rule: write P if the pair's "
        "letter is a vowel, Q if it is a consonant. Number rule: write P if the pair's number is even, Q if it is odd. "
        "Begin with the letter rule and change to the other rule at every star; write nothing for the star itself. "
        f"List: {' '.join(shown)}. Answer with your letters {TOGETHER}.",
        answer,
    )


KINDS: tuple[Callable[[random.Random, int], tuple[str, str]], ...] = (n_back, tally, backward_span, rule_switch)


def main() -> None:
    """Six items of each kind, harder ones later."""
    lines = []
    for index in range(24):
        kind, level = KINDS[index % len(KINDS)], index // len(KINDS)
        question, answer = kind(random.Random(f"playpen_mini/executive/1/{index}"), level)
        lines.append(json.dumps({"id": f"executive/{index + 1:02}", "question": question, "answer": answer}) + "\n")
    target = Path(__file__).resolve().parents[1] / "data" / "executive.jsonl"
    target.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
