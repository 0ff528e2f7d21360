"""Tests for PPO: its losses by hand, what carries a gradient, that it learns, and that it goes on."""
# pyright: reportMissingImports=false, reportOptionalMemberAccess=false, reportArgumentType=false

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made import byte_tokenizer
from playpen_eval.train import ppo
from playpen_eval.train.chains import chains
from playpen_eval.train.chat import load_chat
from playpen_eval.train.config_lmrl import PPO
from playpen_eval.train.ppo import Known, Learner, losses
from playpen_eval.train.recipe_files import load_config
from playpen_eval.train.rows import Row, RowMeta
from playpen_eval.train.sampler import HFSampler
from playpen_eval.train.updates import pieces, shuffled
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from playpen_eval.cli import main
from playpen_eval.errors import UserError

SHARED: dict[str, Any] = {"adapter": "none", "max_length": 64, "batch_size": 8, "episodes": 16, "partner": "scripted"}
META = RowMeta("walk", 1, "walk/1", "e", "train", "walker", "success", 1.0, "e1")


def config(**more: Any) -> PPO:
    return PPO(**({"games": {"echo": 1.0}} | SHARED | more))


def step(part: int, prompt: list[int], said: list[int], paid: float, episode: str = "e1") -> Row:
    meta = dataclasses.replace(META, part=part, episode=episode)
    return Row(prompt, said, [1] * len(said), [0] * len(said), 1.0, meta, [paid])


def learner_of(caught: list[Any]) -> Learner:
    return caught[-1]._learner


def test_tokens_have_numbers_in_order_of_time_through_all_chains():
    talk = Row([1, 2], [3, 4, 5, 6], [1, 1, 0, 1], [0, 0, -1, 1], 0.5, META, [-1.0, 2.0])
    aside = step(1, [1, 2, 3, 4, 8], [7, 9], 0.25)
    other = step(1, [1], [5, 6], 0.0, episode="e2")
    made = pieces(chains([talk, aside, other]))
    assert made == [
        ([1, 2, 3, 4, 5, 6], [2, 3, 5], [0, 1, 4]),
        ([1, 2, 3, 4, 8, 7, 9], [5, 6], [2, 3]),
        ([1, 5, 6], [1, 2], [5, 6]),
    ]


def test_losses_by_hand():
    known = Known(*(torch.tensor(one) for one in ([0.0] * 4, [0.0] * 4, [1.0, 1.0, -1.0, -1.0], [1.0, -0.1, 1.0, 0.0])))
    ratios, values = torch.tensor([1.5, 0.5, 0.5, 1.1]), torch.tensor([0.5, -0.1, -0.5, 0.3])
    policy, value, outside = losses(config(), ratios.log(), values, known)
    # A gain beyond the clip is not paid, a loss beyond it is.
    assert policy.tolist() == pytest.approx([-1.2, -0.5, 0.8, 1.1])
    # 0.5 is held at 0.2, -0.5 at -0.2, 0.3 at 0.2; the larger error of the two counts.
    assert value.tolist() == pytest.approx([0.5 * 0.64, 0.0, 0.5 * 2.25, 0.5 * 0.09])
    assert outside.tolist() == [1, 1, 1, 0]


def scored(learner: Learner, rows: list[Row]) -> tuple[Any, Any, Any]:
    found = chains(rows)
    batches = shuffled(pieces(found), learner._updates.size, "x")
    return batches, *learner._score(batches, found)


def test_advantages_bootstrap_across_rows_and_end_with_nothing(model, games, caught, tmp_path):
    games("echo")
    ppo.train(config(gamma=0.5, lam=0.5, kl_coef=0.0, value_bias=2.0), str(model), tmp_path / "out")
    rows = [step(1, [5], [6, 7], -1.0), step(2, [8], [9], 4.0), step(1, [5], [7], 1.0, episode="e2")]
    _, figures, known = scored(learner_of(caught), rows)
    # One value in all states, 2. Errors: 0 + .5 * 2 - 2 = -1, -1 + .5 * 2 - 2 = -2, 4 - 2 = 2; and 1 - 2 = -1.
    estimates = torch.tensor([-1 + 0.25 * (-2 + 0.25 * 2), -2 + 0.25 * 2, 2.0, -1.0])
    assert known.values.tolist() == [2.0] * 4
    assert torch.allclose(known.targets, estimates + 2)
    white = (estimates - estimates.mean()) / estimates.std(correction=0)
    assert torch.allclose(known.advantages, white, atol=1e-6)
    assert figures["kl"].tolist() == [0.0] * 4


