"""Practice games for the smallest models: rules and instances; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator
from random import Random

from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts

from . import drills, scripted
from .words import COLOURS, THINGS, Item, draw_items, draw_lookalikes, read, show

PROMPTS = read_texts(__file__)
ITEMS, QUESTIONS, TRIES = 4, 3, 2
_COLOUR, _THING = 0, 1


class _Interview(Game):
    """A partner asks about items; a referee asks in between what the partner has asked about.

    Attributes:
        asked: Which part of an item a question names, and by which the answerer looks it up; the answer is the other.
        words: What an answer may be.
    """

    roles = ("asker", "answerer")
    visible = {"asker": ("ask",), "answerer": ("items",)}
    asked: int

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A round is a question, its answer, and a yes or no to the referee."""
        answers = {item[self.asked]: self.ordered(item) for item in instance["items"]}
        left, right = list(instance["ask"]), 0
        to_asker = PROMPTS[f"{self.name}_asker"].format(ask=", ".join(left))
        to_answerer = PROMPTS[f"{self.name}_answerer"].format(items=show(map(self.ordered, instance["items"]))) + "\n\n"
        for checked in instance["checks"]:
            [question] = read("asker", (yield Ask("asker", to_asker)), scripted.QUESTION)
            if question not in left:
                raise Abort("asker", f"{question!r} is not to be asked, or was asked before")
            left.remove(question)
            reply = yield Ask("answerer", f"{to_answerer}{scripted.QUESTION} {question}")
            answer = read("answerer", reply, scripted.ANSWER, 2)
            right += answer == answers[question]
            reply = yield Ask("answerer", f"{scripted.CHECK} {checked}")
            [known] = read("answerer", reply, scripted.ANSWER)
            right += known == ("no" if checked in left or checked not in instance["ask"] else "yes")
            to_asker, to_answerer = f"{scripted.ANSWER} {' '.join(answer)}", ""
        total = 2 * len(instance["checks"])
        end = Outcome.success if right == total else Outcome.lose
        return end(right / total, f"{right} of {total} answers are right", metrics={"accuracy": right / total})

    def ordered(self, item: Item) -> Item:
        """An item as its players read and write it: first what is asked about."""
        return [item[self.asked], item[1 - self.asked]]

    def max_turns(self, instance: Instance) -> int:
        """A question, an answer and a check for every round."""
        return 3 * len(instance["checks"])

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Items, what to ask about, and a check in each round: of something asked or not asked, equally often."""
        items = draw_items(ITEMS, rng)
        known = [item[self.asked] for item in items]
        ask = rng.sample(known, QUESTIONS)
        checks = [rng.choice(ask[:n] if rng.random() < 0.5 else [k for k in known if k not in ask[:n]])
                  for n in range(1, QUESTIONS + 1)]
        return {"items": items, "ask": ask, "checks": checks}

    def key(self, instance: Instance) -> list[list[str]]:
        """Splits share no set of items."""
        return sorted(instance["items"])

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """An asker who follows the list, and an answerer who remembers what was asked."""
        if style == "breaker":
            return scripted.breaker
        return scripted.asker(view["ask"]) if role == "asker" else scripted.answerer([*map(self.ordered, view["items"])])

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The right answers; every episode has the same length."""
        answers = {item[self.asked]: " ".join(self.ordered(item)) for item in instance["items"]}
        replies = []
        for n, (question, checked) in enumerate(zip(instance["ask"], instance["checks"], strict=True), 1):
            known = "yes" if checked in instance["ask"][:n] else "no"
            replies += [f"QUESTION: {question}", f"ANSWER: {answers[question]}", f"ANSWER: {known}"]
        return replies


class Colours(_Interview):
    """Tell a partner the colours of things, and keep track of what the partner has asked about."""

    name = "practice_colours"
    suite = "practice"
    sizes = {"train": 200, "validation": 100, "test": 400}
    asked = _THING


