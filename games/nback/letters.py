"""Sequences of letters in which it is known how each letter relates to those before it."""

from __future__ import annotations

from random import Random

ALPHABET = "bcdfghjklnpqrstvwxyz"
"""Consonants, so that no words appear; without m, which is an answer."""

LENGTH, MATCHES, LURES = 24, 8, 6


def matches(letters: str, n: int) -> list[bool]:
    """Whether each letter is the same as the one n places before it."""
    return [index >= n and letter == letters[index - n] for index, letter in enumerate(letters)]


def draw(n: int, rng: Random) -> str:
    """A sequence with `MATCHES` matches and `LURES` lures; every other letter differs from the n + 1 before it.

    A lure is no match, but is the same as the letter one place nearer (half of them, if there is such a place) or
    farther than n: without lures, whoever answers "was it among the last few letters?" would do as well as one who
    knows the places.

    Args:
        n: The distance of a match.
        rng: Source of all randomness.
    """
    nearer = LURES // 2 if n > 1 else 0
    lures = [n - 1] * nearer + [n + 1] * (LURES - nearer)
    distances = [n] * MATCHES + lures + [0] * (LENGTH - n - MATCHES - LURES)
    while True:
        rng.shuffle(distances)
        letters = ""
        for distance in [0] * n + distances:
            choice = sorted(_choices(letters, n, distance))
            if not choice:  # a lure that would be a match, or that has nothing so far back
                break
            letters += rng.choice(choice)
        else:
            return letters


def _choices(letters: str, n: int, distance: int) -> set[str]:
    """What may come next if it shall be the same as the letter so far back; 0 for a letter that is new."""
    if distance == 0:
        return set(ALPHABET) - set(letters[-n - 1 :])
    if distance == n:
        return {letters[-n]}
    return set(letters[-distance:][:1] if distance <= len(letters) else "") - {letters[-n]}