@pytest.mark.parametrize("adapter", ["none", "lora"])
def test_at_first_the_ratio_is_1_and_the_divergence_0(adapter, model, games, caught, tmp_path):
    games("echo")
    ppo.train(config(adapter=adapter, epochs=2.0), str(model), tmp_path / "out")
    (trainer,) = caught
    rows = trainer._play("first")
    batches, figures, known = scored(trainer._learner, rows)
    assert figures["kl"].tolist() == [0.0] * len(known.values)
    said = trainer._updates.read(batches[0], 1.0)
    assert (said.logprobs - known.of(said.numbers).logprobs).exp().tolist() == [1.0] * len(said.numbers)
    played = torch.tensor(
        [p for chain in chains(rows) for row in chain.rows for p, m in zip(row.logprobs, row.mask) if m]
    )
    assert torch.allclose(known.logprobs, played, atol=1e-4)


def test_what_is_taken_off_for_the_divergence(model, games, caught, tmp_path):
    games("echo")
    ppo.train(config(gamma=1.0, lam=1.0, kl_coef=0.5), str(model), tmp_path / "out")
    learner, rows = learner_of(caught), [step(1, [5], [6, 7], -1.0), step(2, [8], [9], 4.0)]
    with torch.no_grad():
        next(iter(learner._updates.model.parameters())).mul_(1.1)
    _, figures, known = scored(learner, rows)
    gaps = figures["kl"]
    before = AutoModelForCausalLM.from_pretrained(model)
    expected = before(torch.tensor([[8, 9]])).logits[0, 0].log_softmax(-1)[9]
    assert torch.allclose(gaps[2], known.logprobs[2] - expected, atol=1e-5)
    assert gaps.abs().min() > 1e-3
    paid = torch.tensor([0.0, -1.0, 4.0]) - 0.5 * gaps
    assert torch.allclose(known.targets, paid.flip(0).cumsum(0).flip(0), atol=1e-5)


def test_loss_and_gradient_are_those_of_the_learners_tokens_alone(model, games, caught, tmp_path):
    games("echo")
    recipe = config(temperature=0.7, value_coef=0.5)
    ppo.train(recipe, str(model), tmp_path / "out")
    (trainer,) = caught
    learner, updates = trainer._learner, trainer._updates
    rows = [Row([5, 6], [7, 8, 9, 10], [1, 0, 0, 1], [0, -1, -1, 1], 1.0, META, [1.0, -2.0]),
            *(step(1, [9, 9, 4], [11], 0.5, episode=name) for name in ("e2", "e3"))]  # fmt: skip
    batches, _, known = scored(learner, rows)
    known = known._replace(logprobs=known.logprobs - 0.1, advantages=torch.tensor([1.0, -0.5, 0.25, -2.0]))
    with torch.no_grad():
        learner._head.weight.normal_()
    steps: list[Any] = []
    found = learner._loss(batches[0], known, steps) / 4
    found.backward()
    plain = AutoModelForCausalLM.from_pretrained(model)
    terms = []
    for ids, places, numbers in pieces(chains(rows)):
        output = plain(torch.tensor([ids]), output_hidden_states=True)
        for place, number in zip(places, numbers, strict=True):
            logprob = (output.logits[0, place - 1] / 0.7).log_softmax(-1)[ids[place]]
            ratio = (logprob - known.logprobs[number]).exp()
            gain = known.advantages[number]
            policy = -torch.min(ratio * gain, ratio.clamp(0.8, 1.2) * gain)
            value = (output.hidden_states[-1][0, place - 1] @ learner._head.weight[0]) + learner._head.bias[0]
            old, target = known.values[number], known.targets[number]
            held = old + (value - old).clamp(-0.2, 0.2)
            terms.append(policy + 0.5 * 0.5 * torch.max((value - target) ** 2, (held - target) ** 2))
    expected = torch.stack(terms).mean()
    expected.backward()
    assert len(terms) == 4
    assert abs((found - expected).item()) < 1e-6
    parameters = dict(updates.model.named_parameters())
    assert sum(one.grad.abs().sum().item() for one in plain.parameters()) > 0.1
    for name, parameter in plain.named_parameters():
        assert torch.allclose(parameters[name].grad, parameter.grad, atol=1e-5), name


