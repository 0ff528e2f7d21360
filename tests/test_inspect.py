"""The Inspect adapter: names, roles, limits, scores, and the same episodes as every other driver."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval
from inspect_ai.log import EvalLog, EvalSample, read_eval_log
from inspect_ai.model import ChatMessage, ChatMessageSystem, Model, ModelOutput, ModelUsage, get_model
from inspect_ai.util import registry_info

import playpen_eval.inspect as adapter
from playpen_eval import Episode, load_game, load_games, lockstep
from playpen_eval.errors import UserError
from playpen_eval.inspect.solver import RECORD
from playpen_eval.instances import load_instances
from playpen_eval.players import scripted

EXPERT = "playpen-scripted/best"


def mock(reply: Callable[[list[ChatMessage]], str]) -> Model:
    """A model that answers by a function; usage is set, or Inspect would download a tokenizer."""

    def outputs(input: list[ChatMessage], *_: Any) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", reply(input))
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    return get_model("mockllm/model", custom_outputs=outputs, memoize=False)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., EvalLog]:
    def run(task: str, model: Model | str = EXPERT, **options: Any) -> EvalLog:
        options = {"display": "none", "log_dir": str(tmp_path), "limit": 3} | options
        [log] = eval(task, model=model, **options)
        return log

    return run


def metrics(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def samples(log: EvalLog) -> list[EvalSample]:
    assert log.samples is not None
    return log.samples


def record(sample: EvalSample) -> dict[str, Any]:
    return sample.store[RECORD]


def test_registered_under_exactly_our_name() -> None:
    @adapter.task(name="playpen/some_test_task")
    def some_test_task() -> Any: ...

    assert registry_info(some_test_task).name == "playpen/some_test_task"
    assert some_test_task.__module__ == __name__


@pytest.mark.parametrize("game", ["taboo", "wordle", "wordle_withclue", "wordle_withcritic"])
def test_same_episodes_as_lockstep(run: Callable[..., EvalLog], game: str) -> None:
    log = run(f"playpen/{game}", limit=6)
    assert log.status == "success"
    assert log.eval.task == f"playpen/{game}"
    played = load_game(game)
    by_id = {instance["id"]: instance for instance in load_instances(played).instances}
    for sample in samples(log):
        episode = Episode(played, by_id[str(sample.id)])
        lockstep([episode], scripted())
        assert episode.outcome is not None
        found = record(sample)
        assert found["replies"] == episode.replies
        assert found["roles"] == [turn.role for turn in episode.turns]
        assert found["outcome"] == episode.outcome.to_dict()


def test_the_log_names_this_distribution(run: Callable[..., EvalLog]) -> None:
    log = run("playpen/taboo", limit=1)
    assert "playpen-eval" in log.eval.packages
    assert log.eval.task_version == load_game("taboo").version
    assert log.eval.metadata is not None
    assert log.eval.metadata["sha256"] == load_instances(load_game("taboo")).sha256


def test_greedy_and_300_tokens_unless_told_otherwise(run: Callable[..., EvalLog]) -> None:
    assert run("playpen/wordle", limit=1).plan.config.temperature == 0
    assert run("playpen/wordle", limit=1).plan.config.max_tokens == 300
    changed = run("playpen/wordle", limit=1, temperature=0.7, max_tokens=50).plan.config
    assert (changed.temperature, changed.max_tokens) == (0.7, 50)


def test_metrics_by_hand(run: Callable[..., EvalLog]) -> None:
    """Of three instances one is won in the first round, one lost, one aborted."""
    instances = load_instances(load_game("taboo")).instances[:3]
    won, lost, _ = (instance["target"] for instance in instances)

    def reply(input: list[ChatMessage]) -> str:
        text = input[0].text
        if "The secret word is" in text:
            return f"CLUE: {1 + [i['target'] for i in instances].index(text.split('word is: ')[1].split()[0])}"
        clue = input[-1].text.split("CLUE: ")[1][0]
        return {"1": f"GUESS: {won}", "2": f"GUESS: not{lost}", "3": "no guess"}[clue]

    log = run("playpen/taboo", mock(reply))
    found = metrics(log)
    assert found["played"] == pytest.approx(200 / 3)
    assert found["quality"] == pytest.approx(50)
    assert found["clemscore"] == pytest.approx(200 / 3 * 50 / 100)
    assert found["success"] == pytest.approx(100 / 3)
    assert found["aborted"] == pytest.approx(100 / 3)
    assert [found[f"clemscore/{name}"] for name in ("high", "medium", "low")] == [100, 0, 0]
    answers = {s.metadata["experiment"]: s.scores["episode"].answer for s in samples(log) if s.scores}
    assert answers == {"high": "success", "medium": "lose", "low": "aborted"}
    score = adapter.game_scores(log)
    assert (score.success, score.lose, score.aborted) == (1, 1, 1)
    assert score.clemscore == pytest.approx(found["clemscore"])


def test_epochs_are_episodes(run: Callable[..., EvalLog]) -> None:
    """Metrics see single episodes, not means over epochs."""
    calls = 0

    def reply(input: list[ChatMessage]) -> str:
        nonlocal calls
        calls += 1
        return "nonsense" if calls == 1 else "explanation: x\nguess: zebra"

    log = run("playpen/wordle", mock(reply), limit=1, epochs=4)
    assert len(samples(log)) == 4
    assert metrics(log)["aborted"] == 25
    assert metrics(log)["quality"] == 0


def test_each_role_sees_its_own_chat_only(run: Callable[..., EvalLog]) -> None:
    log = run("playpen/taboo", limit=1)
    [sample] = samples(read_eval_log(log.location, resolve_attachments=True))
    events = [event for event in sample.events if event.event == "model"]
    target = next(i["target"] for i in load_instances(load_game("taboo")).instances)
    assert f"secret word is: {target}" in events[0].input[0].text
    assert not any(isinstance(message, ChatMessageSystem) for message in events[1].input)
    assert target not in events[1].input[0].text


def test_scripted_partner_and_role(run: Callable[..., EvalLog]) -> None:
    log = run("playpen/taboo", mock(lambda input: "GUESS: nothing"), task_args={"partner": "scripted"})
    for sample in samples(log):
        assert record(sample)["learner_roles"] == ["guesser"]
        assert sample.scores is not None
        assert sample.scores["episode"].answer == "lose"
        assert len([event for event in sample.events if event.event == "model"]) == 3
    swapped = run("playpen/taboo", mock(lambda input: "x"), task_args={"partner": "scripted", "role": "describer"})
    assert record(samples(swapped)[0])["outcome"]["faulty_role"] == "describer"


def test_a_partners_fault_is_left_out(run: Callable[..., EvalLog]) -> None:
    log = run("playpen/taboo", task_args={"partner": "scripted:breaker"})
    found = metrics(log)
    assert math.isnan(found["played"])
    assert found["partner_aborted"] == 3


def test_model_partner(run: Callable[..., EvalLog]) -> None:
    partner = mock(lambda input: "CLUE: 1")
    log = run(
        "playpen/taboo",
        mock(lambda input: "GUESS: nothing"),
        task_args={"partner": "model"},
        model_roles={"partner": partner},
        limit=1,
    )
    roles = [event.role for event in samples(log)[0].events if event.event == "model"]
    assert roles == ["partner", None] * 3
    config = next(event.config for event in samples(log)[0].events if event.event == "model")
    assert (config.temperature, config.max_tokens) == (0, 300)


@pytest.mark.parametrize(
    ("args", "roles", "message"),
    [
        ({"partner": "model"}, {}, "--model-role partner"),
        ({"partner": "self"}, {"partner": "playpen-scripted/best"}, "partner=self"),
        ({"partner": "somebody"}, {}, "unknown partner 'somebody'"),
        ({"partner": "scripted", "role": "judge"}, {}, "unknown role of taboo 'judge'"),
        ({"instances": "tset"}, {}, "unknown instances 'tset'"),
        ({"experiment": "hihg"}, {}, "did you mean 'high'"),
    ],
)
def test_what_does_not_fit_is_refused(run: Callable[..., EvalLog], args: dict, roles: dict, message: str) -> None:
    said = ""
    try:
        log = run("playpen/taboo", task_args=args, model_roles=roles, limit=1)
        assert log.status == "error"
        said = str([log.error, *(sample.error for sample in samples(log))])
    except UserError as error:
        said = str(error)
    assert message in said


def test_a_limit_of_inspect_is_an_abort(run: Callable[..., EvalLog]) -> None:
    log = run("playpen/wordle", mock(lambda input: "explanation: x\nguess: zebra"), limit=1, turn_limit=2)
    [sample] = samples(log)
    assert sample.limit is not None
    assert sample.scores is not None
    assert sample.scores["episode"].answer == "aborted"
    assert len(record(sample)["replies"]) == 2
    assert metrics(log)["aborted"] == 100


def test_a_bug_in_a_game_is_an_error_and_costs_one_sample(
    run: Callable[..., EvalLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    game = load_game("wordle")
    first = load_instances(game).instances[0]
    play = type(game).play

    def broken(self: Any, instance: dict) -> Any:
        outcome = yield from play(self, instance)
        if instance["target"] == first["target"]:
            raise ZeroDivisionError("a bug")
        return outcome

    monkeypatch.setattr(type(game), "play", broken)
    log = run("playpen/wordle", limit=3)
    assert log.status == "error"
    assert [sample.error is not None for sample in samples(log)] == [True, False, False]
    assert metrics(log)["success"] == 100


def test_end_tokens_of_live_models_are_cut_off(run: Callable[..., EvalLog]) -> None:
    log = run("playpen/wordle", mock(lambda input: "explanation: x\nguess: zebra<|eot_id|>"), limit=1)
    assert record(samples(log)[0])["replies"][0] == "explanation: x\nguess: zebra"


HOSTILE = ["", "\ud800", "\x00", "a" * 50_000, "<|im_end|>", "{}", "GUESS:", "explanation:\nguess:"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_replies_are_scored(run: Callable[..., EvalLog], text: str) -> None:
    for game in ("taboo", "wordle_withcritic"):
        log = run(f"playpen/{game}", mock(lambda input: text), limit=1)
        assert log.status == "success"
        assert metrics(log)["aborted"] == 100


def test_spans_give_a_lane_per_role(run: Callable[..., EvalLog]) -> None:
    log = run("playpen/taboo", limit=1, task_args={"spans": True})
    names = [event.name for event in samples(log)[0].events if event.event == "span_begin" and event.type == "agent"]
    assert names == ["describer", "guesser"]


def test_clembench_instances(run: Callable[..., EvalLog], shared: Path) -> None:
    source = f"clembench:{shared / 'clembench'}@v3.0"
    for game in load_games().values():
        if game.suite != "playpen":
            continue
        log = run(f"playpen/{game.name}", task_args={"instances": source}, limit=2)
        assert log.status == "success"
        assert log.eval.metadata is not None
        assert log.eval.metadata["instances"] == "clembench-3.0"


def test_command_line(tmp_path: Path) -> None:
    """The command of the README, in a process of its own and from another folder, with a broken games folder about."""
    (tmp_path / "games" / "broken").mkdir(parents=True)
    (tmp_path / "games" / "broken" / "game.py").write_text("import nothing_of_that_name\n")
    inspect = str(Path(sys.executable).parent / "inspect")
    command = [inspect, "eval", "playpen/taboo", "playpen/wordle", "--model", EXPERT, "--limit", "2"]
    done = subprocess.run(
        [*command, "--display", "plain", "--log-dir", "logs", "-T", "instances=validation"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PLAYPEN_GAMES_DIR": str(tmp_path / "games")},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    logs = [read_eval_log(path) for path in sorted((tmp_path / "logs").glob("*.eval"))]
    assert {log.eval.task for log in logs} == {"playpen/taboo", "playpen/wordle"}
    assert all(log.status == "success" for log in logs)
    assert "broken" in done.stdout + done.stderr


@pytest.mark.slow
def test_local_hugging_face_model(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra hf is not installed")
    from tiny_llama import make_tiny_model

    model = get_model(f"hf/{make_tiny_model(tmp_path / 'model')}", do_sample=False, device="cpu")
    [log] = eval(
        "playpen/taboo", model=model, limit=2, max_tokens=8, display="none", log_dir=str(tmp_path), max_connections=2
    )
    assert log.status == "success"
    assert all(record(sample)["replies"] for sample in samples(log))
