"""Tests for DPO and KTO."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from playpen_eval.train import dpo
from playpen_eval.train.chat import load_chat
from playpen_eval.train.config import DPO, KTO
from playpen_eval.train.examples import Allowed, Counts, Fitting, pair_examples
from playpen_eval.train.preference import with_mismatches
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM

from playpen_eval.cli import main
from playpen_eval.errors import UserError

SHARED: dict[str, Any] = {"adapter": "none", "max_length": 128, "batch_size": 4, "learning_rate": 1e-3, "log_every": 1}


def say(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def dialogue(*turns: str) -> list[dict[str, str]]:
    """The learner's words, with somebody else's in between."""
    made = []
    for turn in turns:
        made += [say("assistant", turn), say("user", "wrong again" if turn == "right" else "well done")]
    return made[:-1]


def pair(number: int = 0, **more: Any) -> dict[str, Any]:
    chosen, rejected = dialogue("left", "one word"), dialogue("right", "word", "go")
    return {
        "prompt": [say("user", ("first", "second", "now")[number % 3])],
        "chosen": chosen,
        "rejected": rejected,
        "chosen_learn": [0, 2],
        "rejected_learn": [0, 2, 4],
        "game": "chatter",
        "split": "train",
    } | more


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


@pytest.fixture
def pairs(tmp_path) -> Path:
    return write(tmp_path / "pairs.jsonl", [pair(number) for number in range(8)])


def side(model: Any, example: dict[str, Any], name: str) -> torch.Tensor:
    """Log-probability of what the learner said on one side, summed by hand."""
    ids = torch.tensor(example["prompt_ids"] + example[f"{name}_ids"])
    mask = torch.tensor([0] * len(example["prompt_ids"]) + example[f"{name}_mask"], dtype=torch.bool)
    probabilities = model(ids[None]).logits[0, :-1].log_softmax(-1)
    return probabilities.gather(-1, ids[1:, None])[:, 0][mask[1:]].sum()


def moved(folder: Path) -> Any:
    """The model with other weights, so that it differs from the reference."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    return model


@pytest.mark.parametrize("sft_weight", [0.0, 0.5])
def test_loss_and_gradient_are_those_of_the_learners_tokens_alone(sft_weight, model, pairs, caught, tmp_path):
    dpo.train(DPO(**SHARED, beta=0.3, sft_weight=sft_weight), str(model), [pairs], tmp_path / "out")
    (trainer,) = caught
    policy, reference = moved(model), AutoModelForCausalLM.from_pretrained(model)
    trainer.model.load_state_dict(policy.state_dict())
    examples = [trainer.train_dataset[place] for place in range(4)]
    loss = trainer.compute_loss(trainer.model, trainer.data_collator(examples))
    loss.backward()
    losses, likelihood, count = [], torch.zeros(()), 0
    for example in examples:
        better, worse = (
            side(policy, example, name) - side(reference, example, name).detach() for name in ("chosen", "rejected")
        )
        losses.append(-logsigmoid(0.3 * (better - worse)))
        likelihood = likelihood - side(policy, example, "chosen")
        count += sum(example["chosen_mask"])
    expected = torch.stack(losses).mean() + sft_weight * likelihood / count
    expected.backward()
    assert abs((loss - expected).item()) < 1e-6
    found = dict(trainer.model.named_parameters())
    for name, parameter in policy.named_parameters():
        assert torch.allclose(found[name].grad, parameter.grad, atol=1e-6), name


def test_other_speakers_words_carry_no_loss(model, pairs, caught, tmp_path):
    dpo.train(DPO(**SHARED), str(model), [pairs], tmp_path / "out")
    (trainer,) = caught
    batch = trainer.data_collator([trainer.train_dataset[place] for place in range(4)])
    tokenizer = load_chat(str(model)).tokenizer
    said = [tokenizer.decode(ids[mask == 1]) for ids, mask in zip(batch["input_ids"], batch["completion_mask"])]
    assert said[0].split("<end>") == ["left", " one word", ""] or said[0].replace(" ", "") == "left<end>oneword<end>"
    assert said[4].replace(" ", "") == "right<end>word<end>go<end>"
    # Both sides end with the learner's last word.
    for mask, seen in zip(batch["completion_mask"], batch["attention_mask"]):
        assert mask[int(seen.sum()) - 1] == 1