def test_the_coefficient_follows_its_target(model, games, caught, tmp_path):
    games("echo")
    ppo.train(config(kl_coef=0.5, kl_target=0.1, kl_horizon=100), str(model), tmp_path / "out")
    learner = learner_of(caught)
    learner._adapt(0.11, 10)
    assert learner.kl_coef == pytest.approx(0.5 * 1.01)
    learner._adapt(9.0, 10)
    assert learner.kl_coef == pytest.approx(0.5 * 1.01 * 1.02)
    learner._adapt(-9.0, 10)
    assert learner.kl_coef == pytest.approx(0.5 * 1.01 * 1.02 * 0.98)


def test_a_round_whose_returns_are_all_the_same_teaches_nothing(model, games, caught, tmp_path):
    games("echo")
    ppo.train(config(), str(model), tmp_path / "out")
    learner = learner_of(caught)
    before = {name: value.clone() for name, value in learner._updates.model.state_dict().items()}
    alike = [step(1, [5], [6, 7], 1.0), step(1, [5], [8], 1.0, episode="e2")]
    failed = dataclasses.replace(alike[0], reward=None, meta=dataclasses.replace(META, kind="failed", episode="e3"))
    assert learner.learn(chains([*alike, failed]), "x") is None
    assert learner.learn([], "x") is None
    after = learner._updates.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def run(model: Path, output: Path, *more: str, resume: bool = False) -> int:
    given = ("games=[echo]", "max_length=64", "learning_rate=3e-3", "partner=scripted", "paid=outcome", *more)
    sets = [word for one in given for word in ("--set", one)]
    return main(["train", "ppo", "--model", str(model), "-o", str(output), *sets, *(["--resume"] if resume else [])])


