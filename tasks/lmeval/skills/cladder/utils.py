"""CLadder: questions about causes, answered by the first word of the reply."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from playpen_eval.errors import UserError

ANSWERS = ("yes", "no")
WORD = re.compile(r"[^\W\d_]+")


def question(doc: Mapping[str, Any]) -> str:
    """The prompt, with the benchmark's own setting in our words."""
    return (
        "You know causal inference as an expert does. What follows does not ask for everyday common sense: a professor "
        "of causal inference designed the question with care, to test what students have learned.\n\n"
        f"{doc['prompt']}\n\n"
        "Begin your answer with Yes or No; after that you may give your reasons."
    )


def target(doc: Mapping[str, Any]) -> str:
    """`yes` or `no`.

    Raises:
        UserError: The label is neither.
    """
    label = str(doc["label"]).strip().lower()
    if label not in ANSWERS:
        raise UserError(f"cladder: the label {doc['label']!r} is neither yes nor no; check the data set's version")
    return label


def grade(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Compares the first word; what surrounds it (quotes, asterisks, digits) does not count."""
    first = WORD.search(str(results[0]))
    return {"acc": float(first is not None and first.group().lower() == target(doc))}