class Things(_Interview):
    """Tell a partner which things have the colours asked for, and keep track of what the partner has asked about."""

    name = "practice_things"
    suite = "practice"
    held_out = True
    sizes = {"validation": 100, "test": 400}
    asked = _COLOUR


class Clues(Game):
    """Find a thing among look-alikes from clues of one word."""

    name = "practice_clues"
    suite = "practice"
    roles = ("describer", "guesser")
    sizes = {"train": 200, "validation": 100, "test": 400}
    visible = {"describer": ("items", "target"), "guesser": ("items",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A round is a clue and a guess; finding the thing in round r scores 1 / r."""
        items, target = instance["items"], instance["items"][instance["target"]]
        to_describer = PROMPTS["practice_clues_describer"].format(items=show(items), target=" ".join(target))
        to_guesser = PROMPTS["practice_clues_guesser"].format(items=show(items)) + "\n\n"
        for tried in range(TRIES):
            [clue] = read("describer", (yield Ask("describer", to_describer)), scripted.CLUE)
            if clue not in COLOURS + THINGS:
                raise Abort("describer", f"the clue {clue!r} is neither a colour nor a thing")
            reply = yield Ask("guesser", f"{to_guesser}{scripted.CLUE} {clue}")
            guess = read("guesser", reply, scripted.GUESS, 2)
            if guess == target:
                return Outcome.success(1 / (tried + 1), "the thing was found")
            if guess not in items:
                return Outcome.lose(reason="the guess is none of the things")
            to_describer, to_guesser = f"{scripted.GUESS} {' '.join(guess)}", ""
        return Outcome.lose(reason="out of tries")

    def max_turns(self, instance: Instance) -> int:
        """A clue and a guess for every try."""
        return 2 * TRIES

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A thing among others that share its colour or its name."""
        items, target = draw_lookalikes(rng)
        return {"items": items, "target": target, "first": rng.choice((_COLOUR, _THING))}

    def key(self, instance: Instance) -> list[list[str]]:
        """Splits share no set of items."""
        return sorted(instance["items"])

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A describer who names colour and thing in turn, and a guesser whom all clues bind."""
        if style == "breaker":
            return scripted.breaker
        if role == "describer":
            return scripted.describer(view["items"][view["target"]])
        return scripted.guesser(view["items"])

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The thing at once, or after another one."""
        colour, thing = instance["items"][instance["target"]]
        other = instance["items"][instance["target"] - 1]
        wrong = [f"CLUE: {colour}", f"GUESS: {' '.join(other)}"]
        return wrong * (last * (TRIES - 1)) + [f"CLUE: {thing}", f"GUESS: {colour} {thing}"]


class Drills(Game):
    """Small tasks on a list of words: copy it, turn it around, count in it, pick from it."""

    name = "practice_drills"
    suite = "practice_skills"
    roles = ("participant",)
    experiments = tuple(drills.TASKS)
    sizes = {"train": 100, "validation": 50, "test": 100}
    visible = {"participant": ("task", "words")}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """One list and one answer."""
        wanted = drills.TASKS[instance["task"]](instance["words"])
        text = PROMPTS[f"drill_{instance['task']}"].format(words=" ".join(instance["words"]))
        answer = read("participant", (yield Ask("participant", text)), scripted.ANSWER, len(wanted))
        end = Outcome.success if answer == wanted else Outcome.lose
        right = sum(one == other for one, other in zip(answer, wanted, strict=True))
        return end(right / len(wanted), f"{right} of {len(wanted)} words are right")

    def max_turns(self, instance: Instance) -> int:
        """One."""
        return 1

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A list of words."""
        return {"task": experiment, "words": drills.draw(experiment, rng)}

    def key(self, instance: Instance) -> list[str]:
        """Splits share no list."""
        return instance["words"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A participant who does the task."""
        return scripted.breaker if style == "breaker" else lambda messages: self.solution(dict(view))[0]

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The answer."""
        return ["ANSWER: " + " ".join(drills.TASKS[instance["task"]](instance["words"]))]
