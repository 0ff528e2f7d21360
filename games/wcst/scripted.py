"""Scripted players. The best one follows which features can be the rule, from the chat alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

from playpen_eval.game import ScriptedPlayer, View

from .cards import match, matched_by, show

_CARDS = {show(card): card for features in (3, 4) for card in product(range(4), repeat=features)}


def tracker(view: View, read_answer: Callable[[str], int]) -> ScriptedPlayer:
    """Tries the features that are still possible, one after the other, and keeps to the one that is right.

    Args:
        view: Holds the reference cards.
        read_answer: Reads an own earlier reply.
    """
    references = view["references"]
    features = range(len(references[0]))

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        cards = [_CARDS[message["content"].rpartition(": ")[2]] for message in messages[::2]]
        possible = list(features)
        for card, said, heard in zip(cards, messages[1::2], messages[2::2], strict=False):
            tried = matched_by(card, references, read_answer(said["content"]))
            if tried is None:
                continue
            if heard["content"].startswith("Right"):
                possible = [tried]
            else:
                # Where the last possible feature is wrong, the rule has changed to one of the others.
                rest = [feature for feature in possible if feature != tried]
                possible = rest or [feature for feature in features if feature != tried]
        return str(match(cards[-1], references, possible[0]) + 1)

    return reply


def breaker(_view: View) -> ScriptedPlayer:
    """Asks back instead of sorting."""
    return lambda messages: "By colour or by shape?"
