"""Static items: parsing, scores, items from data sets, clembench's files, hostile text."""

from __future__ import annotations

import importlib
import json
import math
import re
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval.clembench import translate
from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Game, Outcome
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply
from playpen_eval.registry import load_game
from playpen_eval.skills.data import MissingDataError, write_rows

NAMES = ("cladder", "mmlu_pro", "eqbench", "ifeval", "bbh")
GAMES = {name: load_game(f"static_{name}") for name in NAMES}
cases = methodcaller("split", "|")
answers: Any = importlib.import_module("playpen_eval.games.static.answers")

EMOTIONS = {"Angry": 0, "Calm": 6, "Sad": 0, "Proud": 7}
TARGETS: dict[str, Any] = {
    "cladder": "no",
    "mmlu_pro": "C",
    "eqbench": EMOTIONS,
    "ifeval": {"punctuation:no_comma": {}, "length_constraints:number_words": {"relation": "at least", "num_words": 2}},
    "bbh": "(B)",
}
ABORTED = ("aborted", None, 0)


def played(name: str, reply: str, target: Any = None) -> Outcome:
    instance = {"template": "{{input}}", "input": "What?", "target": TARGETS[name] if target is None else target}
    outcome = Episode(GAMES[name], instance, [reply]).outcome
    assert outcome is not None
    assert (outcome.metrics["request_count"], outcome.rounds) == (1, {})
    assert outcome.metrics["violated_request_count"] == 1 - (outcome.metrics["parsed_request_count"] or 0)
    assert outcome.metrics["request_success_ratio"] == outcome.metrics["parsed_request_count"]
    return outcome


def result(name: str, reply: str, target: Any = None) -> tuple[str, float | None, float | None]:
    outcome = played(name, reply, target)
    return outcome.kind, outcome.score, outcome.metrics["parsed_request_count"]


WON, LOST = ("success", 1, 1), ("lose", 0, 1)


def test_cladder_reads_the_first_word():
    for reply in ("no", "No, because", " \n NO.\nYes", "**No**", "n.o yes"):
        assert result("cladder", reply) == WON, reply
    assert result("cladder", "Yes") == LOST
    for reply in ("", "...", "The answer is no", "no/yes", "None", "nо"):
        assert result("cladder", reply) == ABORTED, reply


def test_mmlu_pro_reads_the_only_answer():
    for reply in ("The answer is (C)", "so the answer is C.", "answer is (C", "answer is CAT"):
        assert result("mmlu_pro", reply) == WON, reply
    assert result("mmlu_pro", "The answer is (J)") == LOST
    for reply in ("", "C", "The answer is: C", "The answer is c", "answer is K", "Answer is C", "answer is  C"):
        assert result("mmlu_pro", reply) == ABORTED, reply
    assert result("mmlu_pro", "The answer is (C). The answer is (C).") == ABORTED


def test_bbh_wants_the_target_and_nothing_else():
    assert result("bbh", " (B)\n") == WON
    for reply in ("", "B", "(b)", "(B).", "(B) (B)"):
        assert result("bbh", reply) == LOST, reply


def lines(*numbers: int) -> str:
    return "\n".join(f"{name}: {number}" for name, number in zip(EMOTIONS, numbers, strict=True))


def test_eqbench_needs_all_four_emotions():
    assert result("eqbench", lines(0, 6, 0, 7)) == WON
    assert result("eqbench", "Sad: 9, Proud:  7 Angry:\n0 Calm: 006 Sad: 0.5") == WON
    for reply in (
        "",
        lines(0, 0, 0, 0),
        lines(0, 6, 0, 11),
        lines(0, 6, 0, 7).replace("Sad", "sad"),
        lines(0, 6, 0, 7).replace("Calm: 6", "Calm:6"),
        lines(0, 6, 0, 7) + "\nTotal: 13",
        lines(0, 6, 0, 7).replace("7", "9" * 5000),
    ):
        assert result("eqbench", reply) == ABORTED, reply[:50]


