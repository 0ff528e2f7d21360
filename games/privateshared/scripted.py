"""Scripted answerers. They know the questions, as people know a language, and remember what they said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playpen_eval.game import ScriptedPlayer, View

from .content import questions
from .rules import ANSWER, ASIDE, rules_of


def _meanings(view: View) -> Mapping[str, str]:
    """Question -> slot. Instances of clembench bring their questions along."""
    if "scene" in view:
        return questions(view["scene"])
    asked = [*view["probes"], view["requests"]]
    return {text: slot for texts in asked for slot, text in texts.items()}


def _slot(text: str, meanings: Mapping[str, str]) -> str | None:
    question = text.partition("\n")[0].partition(": ")[2]
    found = meanings.get(question)
    return found or next((slot for question, slot in meanings.items() if question in text), None)


def answerer(view: View) -> ScriptedPlayer:
    """Gives the value that is asked for, and looks up in the chat which ones it gave."""
    rules, meanings = rules_of(view), _meanings(view)
    private = "REFEREE:" if "scene" in view else "ME:"

    def reply(messages: Sequence[Mapping[str, str]]) -> str:
        text = messages[-1]["content"]
        slot = _slot(text, meanings)
        if slot is None:
            return f"{ASIDE} no"
        if not text.startswith(private):
            return f"{ANSWER} {view['slots'][slot]}"
        said = (rules.read_answer(message["content"]) for message in messages if message["role"] == "assistant")
        known = any(slot in rules.told(answer) for answer in said if answer is not None)
        return f"{ASIDE} {'yes' if known else 'no'}"

    return reply


def breaker(_view: View) -> ScriptedPlayer:
    """Ignores the form that was asked for."""
    return lambda messages: "That is nobody's business but mine."
