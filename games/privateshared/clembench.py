"""clembench's own data as instances; the texts come from its resource files, where there are any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playpen_eval.clembench import read_json
from playpen_eval.game import Instance

from .content import PROMPTS

_NEUTRAL: Mapping[str, Any] = {
    "requests": {},
    "probing_questions": {},
    "suffixes": ["", *["Please answer once more."] * 4],
    "words": {"OK": PROMPTS["ready"], "ME": "ME: ", "PROBE": "ME: {} Begin your reply with ASIDE: yes or ASIDE: no."},
}
"""Our texts for data without resource files, such as recordings; they say the same in other words."""


def read_resources(folder: Path, experiment: str, language: str = "en") -> dict[str, Any]:
    """Reads the resource files of a clembench game.

    Args:
        folder: The game's folder in a checkout.
        experiment: Name of the experiment.
        language: Of the instances.

    Returns:
        What the field `resources` of an experiment holds: `requests` and `probing_questions` (slot -> texts),
        `suffixes` of repeated probes, and the `words` that the game uses.
    """
    resources = folder / "resources"
    texts = resources / "texts"
    return {
        "requests": read_json(texts / experiment / "requests.json"),
        "probing_questions": read_json(texts / experiment / "probing_questions.json"),
        "suffixes": read_json(texts / "reprompts.json")["suffixes"],
        "words": read_json(resources / f"{language}_words.json"),
    }


def translate(experiment: Mapping[str, Any], instance: Mapping[str, Any]) -> Instance:
    """An instance that holds all of its texts.

    Args:
        experiment: The experiment; with `resources`, or the game's `folder` to read them from, its texts are used.
        instance: The instance object.
    """
    resources = experiment.get("resources") or _NEUTRAL
    if "resources" not in experiment and "folder" in experiment:
        resources = read_resources(Path(experiment["folder"]), experiment["name"], instance.get("lang", "en"))
    words, tag = resources["words"], instance["tag"]

    def text(kind: str, slot: str, index: int, neutral: str) -> str:
        texts = resources[kind]
        return texts[slot][index] if texts else neutral

    rounds = sorted(instance["probes"], key=int)
    return {
        "tag": tag,
        "slots": dict(instance["slots"]),
        "order": list(instance["request_order"]),
        "tries": len(resources["suffixes"]),
        "prompt": instance["initial_prompt"],
        "requests": {
            slot: text("requests", slot, index, f'Please tell me the value of "{slot}".')
            for slot, index in instance["requests"].items()
        },
        "probes": [
            {
                slot: text("probing_questions", slot, index, f'Has {tag} been told the value of "{slot}"?')
                for slot, index in instance["probes"][round_].items()
            }
            for round_ in rounds
        ],
        "texts": {
            "ok": words["OK"],
            "me": words["ME"],
            "probe": words["PROBE"],
            "suffixes": list(resources["suffixes"]),
        },
    }
