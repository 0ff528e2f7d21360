"""lm-eval, Inspect and the plain loop play the same episodes if they are given the same replies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import FakeLM, episodes, evaluate, figure

from playpen_eval import Episode, load_game
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted_reply

LIMIT = 9


def spoilt(reply: str, messages: list[dict[str, str]]) -> str:
    """The expert's reply, or, depending on what it was told, a lost or a broken one."""
    chance = sum(map(ord, messages[-1]["content"])) % 5
    return {0: "no idea", 1: reply.replace("GUESS: ", "GUESS: not ").replace("yes", "no")}.get(chance, reply)


@pytest.mark.parametrize("name", ["taboo", "wordle", "wordle_withclue", "wordle_withcritic"])
def test_three_drivers_agree(name: str, tmp_path: Path) -> None:
    import inspect_ai
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    game = load_game(name)
    answers: dict[str, str] = {}
    alone: dict[str, Episode] = {}
    for instance in load_instances(game).instances[:LIMIT]:
        episode = alone[instance["id"]] = Episode(game, instance)
        while episode.outcome is None:
            seen = episode.observe()
            reply = spoilt(scripted_reply(seen, "best"), seen.messages)
            assert answers.setdefault(json.dumps(seen.messages), reply) == reply
            episode.act(reply)
    kinds = {episode.outcome.kind for episode in alone.values() if episode.outcome}
    assert len(kinds) > 1, "the episodes should end differently"

    lm = FakeLM(lambda messages: answers[json.dumps(messages)])
    results = evaluate(lm, f"playpen_{name}", limit=LIMIT, log_samples=True)
    for found in episodes(results, f"playpen_{name}"):
        expected = alone[found["id"]]
        assert found["replies"] == expected.replies
        assert found["turns"] == [[turn.role, turn.text, turn.reply] for turn in expected.turns]
        assert expected.outcome is not None
        assert found["outcome"] == expected.outcome.to_dict()

    def outputs(input: Any, *_: Any) -> ModelOutput:
        messages = [{"role": message.role, "content": message.text} for message in input]
        output = ModelOutput.from_content("mockllm/model", answers[json.dumps(messages)])
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    model = get_model("mockllm/model", custom_outputs=outputs, memoize=False)
    [log] = inspect_ai.eval(f"playpen/{name}", model=model, limit=LIMIT, display="none", log_dir=str(tmp_path / "logs"))
    assert log.status == "success"
    assert log.samples
    assert log.results
    for sample in log.samples:
        expected = alone[str(sample.id)]
        assert sample.store["playpen_episode"]["replies"] == expected.replies
        assert expected.outcome is not None
        assert sample.store["playpen_episode"]["outcome"] == expected.outcome.to_dict()
    metrics = log.results.scores[0].metrics
    for metric in ("played", "quality", "clemscore", "success", "aborted"):
        assert metrics[metric].value == pytest.approx(figure(results, metric, f"playpen_{name}"), nan_ok=True), metric
