"""Tests for SFT, and for what all trainings share: folders, resuming, several processes."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from playpen_eval.train import sft
from playpen_eval.train.chat import load_chat
from playpen_eval.train.config import SFT
from playpen_eval.train.examples import Allowed, Counts, Fitting, sft_examples
from playpen_eval.train.recipe_files import load_config
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM
from trl.trainer.sft_trainer import SFTTrainer

from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.instances import load_instances
from playpen_eval.registry import load_game

ROOT = Path(sft.__file__).resolve().parents[1]
REPLIES = ("left", "right word", "one left now", "done")


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def record(number: int = 0, turns: int = 2, **more: Any) -> dict[str, Any]:
    messages = [
        made
        for turn in range(turns)
        for made in (user("go one word" if turn else "say"), assistant(REPLIES[(number + turn) % len(REPLIES)]))
    ]
    return {"messages": messages, "learn": [*range(1, 2 * turns, 2)], "game": "chatter", "split": "train"} | more


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path) -> Path:
    return write(tmp_path / "data.jsonl", [record(number, 1 + number % 3) for number in range(24)])


def config(**more: Any) -> SFT:
    given = {"adapter": "none", "max_length": 128, "learning_rate": 1e-2, "batch_size": 4, "log_every": 1}
    return SFT(**(given | more))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return AutoModelForCausalLM.from_pretrained(folder).state_dict()


def test_loss_and_gradient_are_those_of_the_learners_tokens_alone(model, data, caught, tmp_path):
    sft.train(config(), str(model), [data], tmp_path / "out")
    (trainer,) = caught
    examples = [trainer.train_dataset[place] for place in range(4)]
    loss = trainer.compute_loss(trainer.model, trainer.data_collator(examples))
    loss.backward()
    plain = AutoModelForCausalLM.from_pretrained(model)
    sums, count = torch.zeros(()), 0
    for example in examples:
        ids, labels = torch.tensor(example["input_ids"]), torch.tensor(example["labels"])
        logits = plain(ids[None]).logits[0]
        said = (labels != -100).nonzero()[:, 0]
        assert 0 < len(said) < len(ids) / 2
        sums = sums + cross_entropy(logits[said - 1], ids[said], reduction="sum")
        count += len(said)
    (sums / count).backward()
    assert abs((loss - sums / count).item()) < 1e-6
    found = dict(trainer.model.named_parameters())
    for name, parameter in plain.named_parameters():
        assert parameter.grad is not None, name
        assert torch.allclose(found[name].grad, parameter.grad, atol=1e-6), name


@pytest.mark.parametrize("kind", ["nll", "dft"])
@pytest.mark.parametrize("learned", [None, 7])
def test_the_loss_of_a_cpu_is_trls(model, data, caught, tmp_path, kind, learned):
    sft.train(config(trainer={"loss_type": kind}), str(model), [data], tmp_path / "out")
    (trainer,) = caught
    batch = trainer.data_collator([trainer.train_dataset[place] for place in range(4)])
    own = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=learned)
    theirs = SFTTrainer.compute_loss(trainer, trainer.model, dict(batch), num_items_in_batch=learned)
    assert (type(trainer) is SFTTrainer) == torch.cuda.is_available()
    assert torch.allclose(own, theirs)


def test_other_speakers_words_carry_no_loss(model, data, caught, tmp_path):
    sft.train(config(), str(model), [data], tmp_path / "out")
    (trainer,) = caught
    batch = trainer.data_collator([trainer.train_dataset[place] for place in range(4)])
    labels = batch.pop("labels")
    logits = trainer.model(**batch).logits.detach().requires_grad_()
    cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()).backward()
    touched = logits.grad.abs().sum(-1) > 0
    assert torch.equal(touched[:, :-1], labels[:, 1:] != -100)
    chat = load_chat(str(model))
    said = chat.tokenizer.batch_decode([row[row != -100] for row in labels])
    assert all(text.endswith("<end>") and "User" not in text and "go" not in text for text in said)


def examples_of(model: Path, records: list[dict[str, Any]], overlong: str = "refuse", limit: int = 128) -> Any:
    counts = Counts()
    chat = load_chat(str(model))
    fitting = Fitting(limit, overlong, counts)
    return sft_examples(records, "file", chat, fitting, counts, Allowed(False)), counts


def test_long_rows_are_refused_dropped_or_cut_by_turns(model):
    records = [record(0, 1), record(0, 6)]
    short, long = (len(one["input_ids"]) for one in examples_of(model, records)[0])
    with pytest.raises(UserError, match=rf"1 rows are longer than max_length {long - 1} \(the longest has {long} tok"):
        examples_of(model, records, limit=long - 1)
    kept, counts = examples_of(model, records, "drop", long - 1)
    assert [len(one["input_ids"]) for one in kept] == [short]
    assert counts.to_dict()["left_out"] == {"longer than max_length": 1}
    kept, counts = examples_of(model, records, "cut", long - 1)
    whole = examples_of(model, [record(0, 5)])[0][0]
    assert kept[1] == whole
    assert counts.cut == 1
    with pytest.raises(UserError, match="its first turn does not fit"):
        examples_of(model, records, "cut", short - 1)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([record(learn=[])], "no message of the learner"),
        ([record(split="test")], "is of the test split"),
        ([record(game="codenames")], "held out from training"),
        ([{"prompt": [], "chosen": [], "rejected": []}], "train dpo takes those"),
        ([{"text": "hello"}], "neither prompt_ids nor messages"),
        ([{"messages": ["hello"]}], "neither prompt_ids nor messages"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(model, records, said):
    with pytest.raises(UserError, match=said):
        examples_of(model, records)


def row(**more: Any) -> dict[str, Any]:
    found = {"prompt_ids": [3, 4], "completion_ids": [5, 1], "mask": [1, 1], "turn_of": [0, 0], "reward": 1.0}
    found |= {"turn_rewards": [0.0], "logprobs": None, "game": "chatter", "version": 1, "instance": "i", "seat": "a"}
    meta = {"experiment": "e", "split": "train", "kind": "success", "score": 1.0, "episode": "e0", "part": 0}
    return found | meta | {"player": "p", "partner": "q", "source": "play"} | more


def test_rows_with_ids_are_taken_as_they_are(model):
    made, counts = examples_of(model, [row(), row(mask=[0, 0], turn_of=[-1, -1], turn_rewards=[])])
    assert made == [{"input_ids": [3, 4, 5, 1], "labels": [-100, -100, 5, 1]}]
    assert counts.left_out == {"no token of the learner": 1}
    with pytest.raises(UserError, match="has the token 9999, but the tokenizer has"):
        examples_of(model, [row(completion_ids=[9999, 1])])
    with pytest.raises(UserError, match="nothing to train on: 1 records: no token of the learner"):
        examples_of(model, [row(mask=[0, 0], turn_of=[-1, -1], turn_rewards=[])])


def test_instances_of_the_test_split_are_found_by_id_and_by_content(model):
    game = load_game("taboo")
    instance = load_instances(game, "test").instances[0]
    with pytest.raises(UserError, match="of the test instance taboo"):
        examples_of(model, [record(game="taboo", instance=instance["id"])])
    from playpen_eval.train.data.dialogues import fingerprint

    with pytest.raises(UserError, match="has the content of a test instance"):
        examples_of(model, [record(game="taboo", instance="other", key=fingerprint(game, instance).key)])


def test_general_conversations_are_mixed_in_by_their_ratio(model, data, caught, tmp_path):
    general = write(tmp_path / "general.jsonl", [{"messages": record(number)["messages"]} for number in range(50)])
    sft.train(config(general=str(general), general_ratio=0.5), str(model), [data], tmp_path / "out")
    assert len(caught[0].train_dataset) == 24 + 12


def test_rewards_select(model, caught, tmp_path):
    data = write(tmp_path / "d.jsonl", [record(1, reward=reward) for reward in (0.2, 0.6, None, 1.0)])
    sft.train(config(min_reward=0.5), str(model), [data], tmp_path / "out")
    assert len(caught[0].train_dataset) == 2


def arguments(model: Path, data: Path, output: Path, *more: str) -> list[str]:
    setting = ("max_length=128", "learning_rate=1e-2", "batch_size=4", "log_every=1", "save_every=4", "epochs=2")
    sets = [word for one in setting for word in ("--set", one)]
    return ["train", "sft", "--model", str(model), "--data", str(data), "-o", str(output), *sets, *more]


def steps_of(folder: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


@pytest.mark.parametrize("adapter", ["none", "lora"])
def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(adapter, model, data, tmp_path, stopped, capsys):
    def run(name: str, *more: str) -> int:
        return main(arguments(model, data, tmp_path / name, "--set", f"adapter={adapter}", *more))

    assert run("whole") == 0
    with stopped(6):
        assert run("broken") == 130
    said = capsys.readouterr().err
    assert "stopped at step 6" in said
    assert "checkpoint-4 is kept" in said
    assert "--resume" in said
    assert run("broken") == 2
    assert "give --resume to continue its run" in capsys.readouterr().err
    assert run("broken", "--resume", "--set", "seed=1") == 2
    assert "was begun with seed 0, not 1" in capsys.readouterr().err
    assert run("broken", "--resume") == 0
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    start = weights(model)
    assert not all(torch.equal(whole[name], start[name]) for name in whole if name in start) or adapter == "lora"
    logs = [steps_of(tmp_path / name) for name in ("whole", "broken")]
    assert logs[0] == logs[1]
    assert [step for step, _ in logs[0]] == list(range(1, 13))
    assert run("broken", "--resume") == 0  # finished: nothing to do
    told = json.loads((tmp_path / "broken" / "training.json").read_text())
    assert (told["state"], told["steps"], told["examples"]["used"]) == ("finished", 12, 24)
    assert told["data"][0]["sha256"]
    assert told["chat"]["sha256"]
    assert told["made_with"]["trl"]


def test_the_result_is_loaded_with_its_template_and_can_be_trained_on(model, data, tmp_path, monkeypatch):
    assert main(arguments(model, data, tmp_path / "first", "--set", "adapter=lora", "--set", "max_steps=2")) == 0
    assert load_chat(str(tmp_path / "first")).sha256 == load_chat(str(model)).sha256
    monkeypatch.chdir(tmp_path)  # the adapter's base is found from any folder
    assert main(arguments(tmp_path / "first", data, tmp_path / "second", "--set", "max_steps=2")) == 0
    adapter = json.loads((tmp_path / "second" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == str(model.resolve())
    assert main(arguments(tmp_path / "first", data, tmp_path / "third", "--set", "adapter=none")) == 2


def test_bad_input_is_an_error_before_the_first_step(model, data, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "empty.jsonl").touch()
    cases = [
        (arguments(model, tmp_path / "none.jsonl", tmp_path / "a"), "none.jsonl does not exist"),
        (arguments(model, tmp_path / "empty.jsonl", tmp_path / "b"), "holds no records"),
        (arguments(tmp_path / "no-model", data, tmp_path / "c"), "cannot load"),
        (arguments(model, data, tmp_path / "full"), "is not empty"),
        (arguments(model, data, tmp_path / "full", "--resume"), "holds no run to resume"),
        (arguments(model, data, tmp_path / "d", "--set", "max_length=4096"), "more than the 256 positions"),
        (arguments(model, data, tmp_path / "e", "--set", "trainer.packin=true"), "did you mean 'packing'"),
        (arguments(model, data, tmp_path / "f", "--set", "trainer.seed=3"), "set from the recipe's other keys"),
        (arguments(model, data, tmp_path / "g", "--set", "schedule=sawtooth"), "SFTConfig refuses"),
        (arguments(model, data, tmp_path / "h", "--set", "chat_template=none.jinja"), "cannot read the chat template"),
        ([*arguments(model, data, tmp_path / "i")[:4], "-o", str(tmp_path / "i")], "sft needs --data"),
        (["train", "sft", "--data", str(data), "-o", str(tmp_path / "j")], "no model"),
    ]
    for command, said in cases:
        assert main(command) == 2, command
        assert said in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main(arguments(model, data, tmp_path / "k", "--set", "adapter=qlora")) == 2
        assert "pip install bitsandbytes" in capsys.readouterr().err


TWO = """
import json, os, sys
from playpen_eval.train import sft, grpo
from playpen_eval.train.config import SFT
from playpen_eval.train.recipe_files import load_config
from pathlib import Path
model, data, out = sys.argv[1:]
config = SFT(adapter="none", max_length=128, batch_size=4, max_steps=3, log_every=1)
log = sft.train(config, model, [Path(data)], Path(out, "sft"))
settings = ["games=[echo]", "adapter=none", "max_length=64", "batch_size=16", "group_size=4", "max_steps=2",
            "learner=self", "save_every=1"]