@pytest.mark.parametrize(
    ("numbers", "score"),
    [
        ((1, 6, 0, 7), 1 - 0.07477 * 6.5 / (1 + math.e**3.6)),
        ((5, 6, 0, 7), 1 - 0.07477 * 6.5 / (1 + math.e**-1.2)),
        ((6, 6, 0, 7), 1 - 0.07477 * 6),
        ((10, 0, 10, 0), 1 - 0.07477 * 33),  # below 0: worse than guessing
    ],
)
def test_eqbench_scores_how_near_the_numbers_are(numbers, score):
    kind, ours, parsed = result("eqbench", lines(*numbers))
    assert (kind, parsed) == ("lose", 1)
    assert ours == pytest.approx(score)


def test_the_lowest_score_of_eqbench_is_that_of_the_farthest_numbers():
    farthest = answers.closeness(dict.fromkeys("abcd", 10), dict.fromkeys("abcd", 0))
    assert load_game("static_eqbench").lowest_score == farthest == pytest.approx(-1.9908)


@given(st.text("ab_5: \n٣é-", max_size=30))
def test_intensities_are_what_the_pattern_finds(text):
    assert answers.read_intensities(text) == {word: int(n) for word, n in re.findall(r"(\w+):\s+(\d+)", text)}


def test_ifeval_needs_every_instruction_and_asks_for_room():
    assert result("ifeval", "Two words.") == WON
    assert result("ifeval", "Two, words.") == LOST
    assert result("ifeval", "") == LOST
    assert played("ifeval", "One,").reason == "not followed: punctuation:no_comma, length_constraints:number_words"
    assert Episode(GAMES["ifeval"], {"template": "", "input": "", "target": {}}).observe().max_tokens == 1280


