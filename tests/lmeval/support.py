"""Small games, and models that answer by a function, for the tests of the lm-eval adapter."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.tasks import TaskManager

from playpen_eval.lmeval.tasks_dir import write_tasks_dir

simple_evaluate: Any = lm_eval.simple_evaluate  # its decorator hides the parameters

RELAY = '''
"""Small games that need every feature of the adapter."""
from playpen_eval.game import Abort, Ask, Game, Outcome


class Relay(Game):
    """The giver says a number, the taker repeats it."""

    name = "relay"
    version = 3
    suite = "playpen"
    roles = ("giver", "taker")
    experiments = ("near", "far")
    sizes = {"train": 2, "validation": 3, "test": 5}
    visible = {"giver": ("number",), "taker": ()}

    def play(self, instance):
        for turn in range(instance["rounds"]):
            text = f"RULES of the giver. Say {instance['number']}." if turn == 0 else "Again."
            said = yield Ask("giver", text, max_tokens=20)
            if not said.startswith("SAY:"):
                raise Abort("giver", "no SAY:")
            heard = yield Ask("taker", f"RULES of the taker. {said}" if turn == 0 else said)
            if not heard.startswith("SAY:"):
                raise Abort("taker", "no SAY:")
            if heard != said:
                return Outcome.lose(0.25, "not what was said")
        return Outcome.success(1 / instance["rounds"])

    def max_turns(self, instance):
        return 2 * instance["rounds"]

    def generate(self, experiment, rng):
        number = rng.randrange(10**6)
        return {"number": number, "rounds": 1 + number % 3}

    def scripted(self, role, view, style):
        if style == "breaker":
            return lambda messages: "no"
        if role == "giver":
            return lambda messages: f"SAY: {view['number']}"
        return lambda messages: "SAY:" + messages[-1]["content"].rpartition("SAY:")[2]


class Solo(Relay):
    """A held-out game of one."""

    name = "solo"
    roles = ("player",)
    held_out = True

    def play(self, instance):
        said = yield Ask("player", f"RULES of the player. Say {instance['number']}.")
        return Outcome.success() if said.startswith("SAY:") else Outcome.aborted("player", "no SAY:")
'''


def obedient(messages: list[dict[str, str]]) -> str:
    """Plays relay and solo without a mistake."""
    numbers = re.findall(r"\d+", " ".join(m["content"] for m in messages if m["role"] == "user"))
    return f"SAY: {numbers[-1]}"


def unreliable(messages: list[dict[str, str]]) -> str:
    """Makes mistakes of every kind, by the content alone."""
    said = obedient(messages)
    chance = sum(map(ord, json.dumps(messages))) % 7
    return {0: "no", 1: said + "1"}.get(chance, said)


class FakeLM(LM):
    """Answers by a function of the messages; keeps what it was asked."""

    def __init__(self, answer: Callable[[list[dict[str, str]]], Any] = obedient):
        super().__init__()
        self.answer = answer
        self.batches: list[list[tuple[Any, dict[str, Any]]]] = []

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood

    def generate_until(self, requests: list[Any]) -> list[Any]:
        assert requests, "some backends fail on an empty list"
        self.batches.append([request.args for request in requests])
        return [self.answer(json.loads(request.args[0])) for request in requests]

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return json.dumps(chat_history)

    @property
    def asked(self) -> list[list[dict[str, str]]]:
        return [json.loads(prompt) for batch in self.batches for prompt, _ in batch]


class PartnerLM(FakeLM):
    """A partner that the harness builds by name."""

    made: list[PartnerLM] = []

    def __init__(self, reply: str = "", **_: Any):
        super().__init__(lambda messages: reply or obedient(messages))
        self.made.append(self)


register_model("playpen-test-partner")(PartnerLM)


@functools.cache  # the folder is named by its content
def _manager(tasks_dir: Path, metadata: str) -> TaskManager:
    return TaskManager(include_path=str(tasks_dir), include_defaults=False, metadata=json.loads(metadata))


def evaluate(lm: LM, *tasks: str, metadata: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    manager = _manager(write_tasks_dir(), json.dumps(metadata or {}))
    results = simple_evaluate(lm, tasks=list(tasks), task_manager=manager, bootstrap_iters=0, **more)
    return results


def episodes(results: dict[str, Any], task: str = "playpen_relay") -> list[dict[str, Any]]:
    samples = sorted(results["samples"][task], key=lambda sample: sample["doc_id"])
    return [json.loads(text) for sample in samples for text in sample["resps"][0]]


def figure(results: dict[str, Any], metric: str, task: str = "playpen_relay") -> float:
    return results["results"][task][f"{metric},none"]
