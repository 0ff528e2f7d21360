"""SimpleToM: a story, a question about a person in it, two options with a letter each."""

from collections.abc import Mapping
from typing import Any

from playpen_eval.errors import UserError


def text(doc: Mapping[str, Any]) -> str:
    """Story, question and options."""
    options = zip(doc["choices"]["label"], doc["choices"]["text"])
    lines = "".join(f"{label}. {option}\n" for label, option in options)
    return f"{str(doc['story']).strip()}\n\nQuestion: {str(doc['question']).strip()}\n{lines}Answer:"


def target(doc: Mapping[str, Any]) -> int:
    """The place of the right letter.

    Raises:
        UserError: It is none of the letters.
    """
    labels = list(doc["choices"]["label"])
    if doc["answerKey"] not in labels:
        raise UserError(
            f"simpletom: the answer {doc['answerKey']!r} is none of the labels {labels}; check the data set's version"
        )
    return labels.index(doc["answerKey"])
