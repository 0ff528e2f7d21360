"""Privateshared: keep the score of what the other side knows; README.md tells the rules in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from random import Random
from typing import Any

from playpen_eval.game import Abort, Ask, Game, Instance, Outcome, ScriptedPlayer, View

from . import clembench, scripted
from .content import SCENES
from .rules import ANSWER, ASIDE, Rules, rules_of
from .scores import ClembenchRecord, Record

ROLE = "answerer"


class PrivateShared(Game):
    """Tell a questioner one value after the other, and keep track of what it knows by then."""

    name = "privateshared"
    version = 1
    suite = "playpen"
    roles = (ROLE,)
    learner = ROLE
    experiments = tuple(SCENES)
    sizes = {"train": 40, "validation": 10, "test": 10}
    # The last two are in clembench's instances only: the words of the questions, which ours take from the scene.
    visible = {ROLE: ("scene", "slots", "tries", "requests", "probes")}

    def play(self, instance: Instance) -> Generator[Ask, str, Outcome]:
        """The questioner is code: it requests each slot once; each valid answer is followed by probes of all slots."""
        rules, slots = rules_of(instance), len(instance["slots"])
        record = (Record if "scene" in instance else ClembenchRecord)(slots)
        try:
            yield from self._probe(0, rules, record)
            for round_ in range(1, slots + 1):
                answer = rules.read_answer((yield Ask(ROLE, rules.request(round_))))
                record.count(round_, valid=answer is not None)
                if answer is None:
                    record.unanswered.add(round_)
                    continue
                record.filled[round_] = rules.hear(round_, answer)
                yield from self._probe(round_, rules, record)
        except Abort as abort:
            return record.aborted(abort.role, abort.reason)
        return record.finished()

    def _probe(self, round_: int, rules: Rules, record: Record) -> Generator[Ask, str, None]:
        """Asks in private, for every slot, whether the questioner knows it; the answerer forgets all of it."""
        pairs = []
        for slot, question in rules.probes(round_):
            said = None
            for tried in range(rules.instance["tries"]):
                preface = () if record.asked else rules.preface()
                reply = yield Ask(ROLE, rules.ask_aside(question, tried), remember=False, preface=preface)
                said = rules.read_aside(reply)
                record.count(round_, valid=said is not None)
                if said is not None:
                    break
            if said is None:
                raise Abort(ROLE, f"{rules.instance['tries']} replies in a row were no aside with yes or no")
            pairs.append((rules.knows(slot, round_), said))
        record.probed[round_] = pairs

    def max_turns(self, instance: Instance) -> int:
        """One answer for every slot, and all tries of every probe before the first and after each."""
        slots = len(instance["slots"])
        return slots + (slots + 1) * slots * instance["tries"]

    def generate(self, experiment: str, rng: Random) -> Instance:
        """Values for all slots of the scene, the order of the requests, and the words of every question."""
        scene = SCENES[experiment]
        slots, names = list(scene.slots.values()), list(scene.slots)
        if scene.shared:
            values = rng.sample(slots[0].values, len(slots))
        else:
            values = [rng.choice(slot.values) for slot in slots]
        return {
            "scene": experiment,
            "slots": dict(zip(names, values, strict=True)),
            "tries": 5,
            "order": rng.sample(range(len(slots)), len(slots)),
            "wordings": {
                "requests": [rng.randrange(len(slot.requests)) for slot in slots],
                "probes": [[rng.randrange(len(slot.probes)) for slot in slots] for _ in range(len(slots) + 1)],
            },
        }

    def key(self, instance: Instance) -> dict[str, str]:
        """Splits share no assignment of values."""
        return instance["slots"]

    def scripted(self, role: str, view: View, style: str) -> ScriptedPlayer:
        """An answerer that looks up in its chat what it has told."""
        return scripted.breaker(view) if style == "breaker" else scripted.answerer(view)

    def solution(self, instance: Instance, *, last: bool = False) -> list[str]:
        """All right answers and asides; the game has one length, but with `last` every aside takes all its tries."""
        rules = rules_of(instance)
        wasted = ["I would rather not say."] * (instance["tries"] - 1 if last else 0)
        replies = []
        for round_ in range(len(rules.order) + 1):
            if round_ > 0:
                value = instance["slots"][rules.order[round_ - 1]]
                replies.append(f"{ANSWER} {value}")
                rules.hear(round_, value)
            for slot, _ in rules.probes(round_):
                replies += [*wasted, f"{ASIDE} {'yes' if rules.knows(slot, round_) else 'no'}"]
        return replies

    def from_clembench(self, experiment: Mapping[str, Any], instance: Mapping[str, Any], version: str) -> Instance:
        """Versions 2.0 and 3.0 have one format and the same rules; for the texts see `clembench.translate`."""
        return clembench.translate(experiment, instance)
