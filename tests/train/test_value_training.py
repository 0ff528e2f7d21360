"""MC returns and ILQL: what is read of data, and whole runs."""
# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from playpen_eval.train.chains import UNFINISHED, chains
from playpen_eval.train.chat import load_chat
from playpen_eval.train.episodes import best_episodes, episode_rows
from playpen_eval.train.examples import Allowed, Counts
from playpen_eval.train.rows import Row, RowMeta

from playpen_eval.cli import main
from playpen_eval.errors import UserError

META = RowMeta("walk", 1, "walk/1", "e", "train", "walker", "success", 1.0, "e1")
WORDS = ("left", "right", "go", "now")


def chat_record(episode: int, part: int = 0, turns: int = 2, **more: Any) -> dict[str, Any]:
    messages: list[dict[str, str]] = []
    for turn in range(turns):
        messages.append({"role": "user", "content": f"say {WORDS[(episode + turn) % 4]}"})
        messages.append({"role": "assistant", "content": WORDS[(episode * 3 + turn) % 4]})
    about = dataclasses.asdict(META) | {"game": "chatter", "episode": f"e{episode}", "part": part}
    paid = [-1.0] * (turns - 1) + [float(episode % 3)]
    return (
        {"messages": messages, "learn": [*range(1, 2 * turns, 2)], "turn_rewards": paid, "reward": 1.0} | about | more
    )


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path) -> Path:
    whole = [chat_record(number, turns=1 + number % 3) for number in range(16)]
    steps = [chat_record(20 + number, part, 1) for number in range(4) for part in (1, 2, 3)]
    return write(tmp_path / "data.jsonl", whole + steps)


def rows_of(model: Path, records: list[dict[str, Any]]) -> list[Row]:
    return episode_rows(records, "file", load_chat(str(model)), Counts(), Allowed(False))


def test_records_keep_what_their_turns_were_paid(model):
    record = chat_record(0, turns=2)
    asked = {"role": "user", "content": "say go"}
    unfinished = {"kind": UNFINISHED, "reward": None, "score": None}
    open_end = chat_record(1, turns=1, **unfinished)
    open_end["messages"] = [*open_end["messages"], asked]
    step, state = chat_record(2, 1, 1, **unfinished), chat_record(2, 2, 0, **unfinished)
    state |= {"messages": [asked], "learn": [], "turn_rewards": []}
    whole, talk, walk = chains(rows_of(model, [record, open_end, step, state]))
    tokenizer = load_chat(str(model)).tokenizer
    assert whole.rewards == [0.0, -1.0, 0.0, 0.0]  # a word and the end token for each turn
    assert whole.after is None
    ids = talk.rows[0].prompt_ids + talk.rows[0].completion_ids
    assert talk.after == (0, len(ids))
    assert tokenizer.decode(ids).endswith("say go Assistant :")
    assert walk.after == (1, len(walk.rows[1].prompt_ids))
    assert tokenizer.decode(walk.rows[1].prompt_ids) == "User : say go Assistant :"
    kept = dataclasses.asdict(walk.rows[0])
    assert rows_of(model, [walk.rows[0].to_dict()])[0] == walk.rows[0]
    assert kept["turn_rewards"] == [2.0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"turn_rewards": None}, "record 1 lacks turn_rewards; playpen-eval data makes whole episodes"),
        ({"episode": None}, "record 1 lacks episode"),
        ({"turn": 1}, "record 1 is one turn of an episode"),
        ({"split": "test"}, "is of the test split"),
        ({"turn_rewards": [0.0]}, "of turn 1 of 1"),
    ],
)
def test_records_that_are_no_episodes_are_refused(change, said, model):
    record = chat_record(0) | change
    record = {name: value for name, value in record.items() if value is not None}
    with pytest.raises(UserError, match=said):
        rows_of(model, [record])


def test_the_episodes_with_the_highest_return_are_kept_whole():
    paid = {0: 5.0, 1: -1.0, 2: 3.0, 3: 3.0, 4: 3.0}
    records = [chat_record(one, part, 1, turn_rewards=[value / 2]) for one, value in paid.items() for part in (1, 2)]
    records += [chat_record(9, 0, 1, turn_rewards=[99.0], reward=None, kind=kind) for kind in ("failed", UNFINISHED)]
    counts = Counts()
    kept = best_episodes(records, "file", 0.4, 0, counts)
    assert [one["part"] for one in kept] == [1, 2, 1, 2]
    assert kept[0]["episode"] == "e0"
    assert kept[2]["episode"] in ("e2", "e3", "e4")
    assert counts.left_out == {"of an episode without a return": 2, "not of the top 0.4": 6}
    drawn = {best_episodes(records, "file", 0.4, seed, Counts())[2]["episode"] for seed in range(20)}
    assert drawn == {"e2", "e3", "e4"}
    assert len(best_episodes(records, "file", 0.01, 0, Counts())) == 2
    with pytest.raises(UserError, match="record 1 is no whole episode with rewards"):
        best_episodes([{"messages": []}], "file", 0.5, 0, Counts())


