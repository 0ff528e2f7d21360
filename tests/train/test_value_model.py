"""The value-guided checkpoint: the policy at beta 0, its cache, its folder, and the same episodes in all harnesses."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from playpen_eval.train.chat import load_chat
from playpen_eval.train.config import SFT
from playpen_eval.train.models import load_model
from playpen_eval.train.sampler import HFSampler
from playpen_eval.train.value_model import SHIM, ValueGuided, guided, make_values, register
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from playpen_eval.cli import main
from playpen_eval.errors import UserError

PROMPTS = [[5, 6, 7, 8], [9], [4, 11, 12]]
ROOT = Path(__file__).resolve().parents[2]


def policy(kind: str, folder: Path) -> Any:
    if kind == "llama":
        return AutoModelForCausalLM.from_pretrained(folder).eval()
    torch.manual_seed(0)
    size = len(load_chat(str(folder)).tokenizer)
    small = GPT2Config(
        vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=1, eos_token_id=1, pad_token_id=0
    )
    small.initializer_range = 0.3
    return GPT2LMHeadModel(small).eval()


def make(plain: Any, beta: float, *q_heads: str, head: str = "mlp") -> ValueGuided:
    """A guided model whose values are random but not small."""
    values = make_values(plain, head, q_heads or ("q1", "q2"), True, -3.0)
    torch.manual_seed(1)
    for one in values.heads.values():
        torch.nn.init.normal_((one[-1] if head == "mlp" else one).weight)
    return guided(plain, values, beta).eval()


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_without_values_it_is_the_policy(kind, model):
    plain = policy(kind, model)
    same = make(plain, 0.0)
    ids = torch.tensor([[5, 6, 7, 8, 9], [4, 3, 8, 5, 6]])
    assert torch.allclose(same(ids).logits, plain(ids).logits.log_softmax(-1), atol=1e-6)
    for temperature in (0.0, 1.0):
        asked = {"max_new_tokens": 9, "temperature": temperature, "seed": 3}
        expected = HFSampler(plain, {1}).generate(PROMPTS, **asked)
        found = HFSampler(same, {1}).generate(PROMPTS, **asked)
        assert [one.ids for one in found] == [one.ids for one in expected]
        assert [one.logprobs for one in found] == [pytest.approx(one.logprobs, abs=1e-5) for one in expected]


def test_logits_are_the_policys_and_the_smaller_q(model):
    plain = policy("llama", model)
    found = make(plain, 2.0)
    ids = torch.tensor([[5, 6, 7]])
    states = found.values.base(ids).last_hidden_state
    q = torch.minimum(found.values.heads["q1"](states), found.values.heads["q2"](states))
    expected = plain(ids).logits.log_softmax(-1) + 2 * q
    assert torch.allclose(found(ids).logits, expected, atol=1e-5)
    assert torch.allclose(found(ids, logits_to_keep=1).logits, expected[:, -1:], atol=1e-5)
    one = make(plain, 2.0, "q")
    expected = plain(ids).logits.log_softmax(-1) + 2 * one.values.heads["q"](one.values.base(ids).last_hidden_state)
    assert torch.allclose(one(ids).logits, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_batch_with_the_cache_says_what_each_says_alone_without(kind, model):
    found = make(policy(kind, model), 2.0)
    replies = [
        sample.ids for sample in HFSampler(found, {1}).generate(PROMPTS, max_new_tokens=9, temperature=0, seed=0)
    ]
    for prompt, reply in zip(PROMPTS, replies, strict=True):
        ids = list(prompt)
        for token in reply:
            assert found(torch.tensor([ids])).logits[0, -1].argmax().item() == token
            ids.append(token)
    assert len({tuple(reply) for reply in replies}) > 1
    beams = found.generate(torch.tensor([PROMPTS[0]]), num_beams=2, max_new_tokens=4, do_sample=False, eos_token_id=1)
    alone = found.generate(
        torch.tensor([PROMPTS[0]]), num_beams=2, max_new_tokens=4, do_sample=False, eos_token_id=1, use_cache=False
    )
    assert torch.equal(beams, alone)


def test_the_cache_of_another_model_is_refused(model):
    plain = policy("llama", model)
    other = plain(torch.tensor([[5, 6]]), use_cache=True).past_key_values
    with pytest.raises(ValueError, match="is one that it made itself"):
        make(plain, 1.0)(torch.tensor([[7]]), past_key_values=other)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize(("head", "heads"), [("mlp", ("q1", "q2")), ("linear", ("q",))])
def test_a_folder_gives_back_the_same_model(kind, head, heads, model, tmp_path):
    made = make(policy(kind, model), 2.0, *heads, head=head)
    made.save_pretrained(tmp_path)
    register()
    loaded: Any = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(made(ids).logits, loaded(ids).logits)
    assert loaded.config.max_position_embeddings == made.policy.config.max_position_embeddings
    assert loaded.generation_config.eos_token_id == made.generation_config.eos_token_id
    assert {name for name, _ in loaded.values.heads.named_children()} == {*heads, "v"}


@pytest.fixture
def folder(model, tmp_path) -> Path:
    plain = policy("llama", model)
    make(plain, 2.0).save_pretrained(tmp_path / "guided")
    load_chat(str(model)).tokenizer.save_pretrained(tmp_path / "guided")
    return tmp_path / "guided"


def test_it_is_loaded_without_us_being_asked(folder):
    """By code that knows of transformers alone, as the harnesses' own providers."""
    code = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True)
AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)
print(type(model).__name__, model(torch.tensor([[5, 6]])).logits.shape[1])
"""
    assert (folder / SHIM).is_file()
    environment = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(folder.parent / "cache")}
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "ValueGuided 2\n", done.stderr[-2000:]


def test_it_is_not_trained_on(folder):
    with pytest.raises(UserError, match="is guided by values already"):
        load_model(str(folder), SFT(), load_chat(str(folder)), False)


def test_a_process_that_knows_nothing_plays_it_without_a_question(folder, games, tmp_path):
    games("echo")
    words = ["run", "echo", "--model", f"local:{folder}", "--partner", "self", "--max-tokens", "2", "--limit", "1"]
    command = [sys.executable, "-m", "playpen_eval", *words, "-o", str(tmp_path / "run")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "custom code" not in done.stdout + done.stderr


def test_all_harnesses_play_the_same_episodes(folder, games, tmp_path):
    import inspect_ai

    lm_eval = pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    games("echo")
    words = ["run", "echo", "--model", f"local:{folder}", "--partner", "self", "--max-tokens", "2"]
    assert main([*words, "-o", str(tmp_path / "run")]) == 0
    lines = map(json.loads, (tmp_path / "run" / "episodes.jsonl").read_text().splitlines())
    expected = {record["id"]: record["replies"] for record in lines}
    assert len({str(replies) for replies in expected.values()}) > 1

    from playpen_eval.inspect import game_task

    # Not by its name: tasks are registered once, when there may have been no such game yet.
    settings = {"model_args": {"device": "cpu"}, "display": "none", "log_dir": str(tmp_path)}
    [log] = inspect_ai.eval(game_task("echo"), model=f"playpen-local/{folder}", **settings)
    assert log.status == "success", log.error
    assert log.samples
    assert {one.id: one.store["playpen_episode"]["replies"] for one in log.samples} == expected

    from lm_eval.models import huggingface  # by which lm_eval knows the name hf, whatever was registered before
    from lm_eval.tasks import TaskManager

    from playpen_eval.lmeval.tasks_dir import write_tasks_dir

    assert huggingface.HFLM
    register()
    manager = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False)
    found = lm_eval.simple_evaluate(
        model="hf", model_args={"pretrained": str(folder), "device": "cpu"}, tasks=["playpen_echo"],
        task_manager=manager, apply_chat_template=True, log_samples=True, bootstrap_iters=0,
    )  # fmt: skip
    played = [json.loads(sample["resps"][0][0]) for sample in found["samples"]["playpen_echo"]]
    assert {one["id"]: one["replies"] for one in played} == expected