def lines_of(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def test_it_learns_a_trivial_game_within_15_rounds(model, games, tmp_path):
    games("echo")
    settings = ("adapter=none", "rounds=15", "episodes=64", "batch_size=64", "epochs=4", "patience=3")
    assert run(model, tmp_path / "out", *settings) == 0
    lines = [line for line in lines_of(tmp_path / "out") if "return" in line]
    assert lines[0]["return"] < 0.2
    assert max(line["return"] for line in lines) > 0.9
    assert lines[0]["kl"] == 0.0
    wanted = {"return", "success", "aborted", "failed", "length", "turns", "entropy", "kl"}
    assert {name.rpartition("/")[2] for name in lines[0] if name.startswith("game/echo/")} == wanted
    assert {"policy_loss", "value_loss", "clip_fraction", "explained_variance", "seconds/play"} <= lines[0].keys()


@pytest.mark.parametrize("adapter", ["none", "lora"])
def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(adapter, model, games, tmp_path, stopped, capsys):
    games("echo", "again")
    settings = ("games=[echo, again]", "episodes=16", "batch_size=8", "rounds=4", "save_every=2", "epochs=2")
    settings += (f"adapter={adapter}", "kl_coef=0.1", "kl_target=0.01", "kl_horizon=100", "schedule=linear")
    assert run(model, tmp_path / "whole", *settings) == 0
    with stopped(3):
        assert run(model, tmp_path / "broken", *settings) == 130
    assert "checkpoint-2 is kept; to go on: playpen-eval train ppo" in capsys.readouterr().err
    assert run(model, tmp_path / "broken", *settings, resume=True) == 0
    whole, resumed = (folder_weights(tmp_path / name) for name in ("whole", "broken"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert whole.keys() == resumed.keys()
    first, second = (
        [
            {name: value for name, value in line.items() if "seconds" not in name and name != "train_runtime"}
            for line in lines_of(tmp_path / folder)
        ]
        for folder in ("whole", "broken")
    )
    assert first == second
    assert first[3]["kl_coef"] != first[0]["kl_coef"]
    assert run(model, tmp_path / "broken", *settings, resume=True) == 0
    assert "was finished before" in capsys.readouterr().err
    # The result is a model or an adapter like any other one, also to be trained on from where it is.
    assert run(tmp_path / "whole", tmp_path / "on", *settings, "rounds=1") == 0
    assert lines_of(tmp_path / "on")[0]["kl"] == 0.0
    play = [
        "run",
        "echo",
        "--model",
        f"local:{tmp_path / 'whole'}",
        "--partner",
        "scripted",
        "-o",
        str(tmp_path / "run"),
    ]
    assert main(play) == 0


def folder_weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    (file,) = folder.glob("*model.safetensors")
    head = torch.load(folder / "value_head.pt", weights_only=True)["head"]
    return load_file(file) | {f"head.{name}": value for name, value in head.items()}


def test_demonstrations_are_learned_beside(model, games, tmp_path):
    games("echo")
    talk = [{"role": "user", "content": "well done again"}, {"role": "assistant", "content": "wrong"}]
    (tmp_path / "data.jsonl").write_text(json.dumps({"messages": talk}) + "\n")
    more = ("adapter=none", "rounds=10", "episodes=16", "batch_size=16", f"bc_data={tmp_path / 'data.jsonl'}")
    assert run(model, tmp_path / "out", *more, "bc_weight=10") == 0
    chat = load_chat(tmp_path / "out")
    sampler = HFSampler.load(str(tmp_path / "out"), chat.stops)
    (sample,) = sampler.generate([chat.prompt_ids(talk[:1])], max_new_tokens=2, temperature=0.0, seed=0)
    assert chat.text(sample.ids) == "wrong"


def test_a_model_with_dropout_is_scored_without(tmp_path, games, caught):
    games("echo")
    tokenizer = byte_tokenizer()
    shape = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 256, "vocab_size": len(tokenizer)}
    GPT2LMHeadModel(GPT2Config(**shape)).save_pretrained(tmp_path / "gpt")  # type: ignore[arg-type]
    tokenizer.save_pretrained(tmp_path / "gpt")
    ppo.train(config(max_length=256, checkpoint_activations=True), str(tmp_path / "gpt"), tmp_path / "out")
    (trainer,) = caught
    rows = trainer._play("first")
    batches, figures, known = scored(trainer._learner, rows)
    assert figures["kl"].abs().max() == 0
    steps: list[Any] = []
    trainer._learner._loss(batches[0], known, steps).backward()
    assert steps[0][3] == 0.0


def test_bad_input_is_an_error_before_the_first_round(model, games, tmp_path, capsys):
    games("echo")
    games("secret", held_out=True)
    cases = [
        (["games=[]"], "no games to play"),
        (["games=[ecko]"], "did you mean 'echo'"),
        (["games=[secret]"], "held out from training"),
        (["partner=somebody"], "needs partner_url"),
        (["gamma=1.5"], "gamma must lie between 0 and 1, not 1.5"),
        (["bc_weight=1"], "bc_weight and bc_data go together"),
        (["kl_target=1", "kl_coef=0"], "kl_target needs a kl_coef"),
        (["max_steps=5"], "rounds says how long it trains"),
        (["optimizer=adafactor"], "is adamw_torch, not adafactor"),
        (["adapter=qlora"], "use lora"),
        (["epochs=1.5"], "whole number"),
        (["episodes=10", "group_size=4"], "multiple of group_size 4"),
        (["trainer.packing=true"], "not trained by TRL"),
    ]
    for number, (settings, said) in enumerate(cases):
        assert run(model, tmp_path / str(number), *settings) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / str(number)).exists()
    assert run(model, tmp_path / "long", "max_length=512") == 2
    assert "max_length 512 is more than the 256 positions of the model" in capsys.readouterr().err
    assert run(model, tmp_path / "schedule", "schedule=sawtooth") == 2
    assert "schedule: " in capsys.readouterr().err
    assert main(["train", "ppo", "--data", "x", "-o", str(tmp_path / "x"), "--set", "games=[echo]"]) == 2
    assert "takes no --data" in capsys.readouterr().err


def test_it_stops_where_nothing_can_be_learned(model, games, tmp_path, capsys):
    games("echo")
    assert run(model, tmp_path / "out", "adapter=none", "episodes=8", "reward.value=none", "patience=2") == 2
    said = capsys.readouterr().err
    assert "nothing to learn from the last 2 rounds (echo: 8 lose)" in said
    assert "warm the model up by SFT" in said


def test_a_gradient_that_is_no_number_stops_it(model, games, caught, tmp_path):
    games("echo")
    ppo.train(config(), str(model), tmp_path / "out")
    updates = caught[0]._updates
    with pytest.raises(UserError, match="lower learning_rate 1e-06"):
        updates.step(
            pieces(chains([step(1, [5], [6, 7], 1.0)])), lambda part: updates.read(part).logprobs.sum() * float("nan")
        )
    assert all(one.isfinite().all() for one in updates.model.parameters())


def test_the_papers_values():
    maze = load_config("ppo", "lmrl-maze-ppo")
    assert isinstance(maze, PPO)
    assert (maze.learning_rate, maze.batch_size * maze.accumulate, maze.episodes) == (1e-6, 128, 512)
    assert (maze.kl_coef, maze.bc_weight, maze.gamma, maze.lam) == (0.1, 0.0, 0.99, 0.95)
    assert (maze.clip_ratio, maze.clip_value, maze.value_coef, maze.value_bias) == (0.2, 0.2, 0.5, -1.0)
