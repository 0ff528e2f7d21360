"""What the players of a wordle are told and how their replies are read: our rules, and clembench's two versions."""

from __future__ import annotations

import functools
import re
import string
from typing import NamedTuple

from playpen_eval.game import Abort, Instance

from .feedback import show
from .words import ALLOWED, PROMPTS, word_set

_AROUND = string.whitespace + string.punctuation
NO_TWO_LINES = "the reply is not an explanation: line followed by one {tag} line"


class Said(NamedTuple):
    """A reply that was understood: its explanation and its word (a guess, or yes / no)."""

    explanation: str
    word: str


_BEFORE_FEEDBACK, _, _AFTER_FEEDBACK = PROMPTS["feedback"].partition("{feedback}")


@functools.cache
def _after_feedback(left: int) -> str:
    return _AFTER_FEEDBACK.format(left=left)


@functools.cache
def _how_to_play(variant: str, rounds: int, retries: int) -> str:
    text = PROMPTS["guesser"].format(rounds=rounds, retries=retries)
    return text if variant == "plain" else f"{text}\n{PROMPTS[variant]}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


class Rules:
    """Our own rules. An instance has target, rounds, retries and, in the clue variants, a clue."""

    words = ALLOWED
    answers = ("yes", "no")

    def __init__(self, instance: Instance, variant: str):
        self.instance = instance
        self.variant = variant

    def opening(self) -> str:
        """The guesser's first message."""
        rules = _how_to_play(self.variant, self.instance["rounds"], self.instance["retries"])
        if self.variant == "plain":
            return f"{rules}\n\n{PROMPTS['begin']}"
        return f"{rules}\n\n{PROMPTS['clue'].format(**self.instance)}\n\n{PROMPTS['begin']}"

    def unknown(self) -> str:
        """After a word that is not in the dictionary."""
        return PROMPTS["unknown"]

    def feedback(self, guess: str, marks: str, left: int) -> str:
        """After a guess that counted."""
        return f"{_BEFORE_FEEDBACK}{show(guess, marks)}{_after_feedback(left)}"

    def to_critic(self, round_: int, proposal: Said) -> str:
        """What the critic is asked."""
        text = PROMPTS["proposal"].format(
            clue=self.instance["clue"], explanation=_one_line(proposal.explanation), guess=proposal.word
        )
        return f"{PROMPTS['critic']}\n\n{text}" if round_ == 1 else text

    def judgement(self, judgement: Said) -> str:
        """What the guesser is told of the critic's answer."""
        return PROMPTS["judgement"].format(
            clue=self.instance["clue"], agreement=judgement.word, explanation=_one_line(judgement.explanation)
        )

    def read(self, role: str, reply: str, tag: str) -> Said:
        """Explanation and word of a reply.

        Args:
            role: Who said it.
            reply: The reply.
            tag: `guess:` or `agreement:`.

        Raises:
            Abort: The reply does not have the form.
        """
        explanation, _, rest = reply.strip().partition("\n")
        tagged = [line for line in map(str.lstrip, rest.split("\n")) if line[: len(tag)].lower() == tag]
        if explanation[:12].lower() != "explanation:" or len(tagged) != 1:
            raise Abort(role, NO_TWO_LINES.format(tag=tag))
        return Said(explanation[12:], tagged[0][len(tag) :].strip(_AROUND).lower())

    def is_word(self, word: str) -> bool:
        """Whether a reply's word consists of letters only."""
        return word.isascii() and word.isalpha()


class ClembenchRules(Rules):
    """clembench's rules to the letter (clembench of July 2025), its texts from its own files."""

    def __init__(self, instance: Instance, variant: str):
        super().__init__(instance, variant)
        self.words = word_set(instance["words"])
        self.texts = instance["texts"]
        self.answers = tuple(self.texts["agreement_match_keywords_lang"])

    def _form(self, tag: str, what: str) -> str:
        texts = self.texts
        explanation = f"{texts['explanation_lang']} {texts['explanataion_details_lang']}"
        return f"{texts['error_prompt_text']['INVALID_FORMAT']}\n{explanation}\n{texts[tag]} {texts[what]}"

    def _guess_form(self) -> str:
        return self._form("guess_lang", "guess_word_lang")

    def opening(self) -> str:
        prompt = self.instance["prompts"]["guesser"]
        if self.variant == "plain":
            return prompt
        return f"{prompt}\n\n{self.texts['clue_lang']} {self.instance['clue']}"

    def unknown(self) -> str:
        errors = self.texts["error_prompt_text"]
        return f"{errors['NOT_VALID_WORD_FOR_GAME']} {errors['RETRY']}\n\n{self._guess_form()}"

    def feedback(self, guess: str, marks: str, left: int) -> str:
        return f"{self.texts['guess_feedback_lang']} {show(guess, marks)}\n\n{self._guess_form()}"

    def to_critic(self, round_: int, proposal: Said) -> str:
        texts = self.texts
        text = (
            f"{texts['clue_lang']} {self.instance['clue']}\n"
            f"{texts['explanation_lang']} {proposal.explanation}\n{texts['guess_lang']} {proposal.word}"
        )
        if round_ == 1:
            return f"{self.instance['prompts']['critic']}\n\n{text}"
        return f"{text}\n\n{self._form('agreement_lang', 'agreement_word_lang')}"

    def judgement(self, judgement: Said) -> str:
        texts = self.texts
        return (
            f"{texts['clue_lang']} {self.instance['clue']}\n{texts['guess_agreement_lang']} {judgement.word}\n"
            f"{texts['agreement_explanation_lang']} {judgement.explanation}\n\n{self._guess_form()}"
        )

    def read(self, role: str, reply: str, tag: str) -> Said:
        text = reply.strip()
        head = self.texts["explanation_lang"]
        if self.instance["rules"] == "clembench-2.0":
            well_formed = reply.startswith(head) and text.count("\n") <= 1
            searched = text
        else:
            well_formed = reply.lower().startswith(head.lower())
            searched = text.partition("\n")[2]
        found = re.findall(re.escape(tag) + "([^\n]*)", searched, re.IGNORECASE)
        if not well_formed or len(found) != 1:
            raise Abort(role, NO_TWO_LINES.format(tag=tag))
        return Said(text.partition("\n")[0][len(head) :].strip(), found[0].strip().lower())

    def is_word(self, word: str) -> bool:
        return word.isalpha()
