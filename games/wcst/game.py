"""Wisconsin card sorting: rules and instances; README.md tells them in words."""

from __future__ import annotations

import re
from collections.abc import Generator
from random import Random

from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts

from . import scripted
from .cards import NUMBERS, draw_cards, draw_references, draw_rules, match, matched_by, show
from .sorting import RUN, Sorting

PROMPTS = read_texts(__file__)
FEATURES = {"standard": 3, "distractor": 4}
"""Experiment -> how many features its cards have."""

_AROUND = " \t\r\n\"'`*.!"
_LEAD = r"(?:answer:[\s*\"'`]*)?(?:the )?(?:reference )?(?:card:? ?)?(?:number |#)?"
_ANSWER = re.compile(rf"{_LEAD}(?:([1-4])|({'|'.join(NUMBERS)}))", re.I | re.A)


class CardSorting(Game):
    """Sort cards by a rule that nobody tells and that changes without notice, from right and wrong alone."""

    name = "wcst"
    version = 1
    suite = "skills"
    held_out = True
    roles = ("participant",)
    experiments = tuple(FEATURES)
    sizes = {"validation": 10, "test": 30}
    visible = {"participant": ("references",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """One card and one answer a turn; the next turn begins with whether it was right."""
        references = instance["references"]
        shown = "\n".join(f"{number}: {show(card)}" for number, card in enumerate(references, 1))
        text = PROMPTS["start"].format(references=shown) + "\n"
        sorting = Sorting(instance["rules"])
        for card in instance["cards"]:
            reply = yield Ask("participant", f"{text}\n{PROMPTS['trial'].format(card=show(card))}")
            right = sorting.answer(matched_by(card, references, read_answer(reply)))
            text = "Right." if right else "Wrong."
        return sorting.outcome(len(references[0]))

    def max_turns(self, instance: Instance) -> int:
        """One for each card."""
        return len(instance["cards"])

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Reference cards, a deck, and as many rules as categories can be completed with it."""
        references = draw_references(FEATURES[experiment], rng)
        cards = draw_cards(references, rng)
        return {"references": references, "cards": cards, "rules": draw_rules(len(cards) // RUN, rng)}

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A participant who follows which rules are possible, or one who asks back."""
        return scripted.breaker(view) if style == "breaker" else scripted.tracker(view, read_answer)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The right answers, as from one who knows the rules; every episode has the same length."""
        rules, references = instance["rules"], instance["references"]
        return [str(match(card, references, rules[index // RUN]) + 1) for index, card in enumerate(instance["cards"])]


def read_answer(reply: str) -> int:
    """The index of the reference card that a reply names.

    Raises:
        Abort: It names none.
    """
    said = _ANSWER.fullmatch(reply.strip(_AROUND))
    if said is None:
        raise Abort("participant", "the reply is not the number of a reference card, 1 to 4")
    return int(said[1]) - 1 if said[1] else NUMBERS.index(said[2].lower())