log += grpo.train(load_config("grpo", None, settings), model, Path(out, "grpo"))
Path(out, "rank" + os.environ["RANK"]).write_text(json.dumps([one["loss"] for one in log if "loss" in one]))
"""


def test_two_processes_train_side_by_side(model, data, games, tmp_path):
    games("echo")
    script = tmp_path / "two.py"
    script.write_text(TWO)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    # What accelerate's launcher starts; on CPUs alone that one wants MPI.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, str(script), str(model), str(data), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"rank{rank}").read_text()) for rank in range(2)]
    assert ranks[0] == ranks[1]
    assert len(ranks[0]) == 5
    assert all(abs(loss) < 100 for loss in ranks[0])
    assert ranks[0][0] > 0.5
    told = json.loads((tmp_path / "grpo" / "training.json").read_text())
    assert (told["processes"], told["state"]) == (2, "finished")


def test_the_scripts_run_by_path(model):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for name in ("sft", "dpo", "grpo", "rft", "mc", "ilql"):
        command = [sys.executable, str(ROOT / "train" / f"{name}.py"), "--help"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "--recipe" in done.stdout


def test_the_configuration_is_what_the_recipe_says(model, data, caught, tmp_path):
    recipe = load_config("sft", "laptop-sft", ["max_length=128"])
    sft.train(recipe, str(model), [data], tmp_path / "out")  # type: ignore[arg-type]
    args = caught[0].args
    assert (args.use_cpu, args.bf16, args.report_to, args.activation_checkpointing) == (True, False, [], False)
    assert (args.learning_rate, args.adam_beta2, args.max_steps) == (3e-3, 0.98, 900)
