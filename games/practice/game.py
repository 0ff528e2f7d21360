"""Practice games for the smallest models: rules and instances; README.md tells them in words."""

from __future__ import annotations

from collections.abc import Generator
from random import Random

from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View, read_texts

from . import drills, scripted
from .words import COLOURS, THINGS, draw_items, draw_lookalikes, read, show

PROMPTS = read_texts(__file__)
ITEMS, QUESTIONS, TRIES, NEWS = 4, 3, 2, 4


class Slots(Game):
    """Tell a partner what is asked for, and keep track of what the partner has asked."""

    name = "practice_slots"
    suite = "practice"
    roles = ("asker", "answerer")
    sizes = {"train": 200, "validation": 100, "test": 400}
    visible = {"asker": ("ask",), "answerer": ("items",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A round is a question, its answer, and a yes or no to the referee."""
        items, left, right = dict(instance["items"]), list(instance["ask"]), 0
        to_asker = PROMPTS["slots_asker"].format(ask=", ".join(left))
        to_answerer = PROMPTS["slots_answerer"].format(items=show(instance["items"])) + "\n\n"
        for checked in instance["checks"]:
            [question] = read("asker", (yield Ask("asker", to_asker)), scripted.QUESTION)
            if question not in left:
                raise Abort("asker", f"{question!r} is not to be asked, or was asked before")
            left.remove(question)
            reply = yield Ask("answerer", f"{to_answerer}{scripted.QUESTION} {question}")
            [answer] = read("answerer", reply, scripted.ANSWER)
            right += answer == items[question]
            reply = yield Ask("answerer", f"{scripted.CHECK} {checked}")
            [known] = read("answerer", reply, scripted.ANSWER)
            right += known == ("no" if checked in left or checked not in instance["ask"] else "yes")
            to_asker, to_answerer = f"{scripted.ANSWER} {answer}", ""
        return _share(right, 2 * len(instance["checks"]))

    def max_turns(self, instance: Instance) -> int:
        """A question, an answer and a check for every round."""
        return 3 * len(instance["checks"])

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Items, what to ask for, and a check in each round: of something asked or not asked, equally often."""
        items = draw_items(ITEMS, rng)
        kinds = [kind for kind, _ in items]
        ask = rng.sample(kinds, QUESTIONS)
        checks = []
        for done in range(1, QUESTIONS + 1):
            asked = rng.random() < 0.5
            checks.append(rng.choice(ask[:done] if asked else [kind for kind in kinds if kind not in ask[:done]]))
        return {"items": items, "ask": ask, "checks": checks}

    def key(self, instance: Instance) -> list[list[str]]:
        """Splits share no set of items."""
        return sorted(instance["items"])

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """An asker who follows the list, and an answerer who remembers what was asked."""
        if style == "breaker":
            return scripted.breaker
        return scripted.asker(view["ask"]) if role == "asker" else scripted.answerer(view["items"])

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The right answers; every episode has the same length."""
        items, replies = dict(instance["items"]), []
        for done, (question, checked) in enumerate(zip(instance["ask"], instance["checks"], strict=True), 1):
            known = "yes" if checked in instance["ask"][:done] else "no"
            replies += [f"QUESTION: {question}", f"ANSWER: {items[question]}", f"ANSWER: {known}"]
        return replies


class News(Game):
    """Answer questions about what one is told bit by bit."""

    name = "practice_news"
    suite = "practice"
    held_out = True
    roles = ("listener",)
    sizes = {"validation": 100, "test": 400}
    visible = {"listener": ("items",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A round tells an item more, two in the first round, and asks for one of those told."""
        items, questions, right = instance["items"], instance["questions"], 0
        text = PROMPTS["news_listener"].format(items=show(items[:2]))
        for told, question in enumerate(questions, 2):
            [answer] = read(
                "listener", (yield Ask("listener", f"{text}\n\n{scripted.QUESTION} {question}")), scripted.ANSWER
            )
            right += answer == dict(items)[question]
            text = PROMPTS["news_more"].format(items=show(items[told : told + 1]))
        return _share(right, len(questions))

    def max_turns(self, instance: Instance) -> int:
        """One for each question."""
        return len(instance["questions"])

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Items in the order in which they are told, and what to ask for."""
        items = draw_items(NEWS + 1, rng)
        return {"items": items, "questions": [rng.choice(items[:told])[0] for told in range(2, NEWS + 2)]}

    def key(self, instance: Instance) -> list[list[str]]:
        """Splits share no set of items."""
        return sorted(instance["items"])

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A listener with a perfect memory."""
        return scripted.breaker if style == "breaker" else scripted.answerer(view["items"])

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The right answers; every episode has the same length."""
        return [f"ANSWER: {dict(instance['items'])[question]}" for question in instance["questions"]]


class Clues(Game):
    """Find a thing among look-alikes from clues of one word."""

    name = "practice_clues"
    version = 2
    suite = "practice"
    roles = ("describer", "guesser")
    sizes = {"train": 200, "validation": 100, "test": 400}
    visible = {"describer": ("items", "target"), "guesser": ("items",)}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """A round is a clue and a guess; finding the thing in round r scores 1 / r."""
        items, target = instance["items"], instance["items"][instance["target"]]
        to_describer = PROMPTS["clues_describer"].format(items=show(items), target=" ".join(target))
        to_guesser = PROMPTS["clues_guesser"].format(items=show(items)) + "\n\n"
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
        """Three names in three colours each, and which of the nine things is the right one."""
        items, target = draw_lookalikes(rng)
        return {"items": items, "target": target}

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
    """Small tasks on a list of words: copy it, or pick a word by its place or its kind."""

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
        return _share(sum(one == other for one, other in zip(answer, wanted, strict=True)), len(wanted))

    def max_turns(self, instance: Instance) -> int:
        """One."""
        return 1

    def generate(self, experiment: str, rng: Random) -> Instance:
        """A list of words."""
        return {"task": experiment, "words": drills.draw(rng)}

    def key(self, instance: Instance) -> list[str]:
        """Splits share no list."""
        return instance["words"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """A participant who does the task."""
        return scripted.breaker if style == "breaker" else lambda messages: self.solution(dict(view))[0]

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """The answer."""
        return ["ANSWER: " + " ".join(drills.TASKS[instance["task"]](instance["words"]))]


def _share(right: int, total: int) -> Outcome:
    end = Outcome.success if right == total else Outcome.lose
    return end(right / total, f"{right} of {total} are right", metrics={"accuracy": right / total})
