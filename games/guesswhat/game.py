"""Guess what: rules, scoring and instances; README.md tells them in words."""

from __future__ import annotations

import string
from collections.abc import Generator, Mapping
from random import Random
from typing import Any, NamedTuple

from playpen_eval.clembench import checked_pattern, compiled
from playpen_eval.errors import UserError
from playpen_eval.game import Ask, Game, Instance, Outcome, ScriptedPlayer, View

from . import questions, scripted
from .content import LEVELS, PROMPTS, draw_candidates

QUESTION, ANSWER, GUESS = "QUESTION:", "ANSWER:", "GUESS:"
TURNS = 8

_SEARCHED = ("letter_based", "length_question", "syllable_question")
_MATCHED = ("direct_guess", "pos_question")
"""clembench's patterns for forbidden questions: found anywhere, and at the beginning only."""

_AROUND = string.punctuation + string.whitespace
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class GuessWhat(Game):
    """The guesser finds out by yes/no questions which of eight words the answerer was told."""

    name = "guesswhat"
    version = 1
    suite = "playpen"
    held_out = True
    roles = ("guesser", "answerer")
    learner = "guesser"
    experiments = tuple(LEVELS)
    sizes = {"validation": 4, "test": 12}
    visible = {"guesser": ("candidates", "turns"), "answerer": ("target",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A turn is a question and its answer, or the one guess that ends the game."""
        rules = _ClembenchRules(instance) if "rules" in instance else _Rules(instance)
        answer = ""
        turns = instance["turns"]
        for turn in range(turns):
            try:
                said = rules.read_guesser((yield Ask("guesser", rules.tell_guesser(turn, answer))))
                if said.guess is not None:
                    if said.guess == instance["target"].lower():
                        score = rules.speed(turn + 1)
                        return Outcome.success(score, "the word was found", **rules.numbers(turn, score=score))
                    return Outcome.lose(reason="the guess is wrong", **rules.numbers(turn))
                if turn < turns - 1 or rules.answers_last:
                    answer = rules.read_answer((yield Ask("answerer", rules.tell_answerer(turn, said.shown))))
            except _Violation as violation:
                numbers = rules.numbers(turn, violation=violation)
                return Outcome.aborted(violation.role, violation.reason, **numbers)
        return Outcome.lose(reason="there was no guess", **rules.numbers(turns - 1))

    def max_turns(self, instance: Instance) -> int:
        """A question and an answer in every turn."""
        return 2 * instance["turns"]

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Words of one level, one of them the target."""
        candidates = draw_candidates(LEVELS[experiment], rng)
        return {"target": rng.choice(candidates), "candidates": candidates, "turns": TURNS}

    def key(self, instance: Instance) -> str:
        """Splits share no target."""
        return instance["target"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """Players that find the word by halving the list."""
        if style == "breaker":
            return scripted.breaker(view)
        return scripted.guesser(view) if role == "guesser" else scripted.answerer(view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The guess, after as many questions as are allowed if it is to be the last turn."""
        asked = [f"{QUESTION} Is it nice?", f"{ANSWER} no"] * (last * (instance["turns"] - 1))
        return [*asked, f"{GUESS} {instance['target']}"]

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """Both versions have the same rules; all texts come with the experiment.

        Raises:
            UserError: The data have other tags than every known version, or a pattern that cannot be used.
        """
        tags = tuple(experiment[f"{name}_tag"] for name in ("question", "answer", "guess"))
        if tags != (QUESTION, ANSWER, GUESS):
            raise UserError(f"experiment {experiment['name']!r} has unknown tags {tags!r}")
        patterns = {name: f"{name}_pattern" for name in _SEARCHED + _MATCHED}
        return {
            "target": instance["target_word"],
            "candidates": list(instance["candidate_list"]),
            "turns": experiment["max_turns"],
            "answers": list(experiment["answer_variations"]),
            "patterns": {name: checked_pattern(experiment.get(key), key) for name, key in patterns.items()},
            "prompts": {role: experiment[f"{role}_initial_prompt"] for role in self.roles},
        }


class _Violation(Exception):
    """A reply that ends the episode; `kind` is clembench's: invalid format or invalid content."""

    def __init__(self, role: str, reason: str, kind: str = "format"):
        super().__init__(role, reason, kind)
        self.role, self.reason, self.kind = role, reason, kind


class _Said(NamedTuple):
    """What the guesser did: a guessed word in lower case, or a question as the answerer is shown it."""

    guess: str | None = None
    shown: str = ""


class _Rules:
    """Our own rules: one line after a tag in any case, no question about how the word is written."""

    answers_last = False  # there is no turn left in which the answer could be of use

    def __init__(self, instance: Instance):
        self.instance = instance
        self.turns: int = instance["turns"]

    @property
    def free_turns(self) -> int:
        """Turns that a player needs who halves the candidates with each question."""
        return (len(self.instance["candidates"]) - 1).bit_length() + 1

    def speed(self, turns: int) -> float:
        return min(1.0, (self.turns + 1 - turns) / (self.turns + 1 - self.free_turns))

    def tell_guesser(self, turn: int, answer: str) -> str:
        left = self.turns - 1 - turn
        if turn == 0:
            candidates = ", ".join(self.instance["candidates"])
            return PROMPTS["guesser"].format(
                candidates=candidates, turns=self.turns, questions=left, free=self.free_turns
            )
        return PROMPTS["answered" if left else "last"].format(answer=answer, questions=left)

    def tell_answerer(self, turn: int, question: str) -> str:
        if turn:
            return question
        return f"{self.answerer_prompt()}\n\n{question}"

    def answerer_prompt(self) -> str:
        return PROMPTS["answerer"].format(target=self.instance["target"])

    def read_guesser(self, reply: str) -> _Said:
        text = reply.strip()
        if text[: len(GUESS)].upper() == GUESS:
            return _Said(guess=self._read_guess(text[len(GUESS) :]))
        if text[: len(QUESTION)].upper() == QUESTION:
            return _Said(shown=f"{QUESTION} {self._read_question(text[len(QUESTION) :])}")
        raise _Violation("guesser", "the reply begins neither with QUESTION: nor with GUESS:")

    def _read_guess(self, text: str) -> str:
        words = text.split()
        if words and words[0].lower() in ("a", "an", "the"):
            del words[0]
        if len(words) != 1:
            raise _Violation("guesser", "the guess is not a single word")
        return words[0].strip(_AROUND).lower()

    def _read_question(self, text: str) -> str:
        if len(text) > questions.MAX_LENGTH:
            raise _Violation("guesser", f"the question is longer than {questions.MAX_LENGTH} characters")
        lines = text.strip().splitlines()
        if len(lines) != 1:
            raise _Violation("guesser", "the question is not a single line")
        line = " ".join(lines[0].split())
        question, _, rest = questions.normal(line).partition("?")
        question = question.rstrip(" .!")
        if not question.strip(_AROUND):
            raise _Violation("guesser", "nothing is asked")
        if rest.strip(_AROUND):
            raise _Violation("guesser", "the reply goes on after its question mark")
        if any(tag.lower() in question for tag in (QUESTION, ANSWER, GUESS)):
            raise _Violation("guesser", "the reply has a second tag")
        if form := questions.asked_form(question):
            raise _Violation("guesser", f"the question is about {form}", "content")
        if word := questions.asked_word(question, self.instance["candidates"]):
            raise _Violation("guesser", f"the question asks for the single word {word!r}", "content")
        return line

    def read_answer(self, reply: str) -> str:
        """The answer as the guesser is told it."""
        text = reply.strip()
        answer = text[len(ANSWER) :].strip().rstrip(" .!").lower()
        if text[: len(ANSWER)].upper() != ANSWER or answer not in ("yes", "no"):
            raise _Violation("answerer", "the reply is neither ANSWER: yes nor ANSWER: no")
        return answer

    def numbers(
        self, last_turn: int, *, score: float | None = None, violation: _Violation | None = None
    ) -> dict[str, Any]:
        """clembench's counts, which are of turns rather than of replies; `score` is that of a success."""
        rounds = {
            str(turn): {
                "request_count": 1,
                "violated_request_count": int(turn == last_turn and violation is not None),
                "parsed_request_count": int(turn < last_turn or violation is None),
                "accuracy": int(turn == last_turn and score is not None),
            }
            for turn in range(last_turn + 1)
        }
        requests, violated = last_turn + 1, int(violation is not None)
        metrics: dict[str, float] = {
            "request_count": requests,
            "violated_request_count": violated,
            "parsed_request_count": requests - violated,
            "request_success_ratio": (requests - violated) / requests,
        }
        for kind in ("format", "content"):
            for role in GuessWhat.roles:
                hit = violation is not None and (violation.kind, violation.role) == (kind, role)
                metrics[f"invalid_{kind}_{role}_response"] = int(hit)
        if score is not None:
            metrics["speed"] = 100 * score
        return {"rounds": rounds, "metrics": metrics}


class _ClembenchRules(_Rules):
    """clembench's rules, kept to the letter; replies are relayed raw."""

    answers_last = True

    def speed(self, turns: int) -> float:
        """One bound for every level, since upstream's test of the level never holds."""
        return 1.0 if turns <= 5 else (self.turns - turns) / (self.turns - 5)

    def tell_guesser(self, turn: int, answer: str) -> str:
        if turn:
            return answer
        prompt = self.instance["prompts"]["guesser"].replace("$LIST$", str(self.instance["candidates"]))
        return prompt.replace("$N$", str(self.turns - 1))

    def answerer_prompt(self) -> str:
        return self.instance["prompts"]["answerer"].replace("$TARGET WORD$", self.instance["target"])

    def read_guesser(self, reply: str) -> _Said:
        if reply.startswith(GUESS):
            # Punctuation goes after the strip, so that a blank before it stays and makes the guess wrong.
            guess = reply[len(GUESS) :].strip().lower().translate(_NO_PUNCTUATION)
            if len(guess.split()) > 1:
                raise _Violation("guesser", "the guess is more than one word")
            return _Said(guess=guess)
        if not reply.startswith(QUESTION):
            raise _Violation("guesser", "the reply begins neither with QUESTION: nor with GUESS:")
        if reply.count(QUESTION) > 1:
            raise _Violation("guesser", "the reply has its tag twice")
        question = reply[len(QUESTION) :].strip()
        if "?" in question[:-1]:
            raise _Violation("guesser", "the reply goes on after its question mark")
        asked = question.lower()
        for name, pattern in self.instance["patterns"].items():
            look = compiled(pattern).search if name in _SEARCHED else compiled(pattern).match
            if look(asked):
                raise _Violation("guesser", f"the question fits the pattern {name!r}", "content")
        return _Said(shown=reply)

    def read_answer(self, reply: str) -> str:
        if reply not in self.instance["answers"]:
            raise _Violation("answerer", "the reply is none of the allowed answers")
        return reply
