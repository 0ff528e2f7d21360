"""GLUE diagnostics: three-way entailment."""

from collections.abc import Mapping
from typing import Any

from playpen_eval.errors import UserError

LABELS = ("entailment", "contradiction", "neutral")  # in the order of doc_to_choice


def target(doc: Mapping[str, Any]) -> int:
    """The place of the label.

    Raises:
        UserError: It is none of the three; the harness would only count the item as wrong.
    """
    label = str(doc["Label"]).strip().lower()
    if label not in LABELS:
        raise UserError(
            f"glue_diagnostics: the label {doc['Label']!r} is none of {', '.join(LABELS)}; check the data set's version"
        )
    return LABELS.index(label)
