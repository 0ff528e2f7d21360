"""Scripted players. They know the cards, as people know a language, and talk through clues and guesses alone."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from playpen_eval.game import ScriptedPlayer, View

from .cards import BY_TARGET, CARDS
from .clues import forbidden_word, plain, stem

_WORDS = re.compile(r"[a-z]+")


def _stems(text: str) -> list[str]:
    return [stem(word) for word in _WORDS.findall(plain(text))]


@functools.cache
def _index() -> Mapping[str, list[tuple[str, float]]]:
    """Stem -> targets whose card mentions it, with the weight log(cards / cards that mention it)."""
    mentions: dict[str, set[str]] = defaultdict(set)
    for card in CARDS:
        for found in _stems(" ".join((card.target, *card.related, *card.hints))):
            mentions[found].add(card.target)
    return {
        found: [(target, math.log(len(CARDS) / len(targets))) for target in sorted(targets)]
        for found, targets in mentions.items()
    }


def best_words(clues: str) -> list[str]:
    """All targets in the order in which they fit what was said, best first; ties in alphabetical order."""
    weights: Counter[str] = Counter()
    for found in set(_stems(clues)):
        for target, weight in _index().get(found, ()):
            weights[target] += weight  # type: ignore[assignment] - Counter counts floats as well
    return sorted(BY_TARGET, key=lambda target: (-weights[target], target))


def describer(view: View) -> ScriptedPlayer:
    """Gives the clues of the card, best first, leaving out those that the instance forbids."""
    target, words = view["target"], [view["target"], *view["related"]]
    card = BY_TARGET.get(target)
    plain_clue = f"it has {len(target)} letters and begins with {target[0]}"
    hints = [hint for hint in (card.hints if card else ()) if not forbidden_word(hint, words)] or [plain_clue]

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        given = sum(message["role"] == "assistant" for message in messages)
        return f"CLUE: {hints[min(given, len(hints) - 1)]}"

    return reply


def guesser(_view: View) -> ScriptedPlayer:
    """Says the word that fits all clues so far best and was not yet tried."""

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        heard = " ".join(
            line.partition(":")[2]
            for message in messages
            if message["role"] == "user"
            for line in message["content"].splitlines()
            if line.startswith("CLUE:")
        )
        tried = {message["content"] for message in messages if message["role"] == "assistant"}
        return next(guess for word in best_words(heard) if (guess := f"GUESS: {word}") not in tried)

    return reply


def breaker(_view: View) -> ScriptedPlayer:
    """Ignores the form that was asked for."""
    return lambda messages: "Sorry, I would rather talk about the weather."
