"""The small model: repeatable, loadable as any checkpoint, words as single tokens, a template fit for training."""

# pyright: reportMissingImports=false

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.registry import load_game

pytest.importorskip("transformers", reason="the extra hf is not installed")

from playpen_eval.train.nano import MARKS, default_games, make_model, make_nano, played_out

CHAT = [
    {"role": "system", "content": "Play."},
    {"role": "user", "content": "QUESTION: animal"},
    {"role": "assistant", "content": "ANSWER: cat"},
    {"role": "user", "content": "ASKED: place"},
    {"role": "assistant", "content": "ANSWER: no"},
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("nano") / "model"
    return folder, make_nano(folder)


@pytest.fixture(scope="module")
def tokenizer(made: tuple[Path, dict[str, Any]]) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(made[0])


def test_it_knows_the_practice_games_and_says_what_it_is(made: tuple[Path, dict[str, Any]]) -> None:
    folder, about = made
    assert about["games"] == default_games()
    assert {"practice_slots", "practice_news", "practice_drills"} <= set(default_games())
    written = json.loads((folder / "nano.json").read_text())
    assert {name: written[name] for name in about} == about
    assert "playpen-eval" in written["versions"]
    assert 100_000 < about["weights"] < 130_000


def test_the_same_seed_gives_the_same_files_and_another_one_other_weights(
    made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    import torch

    torch.manual_seed(123)  # whatever the caller did before
    before = torch.random.get_rng_state()
    make_nano(tmp_path / "again")
    assert torch.equal(torch.random.get_rng_state(), before)
    digests = [
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        for folder in (made[0], tmp_path / "again")
    ]
    assert digests[0] == digests[1]
    one, other = (make_model(300, "small", seed).model.embed_tokens.weight for seed in (0, 1))
    assert not torch.equal(one, other)


def test_the_checkpoint_loads_and_its_output_is_tied(made: tuple[Path, dict[str, Any]]) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(made[0])
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert 0.09 < model.model.embed_tokens.weight.std() < 0.11
    assert sum(weight.numel() for weight in model.parameters()) == made[1]["weights"]


def test_words_of_the_games_are_single_tokens_and_any_text_comes_back(tokenizer: Any) -> None:
    for word in ("ANSWER", "QUESTION", " cat", " lake", " red", " yes"):
        assert len(tokenizer.encode(word)) == 1, word
    for text in ("ANSWER: cat", "Zürich — 🙂\n\n  two  blanks", "\x00\u202e"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_short_rules_are_a_token_for_each_line_and_any_text_comes_back(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    about = make_nano(tmp_path / "short", ["lmrl_wordle"], short_rules=True)
    assert about["short_rules"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "short")
    first = {one.instance["experiment"]: one.turns[0].text for one in played_out(load_game("lmrl_wordle"))}
    assert len(first) == 2
    for text in first.values():
        ids = tokenizer.encode(text)
        assert len(ids) < 20 < len(text.split()) / 4
        assert tokenizer.decode(ids) == text
    marks = "s h i r e\nb y g b b"
    assert len(tokenizer.encode(marks)) == 11
    assert tokenizer.decode(tokenizer.encode(marks + first["loose"])) == marks + first["loose"]


def test_the_template_appends_only_and_marks_what_is_learned(tokenizer: Any) -> None:
    whole = tokenizer.apply_chat_template(CHAT, return_dict=True, return_assistant_tokens_mask=True)
    for length in range(1, len(CHAT)):
        opening = CHAT[length]["role"] == "assistant"
        part = tokenizer.apply_chat_template(CHAT[:length], add_generation_prompt=opening, return_dict=False)
        assert whole["input_ids"][: len(part)] == part
    learned = [i for i, mask in zip(whole["input_ids"], whole["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(learned) == "ANSWER: cat<|end|>ANSWER: no<|end|>"
    assert tokenizer.eos_token == "<|end|>"
    assert [tokenizer.convert_tokens_to_ids(mark) for mark in MARKS] == list(range(5))


def test_episodes_are_never_of_the_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    from playpen_eval.train import nano

    asked = []
    real = nano.generate
    monkeypatch.setattr(nano, "generate", lambda game, split, *more: (asked.append(split), real(game, split, *more))[1])
    monkeypatch.setattr(nano, "EPISODES", 2)
    for name in ("practice_slots", "practice_news"):
        assert played_out(load_game(name))
    assert asked == ["train", "validation"]


def test_bad_input_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="did you mean 'medium'"):
        make_nano(tmp_path / "a", size="medum")
    with pytest.raises(UserError, match="did you mean 'taboo'"):
        make_nano(tmp_path / "a", ["tabboo"])
    with pytest.raises(UserError, match="not -1"):
        make_nano(tmp_path / "a", seed=-1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    assert main(["nano", str(tmp_path / "full")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine"


def test_the_command_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nano", str(tmp_path / "m"), "--games", "practice_drills", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert "seed 3" in out
    assert f"--model playpen-local/{tmp_path / 'm'}" in out
