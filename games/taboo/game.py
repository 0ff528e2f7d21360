"""Taboo: rules, scoring and instances; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from random import Random
from typing import Any, NamedTuple

from playpen_eval.game import Ask, Game, Instance, Outcome, ScriptedPlayer, View

from . import clues, scripted
from .cards import BY_LEVEL, BY_TARGET, PROMPTS

TAGS = {"describer": "CLUE:", "guesser": "GUESS:"}


class Taboo(Game):
    """The describer gets a word across to the guesser without saying it or its related words."""

    name = "taboo"
    version = 1
    suite = "playpen"
    roles = ("describer", "guesser")
    learner = "guesser"
    experiments = ("high", "medium", "low")
    sizes = {"train": 50, "validation": 16, "test": 25}
    visible = {"describer": ("target", "related", "tries"), "guesser": ("tries",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A round is a clue and a guess; finding the word in round r scores 1 / r."""
        rules = _ClembenchRules(instance) if "rules" in instance else _Rules(instance)
        guess = None
        for tried in range(instance["tries"]):
            reply = yield Ask("describer", rules.tell_describer(tried, guess))
            clue = rules.read("describer", reply)
            if clue is None:
                return Outcome.aborted(
                    "describer", "the clue does not begin with CLUE:", **rules.numbers(tried, violated=1)
                )
            if word := rules.forbidden_word(clue):
                return Outcome.lose(reason=f"the clue says {word!r}", **rules.numbers(tried))
            reply = yield Ask("guesser", rules.tell_guesser(tried, clue))
            guess = rules.read("guesser", reply)
            if guess is None:
                return Outcome.aborted(
                    "guesser", "the guess does not begin with GUESS:", **rules.numbers(tried, violated=1)
                )
            if rules.guessed_word(guess) == instance["target"]:
                return Outcome.success(1 / (tried + 1), "the word was found", **rules.numbers(tried, accuracy=1))
        return Outcome.lose(reason="out of tries", **rules.numbers(instance["tries"] - 1))

    def max_turns(self, instance: Instance) -> int:
        """A clue and a guess for every try."""
        return 2 * instance["tries"]

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A card of the level, with three of its six related words forbidden."""
        card = rng.choice(BY_LEVEL[experiment])
        return {"target": card.target, "related": rng.sample(card.related, 3), "tries": 3}

    def key(self, instance: Instance) -> str:
        """Splits share no target."""
        return instance["target"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """Players that know the cards and communicate through their text alone."""
        if style == "breaker":
            return scripted.breaker(view)
        return scripted.describer(view) if role == "describer" else scripted.guesser(view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """A clue and the word; `last` guesses it in the last try."""
        replies = []
        wrong = [f"GUESS: {word}" for word in BY_TARGET if word != instance["target"]]
        for tried in range(instance["tries"] if last else 1):
            replies += [f"CLUE: {tried + 1}", wrong[tried]]
        replies[-1] = f"GUESS: {instance['target']}"
        return replies

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """Both versions have the same data and, but for its reward, the same rules."""
        return {
            "target": instance["target_word"],
            "related": list(instance["related_word"]),
            "tries": experiment["max_turns"],
            "prompts": {
                "describer": experiment["describer_initial_prompt"],
                "guesser": experiment["guesser_initial_prompt"],
            },
        }


class _Said(NamedTuple):
    content: str
    shown: str


class _Rules:
    """Our own rules: a tag in any case, a strict look at the clue, a generous one at the guess."""

    extra_metrics: Mapping[str, float] = {}

    def __init__(self, instance: Instance):
        self.instance = instance
        self.words = [instance["target"], *instance["related"]]

    def tell_describer(self, tried: int, guess: _Said | None) -> str:
        if guess is None:
            related = ", ".join(self.instance["related"])
            return PROMPTS["describer"].format(
                target=self.instance["target"], related=related, tries=self.instance["tries"]
            )
        return PROMPTS["wrong"].format(guess=guess.shown, left=self.instance["tries"] - tried)

    def tell_guesser(self, tried: int, clue: _Said) -> str:
        if tried == 0:
            return PROMPTS["guesser"].format(tries=self.instance["tries"], clue=clue.shown)
        return PROMPTS["next_clue"].format(clue=clue.shown, left=self.instance["tries"] - tried)

    def read(self, role: str, reply: str) -> _Said | None:
        tag, text = TAGS[role], reply.lstrip()
        if text[: len(tag)].upper() != tag:
            return None
        content = " ".join(text[len(tag) :].split())
        return _Said(content, f"{tag} {content}")

    def forbidden_word(self, clue: _Said) -> str | None:
        return clues.forbidden_word(clue.content, self.words)

    def guessed_word(self, guess: _Said) -> str:
        return clues.guessed_word(guess.content)

    def numbers(self, last_round: int, *, violated: int = 0, accuracy: int = 0) -> dict[str, Any]:
        """clembench's counts, which count rounds rather than requests."""
        rounds = {}
        for index in range(last_round + 1):
            bad, hit = (violated, accuracy) if index == last_round else (0, 0)
            rounds[str(index)] = {
                "accuracy": hit,
                "request_count": 1,
                "violated_request_count": bad,
                "parsed_request_count": 1 - bad,
            }
        requests = last_round + 1
        metrics = {
            "request_count": requests,
            "parsed_request_count": requests - violated,
            "violated_request_count": violated,
            "request_success_ratio": (requests - violated) / requests,
        }
        return {"rounds": rounds, "metrics": {**metrics, **self.extra_metrics}}


class _ClembenchRules(_Rules):
    """clembench's rules, kept to the letter (clembench of July 2025); replies are relayed raw."""

    # Upstream's scorer looks for events that are never logged, so both are always 0.
    extra_metrics = {"repetition_guesser": 0, "repetition_describer": 0}

    def tell_describer(self, tried: int, guess: _Said | None) -> str:
        if guess is not None:
            return guess.shown
        prompt = self.instance["prompts"]["describer"].replace("$TARGET_WORD$", self.instance["target"])
        related = "\n".join(f"- {word}" for word in self.instance["related"])
        return prompt.replace("$REL_WORD$", related).replace("$N$", str(self.instance["tries"]))

    def tell_guesser(self, tried: int, clue: _Said) -> str:
        if tried:
            return clue.shown
        prompt = self.instance["prompts"]["guesser"].replace("$N$", str(self.instance["tries"]))
        return f"{prompt}\n\n{clue.shown}"

    def read(self, role: str, reply: str) -> _Said | None:
        if not reply.startswith(TAGS[role]):
            return None
        return _Said(reply.replace(TAGS[role], ""), reply)

    def forbidden_word(self, clue: _Said) -> str | None:
        return clues.clembench_forbidden_word(clue.content, self.words)

    def guessed_word(self, guess: _Said) -> str:
        return clues.clembench_guessed_word(guess.content)
