"""IFEval's checks: each one by hand, against lm-evaluation-harness, and on hostile text."""

from __future__ import annotations

import importlib
import json
import re
from operator import methodcaller
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playpen_eval.errors import UserError
from playpen_eval.skills import ifeval, sentences

cases = methodcaller("split", "|")

# Instruction | its arguments | replies that follow it | replies that do not.
CASES = r"""
keywords:existence | "keywords": ["cat", "dog"] | "a Cat's DOGMA" | "a cat", ""
keywords:frequency | "keyword": "cat", "frequency": 2, "relation": "at least" | "cats cat" | "cat"
keywords:forbidden_words | "forbidden_words": ["cat"] | "cats", "concat" | "a CAT.", "cat-like"
keywords:letter_frequency | "letter": "#", "let_frequency": 2, "let_relation": "less than" | "#" | "##"
length_constraints:number_words | "num_words": 3, "relation": "less than" | "a b", "it's" | "a-b's"
length_constraints:number_sentences | "num_sentences": 2, "relation": "at least" | "Ok. Bye." | "Mr. Bo", "Ok"
length_constraints:number_paragraphs | "num_paragraphs": 2 | "a\n***\nb", "***a***b***" | "a", "a******b"
length_constraints:nth_paragraph_first_word | "num_paragraphs": 2, "nth_paragraph": 2, "first_word": "so" | \
"a\n\nSo b", "a\n\n'So, b" | "So a\n\nb", "a\n\n\n\nSo b", "a\n\nSo\n\nb", "a"
detectable_content:number_placeholders | "num_placeholders": 2 | "[a] [[b]" | "[a]]", "[a\n] [b]"
detectable_content:postscript | "postscript_marker": "P.S." | "a p. s. b" | "PS: b", "P.P.S"
detectable_content:postscript | "postscript_marker": "P.P.S" | "p. p. s" | "P.S. a"
detectable_format:number_bullet_lists | "num_bullets": 2 | "* a\n\n \n - b", "*\n* a\n-" | "** a\n* b"
detectable_format:constrained_response | | "so: My answer is no." | "my answer is no."
detectable_format:number_highlighted_sections | "num_highlights": 2 | "*a* *b*", "**a** *b*" | "*a* ** **"
detectable_format:multiple_sections | "section_spliter": "Day", "num_sections": 2 | "Day 1Day2" | "Day 1"
detectable_format:json_format | | "```json\n{\"a\": 1}\n```", "[]" | "{a: 1}", "```\n```"
detectable_format:title | | "a <<b>>" | "<<>>", "<< >>", "<<a\n>>", "<<a>"
combination:two_responses | | "a\n******\nb", "******a******b" | "a******a", "a******b******c", "a"
combination:repeat_prompt | "prompt_to_repeat": "Do it." | "\ndo it. ok" | "I do it."
startend:end_checker | "end_phrase": "Bye!" | "\"ok bye!\"\n" | "bye! ok"
startend:quotation | | " \"a\" " | "\"", "a\"", "\"a"
change_case:capital_word_frequency | "capital_frequency": 3, "capital_relation": "at least" | \
"I'M IN", "A B-C D", "CAN'T.. A" | "A B c", "NASA's"
punctuation:no_comma | | "a; b" | "a, b"
language:response_language | "language": "de" | "Das ist ein kurzer deutscher Satz.", "123" | "This is it."
change_case:english_capital | | "THIS IS A SENTENCE IN ENGLISH" | "This is it", "DAS IST EIN DEUTSCHER SATZ"
change_case:english_lowercase | | "this is a sentence in english" | "This is it", "das ist deutsch und klein"
"""


def read_case(line: str) -> tuple[str, dict[str, Any], list[str], list[str]]:
    name, arguments, good, bad = line.replace(" | | ", " |  | ").split(" | ")
    return name, json.loads(f"{{{arguments}}}"), json.loads(f"[{good}]"), json.loads(f"[{bad}]")


ALL = [read_case(line) for line in CASES.replace("\\\n", "").strip().splitlines()]
LANGUAGE = [case for case in ALL if "language" in case[0] or "english" in case[0]]
CHECKS = [case for case in ALL if case not in LANGUAGE]


