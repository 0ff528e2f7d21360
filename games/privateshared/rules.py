"""What the answerer is told, how its replies are read and what the questioner knows: our rules, and clembench's."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from .content import PROMPTS, SCENES

ANSWER, ASIDE = "ANSWER:", "ASIDE:"
_WORDS = re.compile(r"[^\W_]+")


def plain(text: str) -> str:
    """The words of a text in lower case between single blanks, one at either end as well."""
    return f" {' '.join(_WORDS.findall(unicodedata.normalize('NFKC', text).casefold()))} "


_plain_value = functools.lru_cache(maxsize=4096)(plain)


def _after_tag(tag: str, reply: str) -> str | None:
    text = reply.lstrip()
    return text[len(tag) :] if text[: len(tag)].upper() == tag else None


class Rules:
    """Our own rules: tags in any case after blanks, values and yes or no as whole words.

    The questioner knows what an answer has told it, and a value that it is told too early is not counted as filled.

    Attributes:
        names: The slots in the order in which they are listed.
    """

    def __init__(self, instance: Mapping[str, Any]):
        self.instance = instance
        self.slots: dict[str, str] = instance["slots"]
        self.names = list(self.slots)
        self._told: set[str] = set()

    @functools.cached_property
    def order(self) -> list[str]:
        """The slots in the order in which they are requested."""
        return [self.names[index] for index in self.instance["order"]]

    def preface(self) -> tuple[tuple[str, str], ...]:
        """The exchange that opens the answerer's chat."""
        scene = SCENES[self.instance["scene"]]
        prompt = PROMPTS["answerer"].format(
            situation=scene.situation,
            table="\n".join(f"- {name}: {value}" for name, value in self.slots.items()),
            who=scene.who,
            tag=scene.tag,
            tries=self.instance["tries"],
        )
        return ((prompt, PROMPTS["ready"]),)

    def request(self, round_: int) -> str:
        """What the questioner says in a round (from 1)."""
        scene, slot = SCENES[self.instance["scene"]], self.instance["order"][round_ - 1]
        text = scene.slots[self.names[slot]].requests[self.instance["wordings"]["requests"][slot]]
        return PROMPTS["request"].format(tag=scene.tag, request=text)

    def probes(self, round_: int) -> list[tuple[str, str]]:
        """The slots of a probing round (from 0), each with its question."""
        slots = SCENES[self.instance["scene"]].slots
        wordings = self.instance["wordings"]["probes"][round_]
        return [(name, slots[name].probes[index]) for name, index in zip(self.names, wordings, strict=True)]

    def ask_aside(self, question: str, tried: int) -> str:
        """The private question after so many tries in vain."""
        return PROMPTS["probe_again" if tried else "probe"].format(question=question)

    def read_answer(self, reply: str) -> str | None:
        """What the questioner hears; None if the form was broken."""
        return _after_tag(ANSWER, reply)

    def read_aside(self, reply: str) -> bool | None:
        """True for yes, False for no; None for everything else."""
        content = _after_tag(ASIDE, reply)
        word = _WORDS.search(content) if content is not None else None
        return {"yes": True, "no": False}.get(word[0].casefold()) if word else None

    def told(self, answer: str) -> set[str]:
        """The slots whose values an answer contains."""
        heard = plain(answer)
        return {name for name, value in self.slots.items() if _plain_value(value) in heard}

    def hear(self, round_: int, answer: str) -> bool:
        """Tells the questioner the answer of a round; returns whether that fills the slot."""
        slot, told = self.order[round_ - 1], self.told(answer)
        filled = slot in told and slot not in self._told
        self._told |= told
        return filled

    def knows(self, slot: str, round_: int) -> bool:
        """Whether the questioner knows a slot in a probing round."""
        return slot in self._told


class ClembenchRules(Rules):
    """clembench's rules, kept to the letter (clembench of July 2025): exact tags, one line, values as substrings.

    The questioner counts as knowing every slot that it has requested, whatever the answer was.
    """

    @functools.cached_property
    def order(self) -> list[str]:
        return self.instance["order"]

    def preface(self) -> tuple[tuple[str, str], ...]:
        return ((self.instance["prompt"], self.instance["texts"]["ok"]),)

    def request(self, round_: int) -> str:
        return f"{self.instance['tag']}: {self.instance['requests'][self.order[round_ - 1]]}"

    def probes(self, round_: int) -> list[tuple[str, str]]:
        return list(self.instance["probes"][round_].items())

    def ask_aside(self, question: str, tried: int) -> str:
        texts = self.instance["texts"]
        marked = f"{texts['me']}{texts['suffixes'][tried]} "
        return texts["probe"].replace("{}", question).replace(texts["me"], marked)

    def read_answer(self, reply: str) -> str | None:
        return self._content(ANSWER, reply)

    def read_aside(self, reply: str) -> bool | None:
        content = (self._content(ASIDE, reply) or "").lower()
        return True if content.startswith("yes") else False if content.startswith("no") else None

    def _content(self, tag: str, reply: str) -> str | None:
        if not reply.startswith(tag) or "\n" in reply.strip("\n"):
            return None
        return reply.replace(tag, "").strip()

    def told(self, answer: str) -> set[str]:
        heard = answer.lower()
        return {name for name, value in self.slots.items() if value.lower() in heard}

    def hear(self, round_: int, answer: str) -> bool:
        told = self.told(answer)
        self._told |= told
        return self.order[round_ - 1] in told

    def knows(self, slot: str, round_: int) -> bool:
        return slot in self._told or slot in self.order[:round_]


def rules_of(instance: Mapping[str, Any]) -> Rules:
    """The rules of an instance, as they are before it is played; the answerer's view will do to read answers."""
    return (Rules if "scene" in instance else ClembenchRules)(instance)
