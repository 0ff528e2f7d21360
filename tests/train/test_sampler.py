"""Sampling with transformers on a tiny model."""
# pyright: reportMissingImports=false

from __future__ import annotations

import pytest
from made import byte_tokenizer
from playpen_eval.train.chat import load_chat
from playpen_eval.train.rollout import Settings, play
from playpen_eval.train.sampler import HFSampler

from playpen_eval import Episode, load_game
from playpen_eval.errors import UserError
from playpen_eval.instances import load_instances

torch = pytest.importorskip("torch", reason="the extra hf is not installed")


@pytest.fixture(scope="module")
def chat():
    return load_chat(byte_tokenizer())


@pytest.fixture(scope="module")
def model(chat):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    size = len(chat.tokenizer)
    config = LlamaConfig(
        vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=2048, initializer_range=0.2,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


PROMPTS = [[5, 6, 7], [8], [5, 9, 10, 11, 12]]


@pytest.mark.parametrize("temperature", [0.7, 0.0])
def test_logprobs_are_those_of_the_model(model, chat, temperature):
    sampler = HFSampler(model, chat.stops, batch_size=2)
    for prompt, sample in zip(PROMPTS, sampler.generate(PROMPTS, max_new_tokens=6, temperature=temperature, seed=1)):
        assert sample.logprobs is not None
        assert 1 <= len(sample.ids) == len(sample.logprobs) <= 6
        assert all(token not in chat.stops for token in sample.ids[:-1])
        with torch.no_grad():
            logits = model(torch.tensor([prompt + sample.ids])).logits[0, len(prompt) - 1 : -1] / (temperature or 1)
        expected = torch.log_softmax(logits, -1).gather(-1, torch.tensor(sample.ids)[:, None])[:, 0]
        assert torch.allclose(torch.tensor(sample.logprobs), expected, atol=1e-4)


def test_greedy_does_not_depend_on_the_batch(model, chat):
    together = HFSampler(model, chat.stops).generate(PROMPTS, max_new_tokens=5, temperature=0, seed=0)
    alone = HFSampler(model, chat.stops, batch_size=1).generate(PROMPTS, max_new_tokens=5, temperature=0, seed=9)
    assert [sample.ids for sample in together] == [sample.ids for sample in alone]


def test_seeds_and_the_callers_random_numbers(model, chat):
    sampler = HFSampler(model, chat.stops)
    state = torch.random.get_rng_state()
    first, again, other = (sampler.generate(PROMPTS, max_new_tokens=8, temperature=1, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert torch.equal(state, torch.random.get_rng_state())


def test_batches_keep_their_limit(model, chat):
    sampler = HFSampler(model, chat.stops, batch_size=10, batch_tokens=14)
    batches = list(sampler._batches(PROMPTS, 4))
    assert batches == [[1, 0], [2]]


def test_a_whole_rollout(model, chat):
    game = load_game("taboo")
    episodes = [Episode(game, instance) for instance in load_instances(game, "train").instances[:3]]
    settings = Settings(max_new_tokens=4, seed="0")
    rows = play(episodes, [game.roles] * 3, HFSampler(model, chat.stops), chat, settings)
    assert {row.meta.kind for row in rows} == {"aborted"}
    assert [row.meta.seat for row in rows] == ["describer", "guesser"] * 3
    assert [row.reward for row in rows] == [0.0, None] * 3
    for row in rows:
        row.validate()
    again = [Episode(game, instance) for instance in load_instances(game, "train").instances[:3]]
    assert play(again, [game.roles] * 3, HFSampler(model, chat.stops), chat, settings) == rows


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot load the model"):
        HFSampler.load(str(tmp_path), {0})
