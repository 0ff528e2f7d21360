"""The scenes: who asks, for which values, and in which words (content and licence: CONTENT.md)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from playpen_eval.game import read_texts

PROMPTS = read_texts(__file__)


class Slot(NamedTuple):
    """One thing that the questioner wants to know.

    Attributes:
        values: What the answer can be.
        requests: Ways to ask for it.
        probes: Ways to ask the answerer whether the questioner knows it.
    """

    values: tuple[str, ...]
    requests: tuple[str, ...]
    probes: tuple[str, ...]


class Scene(NamedTuple):
    """One experiment.

    Attributes:
        tag: What the questioner's messages begin with.
        who: The questioner, in a sentence.
        situation: What the answerer is told about itself.
        slots: By name, in the order in which they are listed and probed.
        shared: Whether all slots draw from one list of values.
    """

    tag: str
    who: str
    situation: str
    slots: Mapping[str, Slot]
    shared: bool


def _slot(name: str, content: Mapping[str, Any], frames: list[str], who: str) -> Slot:
    topics = [topic.format(slot=name) for topic in content["topics"]]
    return Slot(
        tuple(content["values"]),
        tuple(request.format(slot=name) for request in content["requests"]),
        tuple(frame.format(who=who, topic=topic) for frame in frames for topic in topics),
    )


def _read() -> dict[str, Scene]:
    data = json.loads((Path(__file__).parent / "scenes.json").read_text(encoding="utf-8"))
    scenes = {}
    for name, scene in data["scenes"].items():
        shared = "shared" in scene
        slots = {
            slot: _slot(slot, scene["shared"] if shared else scene["slots"][slot], data["frames"], scene["who"])
            for slot in scene["slots"]
        }
        scenes[name] = Scene(scene["tag"], scene["who"], scene["situation"], slots, shared)
    return scenes


SCENES = _read()


@functools.cache
def questions(scene: str) -> Mapping[str, str]:
    """Every request and probing question of a scene -> the slot that it is about."""
    slots = SCENES[scene].slots
    return {text: name for name, slot in slots.items() for text in (*slot.requests, *slot.probes)}
