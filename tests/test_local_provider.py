"""The provider playpen-local: batches, limits, adapters, and the same replies as transformers' own generate."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval
from inspect_ai.model import ChatMessageUser, GenerateConfig, get_model

from playpen_eval.errors import UserError
from playpen_eval.inspect.local_provider import Batches, LocalModel, Request, Settings

pytest.importorskip("transformers", reason="the extra hf is not installed")

GREEDY = Settings(6, 0.0, None, None, ())
TEXTS = ["red hat", "a much longer text than the others are", "blue", "red hat, blue cup"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    from playpen_eval.train.nano import make_nano

    folder = tmp_path_factory.mktemp("nano") / "model"
    make_nano(folder, ["practice_drills"])
    return str(folder)


@pytest.fixture(scope="module")
def local(path: str) -> LocalModel:
    return LocalModel(path, "cpu")


def ask(local: LocalModel, texts: list[str], settings: Settings = GREEDY, batch_size: int = 64) -> list[Request]:
    batches = Batches(local, batch_size)

    async def together() -> list[Request]:
        requests = [Request(local.prompt([ChatMessageUser(content=text)]), settings) for text in texts]
        return await asyncio.gather(*map(batches.submit, requests))

    return asyncio.run(together())


def test_a_batch_says_what_each_would_say_alone(local: LocalModel) -> None:
    together = [request.reply for request in ask(local, TEXTS)]
    assert together == [ask(local, [text])[0].reply for text in TEXTS]
    assert len({str(reply) for reply in together}) > 1


def test_requests_meet_in_batches_of_their_settings(local: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    answer = LocalModel.answer
    monkeypatch.setattr(local, "answer", lambda batch: (sizes.append(len(batch)), answer(local, batch)))
    ask(local, TEXTS * 3)
    assert sizes == [12]
    sizes.clear()
    ask(local, TEXTS * 3, batch_size=5)
    assert sorted(sizes) == [2, 5, 5]


def test_a_failing_batch_fails_each_of_its_requests_and_no_other(local: LocalModel) -> None:
    batches = Batches(local)
    good = local.prompt([ChatMessageUser(content="red")])

    async def both() -> list[Any]:
        bad = [Request([10**6], GREEDY._replace(max_tokens=2)) for _ in range(2)]
        requests = [Request(good, GREEDY), *bad]
        first = await asyncio.gather(*map(batches.submit, requests), return_exceptions=True)
        return [*first, await batches.submit(Request(good, GREEDY))]

    fine, *failed, after = asyncio.run(both())
    assert fine.reply == after.reply
    assert [type(error) for error in failed] == [IndexError, IndexError]


def test_a_cancelled_request_leaves_nothing_behind(local: LocalModel) -> None:
    batches = Batches(local)
    ids = local.prompt([ChatMessageUser(content="red")])

    async def cancel() -> Request:
        tasks = [asyncio.create_task(batches.submit(Request(ids, GREEDY))) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[1].cancel()
        return await tasks[2]

    assert asyncio.run(cancel()).reply is not None
    assert batches._waiting == []


def test_sampling_differs_from_greedy_and_repeats_with_its_seed(path: str) -> None:
    hot = GREEDY._replace(temperature=3.0)
    first, again = (ask(LocalModel(path, "cpu", seed=seed), TEXTS, hot) for seed in (1, 1))
    other = ask(LocalModel(path, "cpu", seed=2), TEXTS, hot)
    assert [r.reply for r in first] == [r.reply for r in again] != [r.reply for r in other]


def test_it_plays_a_game_as_hf_does(path: str, tmp_path: Path) -> None:
    replies = {}
    for name, arguments in (("playpen-local", {"device": "cpu"}), ("hf", {"device": "cpu", "do_sample": False})):
        [log] = eval(
            "playpen/practice_drills",
            model=f"{name}/{path}",
            model_args=arguments,
            limit=4,
            display="none",
            log_dir=str(tmp_path),
            max_tokens=12,
        )
        assert log.status == "success", log.error
        assert log.samples is not None
        replies[name] = [sample.store["playpen_episode"]["replies"] for sample in log.samples]
        [usage] = log.stats.model_usage.values()
        assert usage.output_tokens > 0
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert replies["playpen-local"] == replies["hf"]


def test_stops_limits_and_the_context(path: str) -> None:
    model = get_model(f"playpen-local/{path}", device="cpu", memoize=False)

    def say(text: str, **config: Any) -> Any:
        return asyncio.run(model.generate(text, config=GenerateConfig(**config)))

    whole = say("red hat", max_tokens=8)
    assert whole.stop_reason == "max_tokens"
    assert whole.usage.output_tokens == 8
    mark = whole.completion[3]
    cut = say("red hat", max_tokens=8, stop_seqs=[mark])
    assert (cut.completion, cut.stop_reason) == (whole.completion.partition(mark)[0], "stop")
    full = say("red " * 3000)
    assert (full.completion, full.stop_reason) == ("", "model_length")


def test_an_adapter_loads_with_its_base_wherever_one_stands(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peft = pytest.importorskip("peft", reason="the extra train is not installed")
    import torch
    from transformers import AutoModelForCausalLM

    config = peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    torch.manual_seed(0)
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(path), config)
    adapter = tmp_path / "adapter"
    model.save_pretrained(adapter)
    ids = LocalModel(path, "cpu").prompt([ChatMessageUser(content="red hat")])
    wanted = model.generate(torch.tensor([ids]), max_new_tokens=6, do_sample=False)[0, len(ids) :].tolist()
    base = ask(LocalModel(path, "cpu"), ["red hat"])[0].reply
    assert ask(LocalModel(str(adapter), "cpu"), ["red hat"])[0].reply == wanted != base
    written = json.loads((adapter / "adapter_config.json").read_text())
    (tmp_path / "base").symlink_to(path)
    (adapter / "adapter_config.json").write_text(json.dumps(written | {"base_model_name_or_path": "../base"}))
    monkeypatch.chdir("/")
    assert ask(LocalModel(str(adapter), "cpu"), ["red hat"])[0].reply == wanted
    (adapter / "adapter_config.json").write_text(json.dumps(written | {"base_model_name_or_path": None}))
    with pytest.raises(UserError, match="names no base model"):
        LocalModel(str(adapter))


def test_bad_input_says_what_to_do(path: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot load the model"):
        LocalModel(str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="no argument batchsize"):
        get_model(f"playpen-local/{path}", batchsize=3)
    with pytest.raises(UserError, match="at least 1, not 0"):
        get_model(f"playpen-local/{path}", batch_size=0)
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in Path(path).iterdir():
        if file.name != "chat_template.jinja":
            (bare / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UserError, match="has no chat template"):
        LocalModel(str(bare))
