"""Tests for GRPO: the hook of TRL, groups and advantages, which episodes are played, and that it learns."""
# pyright: reportMissingImports=false

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from playpen_eval.train import grpo
from playpen_eval.train.config import GRPO, Gate
from playpen_eval.train.mix import Mix, Report, load_pools, merged
from playpen_eval.train.recipe_files import load_config
from playpen_eval.train.rewards import Shaping
from playpen_eval.train.rows import Row, RowMeta
from playpen_eval.train.session import Session
from playpen_eval.train.trl_rollout import turn_advantages
from transformers import AutoModelForCausalLM
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.kto_trainer import KTOTrainer

from playpen_eval.cli import main
from playpen_eval.errors import UserError
from playpen_eval.instances import load_instances
from playpen_eval.registry import load_game

SHARED: dict[str, Any] = {"adapter": "none", "max_length": 64, "batch_size": 16, "group_size": 4, "max_steps": 2}


def config(**more: Any) -> GRPO:
    return GRPO(**({"games": {"echo": 1.0}} | SHARED | more))


def test_what_we_need_of_trl_is_there():
    assert "rollout_func" in inspect.signature(GRPOTrainer.__init__).parameters
    names = ["self", "prompt_ids", "images", "multimodal_fields", "num_generations", "has_tool_images"]
    assert list(inspect.signature(GRPOTrainer._generate_single_turn).parameters) == names
    assert list(inspect.signature(GRPOTrainer._generate_and_score_completions).parameters) == ["self", "inputs"]
    for trainer in (DPOTrainer, KTOTrainer):
        assert "dataset" in inspect.signature(trainer._prepare_dataset).parameters
    source = inspect.getsource(GRPOTrainer)
    for needed in ("env_mask", "rollout_func(prompts, self)", "torch.isnan(rewards_per_func).all(dim=1)"):
        assert needed in source


def batch_of(trainer: Any, groups: int) -> dict[str, Any]:
    """One batch as TRL would make it."""
    inputs = [{"prompt": str(number)} for number in range(groups) for _ in range(trainer.recipe.group_size)]
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer._generate_and_score_completions(inputs)


