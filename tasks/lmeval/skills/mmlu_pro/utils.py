"""MMLU-Pro without chain of thought: up to ten options, one subject a task."""

from collections.abc import Callable, Mapping
from typing import Any

from datasets import Dataset

from playpen_eval.errors import UserError

LETTERS = "ABCDEFGHIJ"


def text(doc: Mapping[str, Any]) -> str:
    """The question and its options."""
    options = "".join(f"{letter}. {str(option).strip()}\n" for letter, option in zip(LETTERS, doc["options"]))
    return f"Question:\n{str(doc['question']).strip()}\nOptions:\n{options}Answer:"


def _only(subject: str) -> Callable[[Dataset], Dataset]:
    def keep(items: Dataset) -> Dataset:
        places = [place for place, category in enumerate(items["category"]) if category == subject]
        if not places:
            there = ", ".join(sorted(set(items["category"])))
            raise UserError(f"mmlu_pro: no row of the category {subject!r}; there are {there}")
        return items.select(places)

    return keep


biology = _only("biology")
business = _only("business")
chemistry = _only("chemistry")
computer_science = _only("computer science")
economics = _only("economics")
engineering = _only("engineering")
health = _only("health")
history = _only("history")
law = _only("law")
math = _only("math")
other = _only("other")
philosophy = _only("philosophy")
physics = _only("physics")
psychology = _only("psychology")
