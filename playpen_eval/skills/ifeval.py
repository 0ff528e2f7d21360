"""The 25 checks of Google's IFEval (Zhou et al. 2023), strict, each in time that grows linearly with the reply.

lm-evaluation-harness carries Google's own code. It is not used here because its import downloads data, its counts of
sentences and capital words fail without them, its language check is random, and some of its patterns take minutes for
100 kB of brackets or line breaks. `tests/test_ifeval.py` compares the two.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError, require
from playpen_eval.skills.sentences import count_capital_words, count_sentences

Check = Callable[[str], bool]

_CONSTRAINED = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_POSTSCRIPTS = {"P.S.": r"p\.\s?s\.", "P.P.S": r"p\.\s?p\.\s?s"}
_BULLET = re.compile(r"^[^\S\n]*\*[^*].*$|^[^\S\n]*-.*$", re.MULTILINE)
_FENCES = ("```json", "```Json", "```JSON", "```")
_RELATIONS = ("at least", "less than")


def follows(reply: str, checks: Mapping[str, Check]) -> dict[str, bool]:
    """Which instructions a reply follows; an empty one follows none."""
    return {name: bool(reply.strip()) and check(reply) for name, check in checks.items()}


def arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that an instruction has; tables hold None for all others, and may hold whole numbers as floats."""
    return {
        name: int(value) if isinstance(value, float) else value for name, value in given.items() if value is not None
    }


def make_checks(target: Mapping[str, Mapping[str, Any]]) -> dict[str, Check]:
    """The checks of an item.

    Args:
        target: Instruction -> its arguments, as in the data set.

    Raises:
        UserError: An unknown instruction, or arguments that do not fit it; or langdetect is needed and not installed.
    """
    checks: dict[str, Check] = {}
    for name, arguments in target.items():
        if name not in INSTRUCTIONS:
            raise UserError(f"unknown instruction {name!r} of IFEval")
        try:
            checks[name] = INSTRUCTIONS[name](**arguments)
        except (TypeError, AttributeError, KeyError) as error:
            raise UserError(f"arguments {dict(arguments)} do not fit the instruction {name!r}: {error}") from None
    return checks


def _compare(relation: str, limit: int, count: Callable[[str], int]) -> Check:
    if relation not in _RELATIONS:
        raise TypeError(f"the relation {relation!r} is none of {', '.join(_RELATIONS)}")
    return lambda reply: count(reply) >= limit if relation == "at least" else count(reply) < limit


def _count_word(keyword: str) -> Callable[[str], int]:
    pattern = re.compile(re.escape(keyword.strip()), re.IGNORECASE)
    return lambda reply: len(pattern.findall(reply))


def _existence(keywords: list[str]) -> Check:
    counts = [_count_word(keyword) for keyword in keywords]
    return lambda reply: all(count(reply) for count in counts)


def _frequency(keyword: str, frequency: int, relation: str) -> Check:
    return _compare(relation, frequency, _count_word(keyword))


def _forbidden_words(forbidden_words: list[str]) -> Check:
    patterns = [re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE) for word in forbidden_words]
    return lambda reply: not any(pattern.search(reply) for pattern in patterns)


def _letter_frequency(letter: str, let_frequency: int, let_relation: str) -> Check:
    return _compare(let_relation, let_frequency, lambda reply: reply.lower().count(letter.lower()))


def _response_language(language: str) -> Check:
    detect = _language_detector()
    return lambda reply: detect(reply) in (language, None)


def _number_sentences(num_sentences: int, relation: str) -> Check:
    return _compare(relation, num_sentences, count_sentences)


def _number_words(num_words: int, relation: str) -> Check:
    return _compare(relation, num_words, lambda reply: len(re.findall(r"\w+", reply)))


def _number_paragraphs(num_paragraphs: int) -> Check:
    def check(reply: str) -> bool:
        # A divider may begin or end the reply; between two of them there must be something.
        first, *inner = [part.strip() for part in re.split(r"\s?\*\*\*\s?", reply)]
        last = [inner.pop()] if inner else []
        return all(inner) and bool(first) + len(inner) + sum(map(bool, last)) == num_paragraphs

    return check


def _nth_paragraph_first_word(num_paragraphs: int, nth_paragraph: int, first_word: str) -> Check:
    def check(reply: str) -> bool:
        paragraphs = reply.split("\n\n")
        number = sum(bool(paragraph.strip()) for paragraph in paragraphs)
        # As upstream has it, empty paragraphs count for the place but not for the number.
        if nth_paragraph > number or not paragraphs[nth_paragraph - 1].strip():
            return False
        word = paragraphs[nth_paragraph - 1].split(maxsplit=1)[0].lstrip("'").lstrip('"')
        word = re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower()
        return number == num_paragraphs and word == first_word.lower()

    return check