@pytest.mark.parametrize(("name", "arguments", "good", "bad"), CHECKS)
def test_ifeval_checks(name, arguments, good, bad):
    checks = ifeval.make_checks({name: arguments})
    assert [ifeval.follows(reply, checks)[name] for reply in good] == [True] * len(good)
    assert [ifeval.follows(reply, checks)[name] for reply in bad] == [False] * len(bad)


@pytest.mark.parametrize(("name", "arguments", "good", "bad"), LANGUAGE)
def test_ifeval_checks_of_the_language(name, arguments, good, bad):
    pytest.importorskip("langdetect", reason="the extra lm-eval is not installed")
    test_ifeval_checks(name, arguments, good, bad)


def test_all_checks_are_tested_and_bad_targets_are_refused():
    assert {name for name, *_ in ALL} == ifeval.INSTRUCTIONS.keys()
    for target in ({"no:such": {}}, {"keywords:existence": {"words": []}}, {"punctuation:no_comma": {"x": 1}}):
        with pytest.raises(UserError, match=re.escape(next(iter(target)))):
            ifeval.make_checks(target)


# As nltk's model has it, which does not know "e.g.", and for which the number in front of a point is a sentence.
SENTENCES = """0 |1 One|4 One. Two! Three? four|2 He said: "Go." She went.|1 He said: "Go."|2 What?! Now|1 No end...
2 Mr. Smith paid 3.50. Then J. S. Bach came.|2 In the U.S. The law in the U.S. Senate|3 Well... no. Well... The end.
4 1. One 2. Two. End|2 No. 5 is alive|2 e.g. this|2 (So am I.) He left.|3 From X to Y. Then 5. then it. goes"""


def test_sentences():
    for case in re.split(r"[|\n]", SENTENCES):
        count, _, text = case.partition(" ")
        assert sentences.count_sentences(text) == int(count), text


CUT = cases("a |B. |...|\n\n|***|* |- |<<|>>|[|]|\"|'|, |Section 2|P.S. |I'M|?!")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(CUT), max_size=12).map("".join))
def test_checks_agree_with_those_of_lm_eval(text):
    theirs = oracle()
    for name, arguments, *_ in CHECKS:
        if "number_sentences" in name or "capital_word" in name or arguments.get("letter") == "#":
            continue  # these need nltk's data, or are random there
        check = theirs[name](name)
        check.build_description(**arguments)
        expected = bool(text.strip()) and bool(check.check_following(text))
        assert ifeval.follows(text, ifeval.make_checks({name: arguments})) == {name: expected}


def oracle() -> Any:
    for package in ("langdetect", "immutabledict", "lm_eval"):
        pytest.importorskip(package, reason="the extra lm-eval is not installed")
    nltk: Any = importlib.import_module("nltk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nltk.data, "find", lambda name: name)  # or its import would download
        return importlib.import_module("lm_eval.tasks.ifeval.instructions_registry").INSTRUCTION_DICT


@pytest.mark.parametrize("unit", cases("\n|[|<<|*|* |a. |a.b|?!|- |'|A'S |a: |aaa|\0|\ud800|<<a>| |. "))
def test_long_replies_are_checked_in_a_moment(unit):
    for name, arguments, *_ in CHECKS:
        ifeval.follows(unit * (100_000 // len(unit)), ifeval.make_checks({name: arguments}))


@given(st.text() | st.lists(st.sampled_from([*CUT, "\ud800"])).map("".join))
def test_any_reply_is_checked(text):
    for name, arguments, *_ in CHECKS:
        assert ifeval.follows(text, ifeval.make_checks({name: arguments}))[name] in (True, False)


@pytest.mark.parametrize("text", ["", "\ud800\0", "a@b.c http://x " * 6000, "1 2", "Ünï " * 20_000])
def test_any_reply_has_a_language_or_none_and_always_the_same(text):
    pytest.importorskip("langdetect", reason="the extra lm-eval is not installed")
    detect = ifeval._language_detector()
    assert detect(text) == detect(text)
