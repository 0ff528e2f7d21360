"""MC returns and ILQL: batches, losses by hand, a small problem with known values, and whole runs."""
# pyright: reportMissingImports=false

from __future__ import annotations

import copy
import dataclasses
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from playpen_eval.train import ilql, mc
from playpen_eval.train.callbacks import Progress
from playpen_eval.train.chains import UNFINISHED, chains
from playpen_eval.train.chat import load_chat
from playpen_eval.train.config_lmrl import ILQL, MC
from playpen_eval.train.episodes import best_episodes, episode_rows
from playpen_eval.train.examples import Allowed, Counts
from playpen_eval.train.rows import Row, RowMeta
from playpen_eval.train.values import WORTH, Link, collate, hidden, links
from torch import nn

from playpen_eval.cli import main
from playpen_eval.errors import UserError

SIZE = 10
META = RowMeta("walk", 1, "walk/1", "e", "train", "walker", "success", 1.0, "e1")


def row(part: int, prompt: list[int], said: list[int], paid: float, episode: str = "e1", kind: str = "success") -> Row:
    meta = dataclasses.replace(META, part=part, episode=episode, kind=kind)
    return Row(prompt, said, [1] * len(said), [0] * len(said), 1.0, meta, [paid])


class Prefixes(nn.Module):
    """A transformer's place, taken by a table: the vector at a position is one-hot for all tokens up to there."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[tuple[int, ...], int] = {}

    def number(self, *prefix: int) -> int:
        return self.known.setdefault(prefix, len(self.known))

    def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
        numbers = [[self.number(*one[: place + 1]) for place in range(len(one))] for one in input_ids.tolist()]
        return SimpleNamespace(last_hidden_state=nn.functional.one_hot(torch.tensor(numbers), 64).float())


class Table(nn.Module):
    """Values as a table."""

    def __init__(self, *q_heads: str) -> None:
        super().__init__()
        self.base = Prefixes()
        heads = {name: nn.Linear(64, SIZE, bias=False) for name in q_heads} | {"v": nn.Linear(64, 1, bias=False)}
        self.heads: Any = nn.ModuleDict(heads)
        for head in self.heads.values():
            nn.init.zeros_(head.weight)

    def set(self, head: str, value: float, *prefix: int, token: int = 0) -> None:
        with torch.no_grad():
            self.heads[head].weight[token, self.base.number(*prefix)] = value

    def get(self, head: str, *prefix: int, token: int = 0) -> float:
        return self.heads[head].weight[token, self.base.number(*prefix)].item()

    def q(self, states: torch.Tensor) -> torch.Tensor:
        return torch.stack([head(states) for name, head in self.heads.items() if name != "v"]).amin(0)


def two_steps() -> list[Link]:
    """Two rows of one chain: 5, 6 are said to 1 and paid -1, then 5, 7 to 2 and paid -2."""
    (chain,) = chains([row(1, [1], [5, 6], -1.0), row(2, [2], [5, 7], -2.0)])
    return links(chain, 0.5)


def test_the_next_state_of_a_token_is_found_across_rows():
    first, second = two_steps()
    assert (first.places, first.after, first.others) == ([1, 2], [(0, 2), (1, 1)], [[2]])
    assert (second.places, second.after, second.others) == ([1, 2], [(0, 2), None], [])
    assert first.rewards == [0.0, -1.0]
    assert first.returns == [-0.75, -1.5]  # 0 + .5 * -1.5, -1 + .5 * (0 + .5 * -2)
    batch = collate([first, second], pad=0)
    assert batch.ids.tolist() == [[1, 5, 6], [2, 0, 0], [2, 5, 7]]
    assert batch.mask.tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 1]]
    assert batch.states.tolist() == [[0, 0], [0, 1], [1, 0], [2, 0], [2, 1]]
    assert batch.state.tolist() == [0, 1, 3, 4]
    assert batch.token.tolist() == [5, 6, 5, 7]
    assert batch.after[:3].tolist() == [1, 2, 4]
    assert batch.goes_on.tolist() == [1, 1, 1, 0]


def test_what_occurs_several_times_is_computed_once():
    again = collate([*two_steps(), *two_steps()], pad=0)
    assert len(again.ids) == 3
    assert (len(again.token), len(again.states)) == (8, 5)
    assert len(collate(two_steps(), pad=0, bootstrap=False).ids) == 2


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_what_all_begin_with_is_computed_once_and_is_the_same(kind, model):
    from transformers import AutoModel, GPT2Config, GPT2Model

    torch.manual_seed(0)
    small = GPT2Config(vocab_size=20, n_embd=16, n_layer=2, n_head=2, n_positions=64)
    base = (AutoModel.from_pretrained(model) if kind == "llama" else GPT2Model(small)).eval()
    rules = [7] * WORTH
    rows = [row(1, [*rules, 1], [5, 6], -1.0), row(2, [*rules, 2, 3], [5], -2.0), row(3, [*rules, 9], [4], -2.0)]
    data = links(chains(rows)[0], 0.5)
    batch = collate(data, pad=0)
    assert batch.prefix.tolist() == [rules]
    assert batch.ids.tolist() == [[1, 5, 6], [2, 3, 0], [2, 3, 5], [9, 0, 0], [9, 4, 0]]
    states = hidden(base, batch)
    found, after = states[batch.state], states[batch.after]
    contexts = [[1], [1, 5], [2, 3], [9]]
    for context, one in zip(contexts, found, strict=True):
        expected = base(torch.tensor([rules + context])).last_hidden_state[0, -1]
        assert torch.allclose(one, expected, atol=1e-5)
    for context, one in zip(contexts[1:], after):
        expected = base(torch.tensor([rules + context])).last_hidden_state[0, -1]
        assert torch.allclose(one, expected, atol=1e-5)
    found.sum().backward()
    whole = {name: weight.grad.clone() for name, weight in base.named_parameters() if weight.grad is not None}
    base.zero_grad()
    for context in contexts:
        base(torch.tensor([rules + context])).last_hidden_state[0, -1].sum().backward()
    for name, weight in base.named_parameters():
        if weight.grad is not None:
            assert torch.allclose(whole[name], weight.grad, atol=1e-4), name


def test_an_unfinished_chain_is_bootstrapped_from_what_was_asked_last():
    asked = Row([3], [0], [0], [-1], None, dataclasses.replace(META, part=2, kind=UNFINISHED), [])
    (chain,) = chains([row(1, [1], [5, 6], -1.0, kind=UNFINISHED), asked])
    (link,) = links(chain, 0.5)
    assert (link.after, link.others) == ([(0, 2), (1, 1)], [[3]])


def test_the_bellman_errors_of_two_steps():
    values, targets = Table("q1", "q2"), Table("q1", "q2")
    targets.base = values.base
    values.set("v", 1.0, 1)
    values.set("v", 2.0, 1, 5)
    values.set("v", 4.0, 2)
    values.set("v", 8.0, 2, 5)
    values.set("q1", 3.0, 1, token=5)
    values.set("q2", 1.0, 2, 5, token=7)
    for name, value in (("q1", 7.0), ("q2", 2.0)):  # of the two targets the smaller one counts
        targets.set(name, value, 1, token=5)
    config = ILQL(gamma=0.5, tau=0.75, cql_weight=0.0)
    loss, told = ilql.losses(values, targets, collate(two_steps(), pad=0), config)
    # Goals: 0 + .5 * 2 = 1, -1 + .5 * 4 = 1, 0 + .5 * 8 = 4, and -2 alone, since nothing follows.
    q1 = (3 - 1) ** 2 + (0 - 1) ** 2 + (0 - 4) ** 2 + (0 + 2) ** 2
    q2 = (0 - 1) ** 2 + (0 - 1) ** 2 + (0 - 4) ** 2 + (1 + 2) ** 2
    # The smaller target is above V in the first state, and below it in the others.
    v = 0.75 * (2 - 1) ** 2 + 0.25 * (2**2 + 4**2 + 8**2)
    assert told["q_loss"] == pytest.approx((q1 + q2) / 4 / 2)
    assert told["v_loss"] == pytest.approx(v / 4 / 2)
    assert loss.item() == pytest.approx(told["q_loss"] + told["v_loss"])
    more = ilql.losses(values, targets, collate(two_steps(), pad=0), dataclasses.replace(config, cql_weight=2.0))[0]
    assert more.item() == pytest.approx(loss.item() + 2 * told["cql"])
    loss.backward()
    gradient = values.heads["v"].weight.grad[0]  # from its own loss alone: goals are fixed
    expected = [-0.75 * (2 - 1), 0.25 * 2, 0.25 * 4, 0.25 * 8]
    for prefix, slope in zip([(1,), (1, 5), (2,), (2, 5)], expected, strict=True):
        assert gradient[values.base.number(*prefix)].item() == pytest.approx(slope / 4)
    assert all(head.weight.grad is None for head in targets.heads.values())


def test_the_loss_of_returns():
    values = Table("q")
    values.set("q", 1.0, 1, token=5)
    loss, told = mc.losses(values, collate(two_steps(), pad=0, bootstrap=False), MC(cql_weight=0.0))
    errors = [1 + 0.75, 1.5, 1.0, 2.0]
    assert told["q_loss"] == loss.item() == pytest.approx(sum(error**2 for error in errors) / 4 / 2)
    first = torch.zeros(SIZE)
    first[5] = 1.0
    assert told["cql"] == pytest.approx((3 * torch.tensor(SIZE).log() - first.log_softmax(0)[5]).item() / 4)


def walks() -> list[Link]:
    """All walks of up to two moves between states 1 and 2: 3 leads from 1 to 2 and from 2 out, 4 the other way round.

    From 1: 3 is paid -1, 4 ends with -5. From 2: 3 ends with 0, 4 is paid -1. Each pair of moves occurs equally often;
    walks that are not over after two moves are unfinished.
    """
    found = []
    for start in (1, 2):
        for moves in ((3, 3), (3, 4), (4, 3), (4, 4)):
            rows, state = [], start
            for part, move in enumerate(moves, 1):
                ends = (state, move) in ((1, 4), (2, 3))
                paid = {(1, 3): -1.0, (1, 4): -5.0, (2, 3): 0.0, (2, 4): -1.0}[state, move]
                rows.append(row(part, [state], [move], paid, f"{start}{moves}"))
                state = 3 - state
                if ends:
                    break
            else:
                for one in rows:
                    one.meta = dataclasses.replace(one.meta, kind=UNFINISHED)
                rows.append(Row([state], [0], [0], [-1], None, dataclasses.replace(rows[0].meta, part=3), []))
            (chain,) = chains(rows)
            found += links(chain, 0.5)
    return found


def fixed_point(tau: float) -> dict[tuple[int, int], float]:
    """Q where V is the tau-expectile of the two moves; 3 is the better one in both states."""
    v = {1: 0.0, 2: 0.0}
    for _ in range(100):
        q = {(1, 3): -1 + 0.5 * v[2], (1, 4): -5.0, (2, 3): 0.0, (2, 4): -1 + 0.5 * v[1]}
        v = {state: tau * q[state, 3] + (1 - tau) * q[state, 4] for state in v}
    return q


@pytest.mark.parametrize("tau", [0.5, 0.9, 0.99])
def test_q_learning_finds_the_values_of_a_small_problem(tau):
    torch.manual_seed(0)
    values = Table("q1", "q2")
    targets = copy.deepcopy(values).requires_grad_(False)
    targets.base = values.base
    data = walks()
    counts = Counter((tuple(link.ids[:1]), link.ids[1]) for link in data)
    for state in (1, 2):  # so that both moves weigh the same in the expectile
        few, many = sorted((counts[(state,), 3], counts[(state,), 4]))
        assert many == few
    batch, config = collate(data, pad=0), ILQL(gamma=0.5, tau=tau, cql_weight=0.0)
    adam = torch.optim.Adam(values.parameters(), 0.05)
    for _ in range(1500):
        adam.zero_grad()
        ilql.losses(values, targets, batch, config)[0].backward()
        adam.step()
        with torch.no_grad():
            for target, online in zip(targets.parameters(), values.parameters(), strict=True):
                target.lerp_(online, 0.1)
    for (state, move), expected in fixed_point(tau).items():
        assert values.get("q1", state, token=move) == pytest.approx(expected, abs=0.02), (state, move)
        assert values.get("q2", state, token=move) == pytest.approx(expected, abs=0.02), (state, move)


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
    method, adapter, model, data, tmp_path, monkeypatch, capsys
):
    def run(name: str, *more: str) -> int:
        return main(arguments(method, model, data, tmp_path / name, "--set", f"adapter={adapter}", *more))

    assert run("whole") == 0
    moved = Progress.on_step_end

    def stop(self, args, state, control, **more):
        moved(self, args, state, control, **more)
        if state.global_step == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "on_step_end", stop)
    assert run("broken") == 130
    said = capsys.readouterr().err
    assert "stopped at step 5" in said
    assert "checkpoint-4 is kept" in said
    monkeypatch.setattr(Progress, "on_step_end", moved)
    assert run("broken", "--resume", "--set", "beta=3") == 2
    assert "was begun with beta 2.0, not 3.0" in capsys.readouterr().err
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