def arguments(method: str, model: Path, data: Path, output: Path, *more: str) -> list[str]:
    setting = ("max_length=128", "learning_rate=1e-2", "batch_size=8", "log_every=2", "save_every=2", "max_steps=6")
    sets = [word for one in (*setting, "beta=2", "threads=1") for word in ("--set", one)]
    return ["train", method, "--model", str(model), "--data", str(data), "-o", str(output), *sets, *more]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize(("method", "adapter"), [("mc", "none"), ("ilql", "none"), ("ilql", "lora")])
def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(
    method, adapter, model, data, tmp_path, stopped, capsys
):
    def run(name: str, *more: str) -> int:
        return main(arguments(method, model, data, tmp_path / name, "--set", f"adapter={adapter}", *more))

    assert run("whole") == 0
    with stopped(5):
        assert run("broken") == 130
    said = capsys.readouterr().err
    assert "stopped at step 5" in said
    assert "checkpoint-4 is kept" in said
    assert run("broken", "--resume", "--set", "beta=3") == 2
    assert "was begun with beta 2.0, not 3.0" in capsys.readouterr().err
    begun = tmp_path / "broken" / "training.json"
    record = json.loads(begun.read_text())
    del record["config"]["accumulate"]  # as if it had been begun before there was this setting
    begun.write_text(json.dumps(record))
    assert run("broken", "--resume", "--set", "accumulate=2") == 2
    assert "was begun with accumulate 1, not 2" in capsys.readouterr().err
    (tmp_path / "broken" / "checkpoint-4.tmp").mkdir()  # what a killed process leaves
    assert run("broken", "--resume") == 0
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines()[:-1] for name in ("whole", "broken")]
    assert logs[0] == logs[1]
    assert [json.loads(line)["step"] for line in logs[0]] == [2, 4, 6]
    assert run("broken", "--resume") == 0  # finished: nothing to do
    told = json.loads((tmp_path / "broken" / "training.json").read_text())
    assert (told["state"], told["steps"], told["examples"]["episodes"]) == ("finished", 6, 20)
    before = weights(model)
    assert all(torch.equal(whole[f"policy.{name}"], weight) for name, weight in before.items())
    assert not torch.equal(
        whole["values.base.layers.0.mlp.up_proj.weight"], before["model.layers.0.mlp.up_proj.weight"]
    )


def test_adapters_of_a_clone_and_of_its_values_are_merged(model, data, tmp_path):
    clone = ["train", "sft", "--model", str(model), "--data", str(data), "-o", str(tmp_path / "bc")]
    assert main([*clone, "--set", "adapter=lora", "--set", "max_length=128", "--set", "max_steps=1"]) == 0
    out = tmp_path / "mc"
    assert main(arguments("mc", tmp_path / "bc", data, out, "--set", "adapter=lora")) == 0
    found, before = weights(out), weights(model)
    changed = {name for name, weight in before.items() if not torch.equal(found[f"policy.{name}"], weight)}
    inner = {name.removeprefix("model."): weight for name, weight in before.items() if name.startswith("model.")}
    learned = {name for name, weight in inner.items() if not torch.equal(found[f"values.base.{name}"], weight)}
    assert changed
    assert all("_proj" in name for name in changed)
    assert learned
    assert all("_proj" in name for name in learned)


def test_accumulated_batches_are_one_larger_batch(model, data, tmp_path):
    for name, size, accumulate in (("one", 8, 1), ("two", 4, 2)):
        sets = ("--set", f"batch_size={size}", "--set", f"accumulate={accumulate}", "--set", "max_steps=1")
        assert main(arguments("mc", model, data, tmp_path / name, *sets)) == 0
    one, two = (json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[0]) for name in ("one", "two"))
    assert one["q_loss"] == pytest.approx(two["q_loss"], rel=0.2)  # rows of different length weigh a little otherwise


def test_bad_data_are_an_error_before_the_first_step(model, data, tmp_path, capsys):
    free = write(tmp_path / "free.jsonl", [chat_record(0, turn_rewards=[0.0, 0.0])])
    lost = write(tmp_path / "lost.jsonl", [chat_record(0, 1, 1), chat_record(0, 3, 1)])
    failed = write(tmp_path / "failed.jsonl", [chat_record(0, kind="failed", reward=None)])
    cases = [
        (arguments("mc", model, free, tmp_path / "a"), "all rewards are 0"),
        (arguments("ilql", model, lost, tmp_path / "b"), "part 2 of 3 is missing"),
        (arguments("ilql", model, failed, tmp_path / "c"), "no episode to learn from"),
        (arguments("mc", model, data, tmp_path / "d", "--set", "max_length=8"), "longer than max_length 8 (up to"),
        (arguments("mc", model, data, tmp_path / "e", "--set", "schedule=sawtooth"), "schedule: "),
        (arguments("mc", model, tmp_path / "none.jsonl", tmp_path / "f"), "none.jsonl does not exist"),
        (["train", "ilql", "--model", str(model), "-o", str(tmp_path / "g")], "ilql needs --data"),
    ]
    for command, said in cases:
        assert main(command) == 2, command
        assert said in capsys.readouterr().err
    assert main(arguments("mc", model, free, tmp_path / "h", "--set", "paid=outcome", "--set", "max_steps=1")) == 0
