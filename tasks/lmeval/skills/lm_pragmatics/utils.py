"""LM-Pragmatics: a scenario with numbered options; the answer is a number."""

import re
from collections.abc import Mapping
from typing import Any

from playpen_eval.errors import UserError

TARGETS = ("randomized_true_answer", "correctAnswer", "answer", "target", "label")
"""Where the right number may stand. The first is the column of the authors' own prompt files."""

OPTION = re.compile(r"^[ \t]{0,8}(\d{1,2})\)", re.MULTILINE)


def text(doc: Mapping[str, Any]) -> str:
    """The prompt, without the blank at its end: the harness puts one before the answer."""
    return str(doc["prompt"]).rstrip()


def choices(doc: Mapping[str, Any]) -> list[str]:
    """`1`, `2`, ...: as many as the last numbered list in the prompt has.

    Raises:
        UserError: The prompt has no such list.
    """
    last = 0
    for number in map(int, OPTION.findall(str(doc["prompt"]))):
        last = number if number in (1, last + 1) else last
    if last < 2:
        raise UserError(
            f"lm_pragmatics: no options '1) ...', '2) ...' in the prompt that ends with {text(doc)[-80:]!r}; "
            "check the data set's version"
        )
    return [str(number) for number in range(1, last + 1)]


def target(doc: Mapping[str, Any]) -> int:
    """The place of the right option.

    Raises:
        UserError: No column holds it, or the number has no option.
    """
    column = next((name for name in TARGETS if doc.get(name) is not None), None)
    if column is None:
        raise UserError(
            f"lm_pragmatics: none of the columns {', '.join(TARGETS)}; there are {', '.join(doc)}; "
            "add the right one to TARGETS in tasks/lmeval/skills/lm_pragmatics/utils.py"
        )
    options = choices(doc)
    number = re.sub(r"\.0$", "", str(doc[column]).strip())
    if number not in options:
        raise UserError(
            f"lm_pragmatics: the answer {doc[column]!r} in the column {column!r} is no option from 1 to "
            f"{len(options)}; check the data set's version"
        )
    return options.index(number)