def _number_placeholders(num_placeholders: int) -> Check:
    def count(reply: str) -> int:
        return sum("[" in part for line in reply.split("\n") for part in line.split("]")[:-1])

    return _compare("at least", num_placeholders, count)


def _postscript(postscript_marker: str) -> Check:
    pattern = re.compile(_POSTSCRIPTS.get(postscript_marker.strip()) or re.escape(postscript_marker.strip().lower()))
    return lambda reply: pattern.search(reply.lower()) is not None


def _number_bullet_lists(num_bullets: int) -> Check:
    return lambda reply: len(_BULLET.findall(reply)) == num_bullets


def _constrained_response() -> Check:
    return lambda reply: any(option in reply for option in _CONSTRAINED)


def _number_highlighted_sections(num_highlights: int) -> Check:
    def count(reply: str) -> int:
        single = re.findall(r"\*([^\n*]*)\*", reply)
        double = re.findall(r"\*\*([^\n*]*)\*\*", reply)
        return sum(bool(text.strip()) for text in single + double)

    return _compare("at least", num_highlights, count)


def _multiple_sections(section_spliter: str, num_sections: int) -> Check:
    pattern = re.compile(re.escape(section_spliter.strip()) + r"\s?\d+")
    return _compare("at least", num_sections, lambda reply: len(pattern.findall(reply)))


def _json_format() -> Check:
    def check(reply: str) -> bool:
        text = reply.strip()
        for fence in _FENCES:
            text = text.removeprefix(fence)
        try:
            json.loads(text.removesuffix("```").strip())
        except (ValueError, RecursionError):
            return False
        return True

    return check


def _title() -> Check:
    def check(reply: str) -> bool:
        for line in reply.split("\n"):
            start, end = line.find("<<"), line.rfind(">>")
            if 0 <= start < end - 2 and line[start : end + 2].lstrip("<").rstrip(">").strip():
                return True
        return False

    return check


def _two_responses() -> Check:
    def check(reply: str) -> bool:
        first, *inner = [part.strip() for part in reply.split("******")]
        last = [inner.pop()] if inner else []
        parts = [part for part in (first, *inner, *last) if part]
        return all(inner) and len(parts) == 2 and parts[0] != parts[1]

    return check


def _repeat_prompt(prompt_to_repeat: str) -> Check:
    return lambda reply: reply.strip().lower().startswith(prompt_to_repeat.strip().lower())


def _end_checker(end_phrase: str) -> Check:
    return lambda reply: reply.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def _capital_word_frequency(capital_frequency: int, capital_relation: str) -> Check:
    return _compare(capital_relation, capital_frequency, count_capital_words)


def _english(case: Callable[[str], bool]) -> Check:
    detect = _language_detector()
    return lambda reply: case(reply) and detect(reply) in ("en", None)


def _no_comma() -> Check:
    return lambda reply: "," not in reply


def _quotation() -> Check:
    def check(reply: str) -> bool:
        text = reply.strip()
        return len(text) > 1 and text[0] == text[-1] == '"'

    return check


@functools.cache
def _language_detector() -> Callable[[str], str | None]:
    """Text -> language code; None for a text without anything to tell it by. Always the same for the same text."""
    package = require("langdetect", "lm-eval")
    factory: Any = package.DetectorFactory()
    # Sorted, since the order of the profiles decides between equals; the seed is that of this factory alone.
    profiles = sorted((Path(package.__file__ or "").parent / "profiles").iterdir())
    factory.load_json_profile([path.read_text(encoding="utf-8") for path in profiles if path.name[0] not in "._"])
    factory.set_seed(0)

    def detect(text: str) -> str | None:
        detector = factory.create()
        detector.append(text)
        try:
            return detector.detect()
        except package.LangDetectException:
            return None

    return detect


INSTRUCTIONS: Mapping[str, Callable[..., Check]] = {
    "keywords:existence": _existence,
    "keywords:frequency": _frequency,
    "keywords:forbidden_words": _forbidden_words,
    "keywords:letter_frequency": _letter_frequency,
    "language:response_language": _response_language,
    "length_constraints:number_sentences": _number_sentences,
    "length_constraints:number_paragraphs": _number_paragraphs,
    "length_constraints:number_words": _number_words,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph_first_word,
    "detectable_content:number_placeholders": _number_placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _number_bullet_lists,
    "detectable_format:constrained_response": _constrained_response,
    "detectable_format:number_highlighted_sections": _number_highlighted_sections,
    "detectable_format:multiple_sections": _multiple_sections,
    "detectable_format:json_format": _json_format,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeat_prompt,
    "startend:end_checker": _end_checker,
    "change_case:capital_word_frequency": _capital_word_frequency,
    "change_case:english_capital": functools.partial(_english, str.isupper),
    "change_case:english_lowercase": functools.partial(_english, str.islower),
    "punctuation:no_comma": _no_comma,
    "startend:quotation": _quotation,
}
