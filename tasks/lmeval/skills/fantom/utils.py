"""FANToM: who believes and knows what after a conversation that somebody left for a while."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from playpen_eval.errors import UserError

CLOSING = "Choose an answer from above:"


def text(doc: Mapping[str, Any]) -> str:
    """The conversation and the question."""
    return str(doc["input_text"]).rstrip()


def beliefs(doc: Mapping[str, Any]) -> list[str]:
    """The texts of the options (a) and (b), the last such pair before the closing line.

    Raises:
        UserError: They are not to be found.
    """
    whole = str(doc["input_text"])
    end = whole.rfind(CLOSING)
    second = whole.rfind("(b)", 0, max(end, 0))
    first = whole.rfind("(a)", 0, max(second, 0))
    options = [whole[first + 3 : second].strip(), whole[second + 3 : end].strip()] if first >= 0 else []
    if not options or not all(options):
        raise _unexpected("input_text", whole[-120:], f"a text with '(a) ... (b) ... {CLOSING}'")
    return options


def belief(doc: Mapping[str, Any]) -> int:
    """The place of the right option.

    Raises:
        UserError: It is neither 0 nor 1.
    """
    answer = str(doc["correct_answer"]).strip()
    if answer not in ("0", "1"):
        raise _unexpected("correct_answer", doc["correct_answer"], "0 or 1")
    return int(answer)


def yes_or_no(doc: Mapping[str, Any]) -> int:
    """1 for yes, 0 for no; the original files also have `no:long`.

    Raises:
        UserError: It is something else.
    """
    answer = str(doc["correct_answer"]).partition(":")[0].strip().lower()
    if answer not in ("no", "yes"):
        raise _unexpected("correct_answer", doc["correct_answer"], "yes or no")
    return int(answer == "yes")


def names(doc: Mapping[str, Any]) -> str:
    """The names that must be said, for the log.

    Raises:
        UserError: The answer columns are not lists of names.
    """
    for column in ("correct_answer", "wrong_answer"):
        found = doc[column]
        if not isinstance(found, list) or not all(isinstance(name, str) and name.strip() for name in found):
            raise _unexpected(column, found, "a list of names")
    return ", ".join(doc["correct_answer"])


def grade_names(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Right if everybody is named who should be, and nobody who should not."""
    reply = str(results[0]).lower()
    right = all(_named(name, reply) for name in doc["correct_answer"])
    return {"acc": float(right and not any(_named(name, reply) for name in doc["wrong_answer"]))}


def fact(doc: Mapping[str, Any]) -> str:
    """The reference answer.

    Raises:
        UserError: It holds no word.
    """
    if not _words(str(doc["correct_answer"])):
        raise _unexpected("correct_answer", doc["correct_answer"], "a sentence")
    return str(doc["correct_answer"])


def grade_fact(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Overlap of words, without case and punctuation: harmonic mean of precision and recall."""
    said, reference = _words(str(results[0])), _words(str(doc["correct_answer"]))
    return {"f1": 2 * (said & reference).total() / ((said.total() + reference.total()) or 1)}


def _named(name: str, reply: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name.strip().lower())}(?!\w)", reply) is not None


def _words(sentence: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", sentence.lower()))


def _unexpected(column: str, found: object, wanted: str) -> UserError:
    return UserError(f"fantom: {column} is {found!r} rather than {wanted}; check the data set's version")