def test_labelled_dialogues_are_masked_too(model, caught, tmp_path):
    records = [
        {"prompt": [say("user", word)], "completion": dialogue("left", "one word"), "learn": [0, 2], "label": good}
        | {"game": "chatter", "split": "train"}
        for word in ("first", "second", "now")
        for good in (True, False)
    ]
    data = write(tmp_path / "kto.jsonl", records)
    dpo.train_kto(KTO(**SHARED), str(model), [data], tmp_path / "out")
    (trainer,) = caught
    batch = trainer.data_collator([trainer.train_dataset[place] for place in range(4)])
    tokenizer = load_chat(str(model)).tokenizer
    for prefix in ("", "KL_"):
        for ids, mask in zip(batch[f"{prefix}input_ids"], batch[f"{prefix}completion_mask"]):
            assert tokenizer.decode(ids[mask == 1]).replace(" ", "") == "left<end>oneword<end>"
    example = trainer.train_dataset[0]
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    assert torch.isfinite(loss)
    assert len(example["KL_completion_ids"]) == len(example["KL_completion_mask"])
    good = write(tmp_path / "good.jsonl", [one for one in records if one["label"]])
    with pytest.raises(UserError, match="only good dialogues"):
        dpo.train_kto(KTO(**SHARED), str(model), [good], tmp_path / "good")


def test_mismatched_answers_are_the_neighbours():
    examples = [{"prompt_ids": [n], "completion_ids": [n, n], "completion_mask": [1, n % 2]} for n in range(5)]
    made = with_mismatches(examples, 2)
    assert [one["KL_completion_ids"] for one in made] == [[1, 1], [0, 0], [3, 3], [2, 2]]
    assert [one["KL_completion_mask"] for one in made] == [[1, 1], [1, 0], [1, 1], [1, 0]]


def pairs_of(model: Path, records: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Counts]:
    counts = Counts()
    chat = load_chat(str(model))
    return pair_examples(records, "file", chat, Fitting(128, "refuse", counts), counts, Allowed(False)), counts


def row(reward: float | None, ids: list[int], instance: str = "i") -> dict[str, Any]:
    return {
        "prompt_ids": [3, 4], "completion_ids": ids, "mask": [1] * len(ids), "turn_of": [0] * len(ids),
        "reward": reward, "turn_rewards": [0.0], "logprobs": None, "game": "chatter", "version": 1,
        "instance": instance, "seat": "a",
        "experiment": "e", "split": "train", "kind": "success", "score": 1.0, "episode": "e", "part": 0, "player": "p",
        "partner": "q", "source": "play",
    }  # fmt: skip


def test_rows_of_an_instance_become_pairs(model):
    rows = [row(1.0, [5, 1]), row(0.0, [6, 1]), row(0.5, [7, 1]), row(0.5, [8, 1]), row(None, [9, 1])]
    made, counts = pairs_of(model, [*rows, row(0.0, [10, 1], "j")])
    assert [(one["chosen_ids"], one["rejected_ids"]) for one in made] == [([5, 1], [6, 1])]
    assert counts.used == 1


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([pair(chosen_learn=[])], "no message of the learner"),
        ([{"messages": [], "split": "train"}], "is no preference pair"),
        ([pair(split="test")], "of the test split"),
        ([pair(rejected=dialogue("left", "one word"), rejected_learn=[0, 2])], "sides that do not differ"),
        ([pair(rejected_learn=[1])], "no assistant's answer"),
        ([row(1.0, [5, 1])], "no pair to train on"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(model, records, said):
    with pytest.raises(UserError, match=said):
        pairs_of(model, records)


@pytest.mark.parametrize("adapter", ["none", "lora"])
def test_training_prefers_the_chosen_sides(adapter, model, pairs, tmp_path):
    setting = ("max_length=128", "learning_rate=1e-2", "batch_size=4", "log_every=1", f"adapter={adapter}", "epochs=4")
    sets = [word for one in setting for word in ("--set", one)]
    command = ["train", "dpo", "--model", str(model), "--data", str(pairs), "-o", str(tmp_path / "out"), *sets]
    assert main(command) == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert lines[0]["rewards/margins"] == pytest.approx(0, abs=1e-6)
    assert max(line["rewards/margins"] for line in lines[:-1]) > 0.1
    if adapter == "lora":  # an adapter that is trained on is its own reference
        again = [word if word != str(model) else str(tmp_path / "out") for word in command]
        again[again.index("-o") + 1] = str(tmp_path / "more")
        assert main(again) == 0
        lines = [json.loads(line) for line in (tmp_path / "more" / "log.jsonl").read_text().splitlines()]
        assert lines[0]["rewards/margins"] == pytest.approx(0, abs=1e-6)
        assert not (tmp_path / "more" / "ref").exists()