def pay(trainer: Any, rewards: Sequence[float | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the rows of the next batch these rewards."""
    original = trainer.rollouts._play

    def play(*arguments, **more):
        groups = original(*arguments, **more)
        for row, reward in zip((row for group in groups for row in group), rewards, strict=True):
            row.reward = reward
        return groups

    monkeypatch.setattr(trainer.rollouts, "_play", play)


@pytest.mark.parametrize("loss", ["dapo", "grpo"])
def test_loss_and_gradient_are_those_of_the_learners_tokens_alone(loss, model, games, caught, tmp_path, monkeypatch):
    games("echo")
    grpo.train(config(learner="self", loss=loss), str(model), tmp_path / "out")
    (trainer,) = caught
    given = [0.0, 1.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.5, 0.0, 0.25, 0.5, 1.0]
    pay(trainer, given, monkeypatch)
    batch = batch_of(trainer, 4)
    rows: list[Row] = trainer.rollouts.rows
    assert {row.meta.seat for row in rows} == {"caller", "speaker"}
    assert all(sum(row.mask) < len(row.mask) - 2 for row in rows if row.meta.seat == "speaker")
    found = trainer._compute_loss(trainer.model, batch)
    found.backward()
    plain = AutoModelForCausalLM.from_pretrained(model)
    terms = []
    for start in range(0, 16, 4):
        group = rows[start : start + 4]
        assert len({(row.meta.instance, row.meta.seat) for row in group}) == 1
        mean = sum(row.reward or 0.0 for row in group) / 4
        for row in group:
            ids = torch.tensor(row.prompt_ids + row.completion_ids)
            probabilities = plain(ids[None]).logits[0, :-1].log_softmax(-1).gather(-1, ids[1:, None])[:, 0]
            said = probabilities[len(row.prompt_ids) - 1 :][torch.tensor(row.mask, dtype=torch.bool)]
            ratio = (said - said.detach()).exp()
            terms.append(-(row.reward - mean) * ratio)  # type: ignore[operator]
    expected = torch.cat(terms).mean() if loss == "dapo" else torch.stack([term.mean() for term in terms]).mean()
    expected.backward()
    assert abs((found - expected).item()) < 1e-6
    assert sum(one.grad.abs().sum().item() for one in plain.parameters() if one.grad is not None) > 0.1
    parameters = dict(trainer.model.named_parameters())
    for name, parameter in plain.named_parameters():
        assert parameter.grad is not None, name
        assert torch.allclose(parameters[name].grad, parameter.grad, atol=1e-6), name


def test_rows_without_a_reward_take_no_part(model, games, caught, tmp_path, monkeypatch):
    games("echo")
    grpo.train(config(partner="scripted"), str(model), tmp_path / "out")
    (trainer,) = caught
    rewards = [1.0, None, 0.0, 0.0, None, None, None, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 0.0, 0.5]
    pay(trainer, rewards, monkeypatch)
    advantages = batch_of(trainer, 4)["advantages"].tolist()
    expected = [2 / 3, 0, -1 / 3, -1 / 3] + [0.0] * 8 + [0, 0.5, -0.5, 0]
    assert advantages == pytest.approx(expected, abs=1e-6)


def meta(seat: str = "a") -> RowMeta:
    return RowMeta("echo", 1, "i", "e", "train", seat, "lose", 0.0, "x")


def test_credit_by_turn():
    turns = [0, 0, -1, 1, -1, 2]
    row = Row([1], [5] * 6, [1, 1, 0, 1, 0, 1], turns, 2.0, meta(), turn_rewards=[1.0, 0.0, 0.5])
    failed = Row([1], [5, 5], [1, 1], [0, 0], None, meta(), turn_rewards=[1.0])
    base, ids = torch.tensor([0.5, 0.0]), torch.zeros(2, 7, dtype=torch.long)
    made = turn_advantages(base, [row, failed], ids, config(per_turn="discount", discount=0.5))
    assert made.tolist() == [[0.125, 0.125, 0, 0.25, 0, 0.5, 0], [0] * 7]
    kept = config(per_turn="return_to_go", reward=Shaping(credit=2.0))
    assert turn_advantages(base, [row, failed], ids, kept)[0].tolist() == [0.5, 0.5, 0, -1.5, 0, -1.5, 0]


def mix_of(*names: str, **more: Any) -> Mix:
    recipe = config(games=dict.fromkeys(names, 1.0), **more)
    return Mix(load_pools(recipe), recipe, recipe.gate, "mix")


def test_units_are_the_same_for_the_same_seed_and_go_round_all_instances(games):
    games("echo", "again")
    first, second = mix_of("echo", "again"), mix_of("echo", "again")
    units = [unit for _ in range(10) for unit in first.draw(8)]
    assert units == [unit for _ in range(10) for unit in second.draw(8)]
    assert units[0] != units[1]
    ids = [unit.instance["id"] for unit in units if unit.game.name == "echo"]
    assert len(set(ids[:8])) == 8
    assert {unit.instance["split"] for unit in units} == {"train"}
    third = mix_of("echo", "again")
    third.restore(json.loads(json.dumps(first.state())))
    assert third.draw(8) == first.draw(8)


def test_seats(games):
    games("echo")
    assert {unit.seats for unit in mix_of("echo").draw(6)} == {("speaker",)}
    assert {unit.seats for unit in mix_of("echo", roles={"echo": "caller"}).draw(6)} == {("caller",)}
    alternating = [unit.seats for unit in mix_of("echo", learner="alternating").draw(4)]
    assert alternating == [("caller",), ("speaker",), ("caller",), ("speaker",)]
    both = [unit.seats for unit in mix_of("echo", learner="self").draw(5)]
    assert both[:2] == [("caller", "speaker")] * 2
    assert len(both[2]) == 1  # there was room for one more group


def test_a_game_that_teaches_nothing_is_held_back_and_probed(games):
    games("echo", "again")
    mix = mix_of("echo", "again", gate=Gate(memory=16, probe=4))
    mix.tell({"echo": Report(8, 0, 2, 0), "again": Report(8, 4, 2, 2)})
    assert not mix.held_back("echo")  # too few episodes
    mix.tell({"echo": Report(8, 0, 2, 0), "again": Report(8, 4, 2, 2)})
    assert mix.held_back("echo")
    assert not mix.held_back("again")
    names = [unit.game.name for unit in mix.draw(400)]
    assert 30 < names.count("echo") < 70  # a quarter of its half
    mix.tell({"echo": Report(16, 2, 2, 2)})
    assert not mix.held_back("echo")
    mix.tell({"again": Report(64, 64, 8, 0)})
    assert mix.held_back("again")
    assert mix.barren == 1
    # Partial scores teach without a success.
    mix.tell({"echo": Report(64, 0, 8, 8)})
    assert not mix.held_back("echo")


def test_reports_of_processes_are_joined():
    found = merged([{"a": Report(1, 1, 1, 0)}, {"a": Report(2, 0, 1, 1), "b": Report(1, 0, 1, 0)}])
    assert found == {"a": Report(3, 1, 2, 1), "b": Report(1, 0, 1, 0)}


def test_what_may_not_be_played_is_refused(games, tmp_path, monkeypatch):
    games("secret", held_out=True)
    with pytest.raises(UserError, match="held out from training"):
        load_pools(config(games={"secret": 1.0}))
    assert load_pools(config(games={"secret": 1.0}, allow_heldout=True))
    with pytest.raises(UserError, match=r"may be trained on .*test split"):
        load_pools(config(games={"taboo": 1.0}, instances="test"))
    with pytest.raises(UserError, match="validation split"):
        load_pools(config(games={"taboo": 1.0}, instances="validation"))
    with pytest.raises(UserError, match="did you mean 'taboo'"):
        load_pools(config(games={"tabboo": 1.0}))
    with pytest.raises(UserError, match="has no role 'guessor'"):
        load_pools(config(games={"taboo": 1.0}, roles={"taboo": "guessor"}))
    # An instance of the test split under another name.
    instance = load_instances(load_game("taboo"), "test").instances[0]
    disguised = {**instance, "split": "train", "id": instance["id"].replace("test", "train")}
    (tmp_path / "mine.jsonl").write_text(json.dumps(disguised) + "\n")
    with pytest.raises(UserError, match="test split"):
        load_pools(config(games={"taboo": 1.0}, instances=str(tmp_path / "mine.jsonl")))


class Server(BaseHTTPRequestHandler):
    """Answers every second question, and refuses the others."""

    asked: list[dict[str, Any]] = []

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        good = len(self.asked) % 2 == 0
        body = json.dumps({"choices": [{"message": {"content": "go"}}]} if good else {"error": "no"}).encode()
        self.send_response(200 if good else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keeps quiet."""


def test_a_partner_behind_a_server_that_fails_gives_no_reward(model, games, caught, tmp_path):
    games("echo")
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        grpo.train(config(partner="somebody", partner_url=url), str(model), tmp_path / "out")
        batch = batch_of(caught[0], 4)
    finally:
        server.shutdown()
        server.server_close()
    rows = caught[0].rollouts.rows
    failed = [row for row in rows if row.meta.kind == "failed"]
    assert len(failed) == 8
    assert all(row.reward is None for row in failed)
    assert all(row.reward is not None for row in rows if row.meta.kind != "failed")
    assert {batch["advantages"][place].item() for place, row in enumerate(rows) if row.reward is None} == {0.0}
    assert {one["model"] for one in Server.asked} == {"somebody"}


@pytest.mark.parametrize("partner", ["frozen", "scripted:breaker", "self", "hf"])
def test_partners(partner, model, games, caught, tmp_path):
    games("echo")
    spec = f"hf:{model}" if partner == "hf" else partner
    adapter = "lora" if partner == "frozen" else "none"
    grpo.train(config(partner=spec, adapter=adapter), str(model), tmp_path / "out")
    batch_of(caught[0], 4)
    assert [row.meta.seat for row in caught[0].rollouts.rows] == ["speaker"] * 16
    assert all(row.reward is not None for row in caught[0].rollouts.rows)


def test_bad_input_is_an_error_before_the_first_step(model, games, tmp_path, capsys):
    games("echo")
    cases = [
        (["partner=somebody"], "needs partner_url"),
        (["partner=somebody", "partner_url=ftp://x"], "does not begin with http"),
        (["partner=hf:nowhere"], "there is no such folder"),
        (["iterations=3"], "must be a multiple of iterations"),
        (["games=[ecko]"], "did you mean 'echo'"),
    ]
    for number, (settings, said) in enumerate(cases):
        sets = [word for one in ["games=[echo]", "max_length=64", *settings] for word in ("--set", one)]
        assert main(["train", "grpo", "--model", str(model), "-o", str(tmp_path / str(number)), *sets]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / str(number)).exists()


def run(model: Path, output: Path, *more: str) -> int:
    given = ("games=[echo]", "max_length=64", "adapter=none", "learning_rate=1e-2", "partner=scripted", *more)
    sets = [word for one in given for word in ("--set", one)]
    return main(["train", "grpo", "--model", str(model), "-o", str(output), *sets])


def lines_of(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def test_it_learns_a_trivial_game_within_30_steps(model, games, tmp_path):
    games("echo")
    assert run(model, tmp_path / "out", "batch_size=64", "max_steps=30", "patience=4", "save_every=100") == 0
    lines = [line for line in lines_of(tmp_path / "out") if "reward" in line]
    assert lines[0]["reward"] < 0.2
    assert max(line["reward"] for line in lines) > 0.9
    wanted = {"reward", "success", "aborted", "failed", "zero_variance", "length", "entropy", "held_back"}
    assert {name.rpartition("/")[2] for name in lines[0] if name.startswith("game/echo/")} == wanted
    parts = {"generate", "partner", "template", "game", "update"}
    assert {name.rpartition("/")[2] for name in lines[0] if name.startswith("seconds/")} == parts


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(model, games, tmp_path, stopped):
    games("echo", "again")
    settings = ("games=[echo, again]", "batch_size=16", "max_steps=5", "save_every=2", "beta=0.1", "learner=self")
    assert run(model, tmp_path / "whole", *settings) == 0
    with stopped(3):
        assert run(model, tmp_path / "broken", *settings) == 130
    sets = [word for one in ("max_length=64", "adapter=none", "learning_rate=1e-2", "partner=scripted", *settings)
            for word in ("--set", one)]  # fmt: skip
    assert main(["train", "grpo", "--model", str(model), "-o", str(tmp_path / "broken"), *sets, "--resume"]) == 0
    folders = [tmp_path / name for name in ("whole", "broken")]
    whole, resumed = (AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in folders)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    first, second = (
        [(line["step"], line.get("reward"), line.get("kl")) for line in lines_of(folder)] for folder in folders
    )
    assert first == second
    assert any("game/echo/kl" in line for line in lines_of(tmp_path / "whole"))


def test_it_stops_where_nothing_can_be_learned(model, games, tmp_path, capsys):
    games("echo")
    assert run(model, tmp_path / "out", "batch_size=16", "partner=scripted", "reward.value=none", "patience=2") == 2
    said = capsys.readouterr().err
    assert "nothing could be learned from the last 2 batches" in said
    assert "warm the model up by SFT" in said
    assert "to go on: playpen-eval train grpo" in said


def test_the_papers_recipe_reaches_trl(model, games, caught, tmp_path, monkeypatch):
    monkeypatch.setattr(Session, "load_model", lambda self, chat: AutoModelForCausalLM.from_pretrained(model))
    recipe = load_config("grpo", "paper-grpo", ["partner_url=http://127.0.0.1:9/v1"])
    grpo.train(recipe, str(model), tmp_path / "out")  # type: ignore[arg-type]
    args = caught[0].args
    assert (args.beta, args.num_generations, args.loss_type, args.scale_rewards) == (0.04, 8, "grpo", "group")
    assert (args.generation_batch_size, args.temperature, args.num_iterations) == (128, 1.0, 1)