@pytest.mark.parametrize("unit", cases("\n|[|a: |a:|aaa|9|: |answer is |answer is A|yes|\0|\ud800"))
def test_long_replies_are_marked_in_a_moment(unit):
    for name in NAMES:
        played(name, unit * (100_000 // len(unit)))


@given(st.text() | st.lists(st.sampled_from(cases("a|\n| |Calm: 6|Proud:|Yes|answer is (A)|\ud800"))).map("".join))
def test_any_reply_ends_the_episode(text):
    for name in NAMES:
        played(name, text)


def question(name: str, number: int = 0) -> dict[str, Any]:
    return {"category": name, "question": f"{name} {number}?", "options": ["one ", "two"], "answer": "B"}


REFERENCE = {"emotion1": "Angry", "emotion2": "Calm", "emotion3": "Sad", "emotion4": "Proud"}
REFERENCE |= {f"emotion{i}_score": str(n) for i, n in enumerate(EMOTIONS.values(), 1)}
FILES: dict[str, list[dict[str, Any]]] = {
    "clembench-playpen/cladder/full_v1.5_default/default": [{"prompt": "Does {it}?", "label": "no"}],
    "TIGER-Lab/MMLU-Pro/default/test": [question("law"), question("computer science", 1), question("law", 2)],
    "TIGER-Lab/MMLU-Pro/default/validation": [
        question(name, number) for number in range(10, 16) for name in ("computer science", "law")
    ],
    "pbevan11/EQ-Bench/default/validation": [{"prompt": "Ask", "reference_answer_fullscale": str(REFERENCE)}],
    "google/IFEval/default/train": [
        {
            "key": 1,
            "prompt": "Write",
            "instruction_id_list": list(TARGETS["ifeval"]),
            "kwargs": [{"num_words": None}, {"num_words": 2.0, "relation": "at least", "letter": None}],
        }
    ],
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAYPEN_DATA", str(tmp_path))
    for name, rows in FILES.items():
        write_rows(tmp_path / f"{name}.jsonl", rows)
    for task in GAMES["bbh"].experiments:
        write_rows(tmp_path / f"SaylorTwift/bbh/{task}/test.jsonl", [{"input": f"{task}?", "target": "(B)"}] * 2)
    return tmp_path


def test_items_from_data_sets(data):
    pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    counts = {"cladder": 1, "mmlu_pro": 3, "eqbench": 1, "ifeval": 1, "bbh": 54}
    rows = {name: load_instances(GAMES[name], "test").instances for name in NAMES}
    assert {name: len(part) for name, part in rows.items()} == counts
    assert [row["id"] for row in rows["mmlu_pro"]] == [
        "static_mmlu_pro/1/test/mmlu_pro_computer_science/0",
        "static_mmlu_pro/1/test/mmlu_pro_law/0",
        "static_mmlu_pro/1/test/mmlu_pro_law/1",
    ]
    assert rows["bbh"][-1]["id"] == "static_bbh/1/test/word_sorting/1"
    assert [rows[name][0]["target"] for name in ("cladder", "eqbench", "ifeval")] == ["no", EMOTIONS, TARGETS["ifeval"]]
    texts = {name: Episode(GAMES[name], part[-1]).observe().messages[-1]["content"] for name, part in rows.items()}
    assert (texts["eqbench"], texts["ifeval"]) == ("Ask", "Write")
    assert "\n\nDoes {it}?\n\n" in texts["cladder"]
    options = "Options:\nA. one\nB. two\n"
    assert texts["mmlu_pro"].startswith("Below are multiple-choice questions on law;")
    assert texts["mmlu_pro"].count(f"{options}The answer is (B)\n\n") == 5
    assert texts["mmlu_pro"].endswith(f"(B)\n\nQuestion:\nlaw 2?\n{options}")
    assert texts["bbh"].startswith("Sort a list of words.\n\nQ: Sort the following words alphabetically: List: oven")
    assert (texts["bbh"].count("\nA: "), texts["bbh"][-21:]) == (3, "\n\nQ: word_sorting?\nA:")
    for name in ("cladder", "mmlu_pro", "eqbench", "bbh"):
        for row in rows[name]:
            assert result(name, GAMES[name].solution(row)[0], row["target"]) == WON


@pytest.mark.parametrize("name", NAMES)
def test_missing_data_other_splits_and_broken_rows(data, name):
    with pytest.raises(UserError, match="has the split test only, not 'train'"):
        load_instances(GAMES[name], "train")
    for path in data.glob("*/*/*/*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        broken = {"label": "maybe", "answer": "C", "reference_answer_fullscale": "{}", "kwargs": []}
        write_rows(path, [{key: broken.get(key, value) for key, value in row.items()} for row in rows])
    if name != "bbh":
        with pytest.raises(UserError, match=r"row [01]: "):
            load_instances(GAMES[name], "test")
    for path in data.glob("*/*/*/*.jsonl"):
        path.unlink()
    with pytest.raises(MissingDataError, match="is missing"):
        load_instances(GAMES[name], "test")


def test_clembench_texts_and_refusals():
    def read(name: str, **changes: Any) -> dict[str, Any]:
        row = {"game_id": 4, "input": "What?", "target": TARGETS[name]}
        experiment = {key: value for key, value in changes.items() if key != "target"}
        return translate(
            GAMES[name], {"name": "e", **experiment}, row | {"target": changes.get("target", row["target"])}, "2.0"
        )

    row = read("cladder", initial_prompt="Think.\n{{prompt}}\nNow.")
    assert (row["id"], row["rules"]) == ("static_cladder/clembench-2.0/e/4", "clembench-2.0")
    assert Episode(GAMES["cladder"], row).observe().messages[-1]["content"] == "Think.\nWhat?\nNow."
    for name, bad in (("cladder", "maybe"), ("mmlu_pro", "K"), ("eqbench", {"A": 1}), ("ifeval", ["a"]), ("bbh", 3)):
        with pytest.raises(UserError, match="is no target"):
            read(name, target=bad)
    with pytest.raises(UserError, match=r"the pattern '\.' is not known"):
        read("mmlu_pro", regex_pattern=".")


@pytest.mark.parametrize(("name", "count"), [("eqbench", 171), ("ifeval", 541), ("bbh", 6511)])
def test_clembench_files_load_and_finish(shared, name, count):
    if name == "ifeval":
        pytest.importorskip("langdetect", reason="the extra lm-eval is not installed")
    game: Game = GAMES[name]
    rows = load_instances(game, f"clembench:{shared / 'clembench'}").instances
    assert len(rows) == count
    for row in rows[:: 1 + count // 600]:
        for style in ("best", "breaker"):
            episode = Episode(game, row)
            episode.act(scripted_reply(episode.observe(), style))
            assert episode.outcome
            assert (episode.outcome.kind == "aborted") == (style == "breaker" and name == "eqbench")
        if name != "ifeval":
            assert played(name, game.solution(row)[0], row["target"]).kind == "success"
