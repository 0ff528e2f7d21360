"""MC returns and ILQL: batches, losses by hand, and a small problem with known values."""
# pyright: reportMissingImports=false

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from playpen_eval.train import ilql, mc
from playpen_eval.train.chains import UNFINISHED, Backup, chains
from playpen_eval.train.config_lmrl import ILQL, MC
from playpen_eval.train.rows import Row, RowMeta
from playpen_eval.train.values import WORTH, Link, collate, hidden, links
from torch import nn

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


def two_steps(backup: Backup = "token") -> list[Link]:
    """Two rows of one chain: 5, 6 are said to 1 and paid -1, then 5, 7 to 2 and paid -2."""
    (chain,) = chains([row(1, [1], [5, 6], -1.0), row(2, [2], [5, 7], -2.0)])
    return links(chain, 0.5, backup)


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
    assert batch.discount.tolist() == [0.5, 0.5, 0.5, 0]


def test_by_turns_the_next_state_is_that_of_the_next_turn():
    first, second = two_steps("turn")
    batch = collate([first, second], pad=0)
    assert [batch.ids[one].tolist() for one, _ in batch.states[batch.after[:2]]] == [[2, 0, 0]] * 2
    assert batch.states[batch.after[0]].tolist() == batch.states[batch.after[1]].tolist() == [1, 0]
    assert batch.reward.tolist() == [-0.5, -1, -1, -2]
    assert batch.discount.tolist() == [0.25, 0.5, 0, 0]
    assert batch.returns.tolist() == [-0.75, -1.5, -1, -2], "returns are the same"


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
    (link,) = links(chain, 0.5, "turn")
    assert (link.after, link.others, link.discounts) == ([(1, 1), (2, 1)], [[3], [3]], [0.25, 0.5])


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
    config = ILQL(tau=0.75, cql_weight=0.0)
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


def test_the_bellman_errors_by_turns():
    values, targets = Table("q1", "q2"), Table("q1", "q2")
    targets.base = values.base
    values.set("v", 2.0, 1, 5)
    values.set("v", 4.0, 2)
    config = ILQL(backup="turn")
    _, told = ilql.losses(values, targets, collate(two_steps("turn"), pad=0), config)
    # Goals: .5 * -1 + .25 * 4, -1 + .5 * 4, and for the last turn, after which nothing comes, .5 * -2 and -2.
    assert told["q_loss"] == pytest.approx(2 * (0.5**2 + 1**2 + 1**2 + 2**2) / 4 / 2)


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
    batch, config = collate(data, pad=0), ILQL(tau=tau, cql_weight=0.0)
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
