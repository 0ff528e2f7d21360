"""The adapter for lm-evaluation-harness, through the harness's own evaluate() and its command line."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval", reason="needs the extra lm-eval")

import lm_eval
import yaml
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.tasks import TaskManager

from playpen_eval.cli import lm_eval as command
from playpen_eval.cli import tasks_dir as tasks_dir_command
from playpen_eval.episode import Episode
from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.lmeval.driver import REQUEST_TYPE, install, playpen_dialogue
from playpen_eval.lmeval.player import PLAIN_STOP, check_partner
from playpen_eval.lmeval.task import average, process_results, total
from playpen_eval.lmeval.tasks_dir import write_tasks_dir
from playpen_eval.registry import ENV, load_game, load_games
from playpen_eval.scoring import episode_score, summarise

ROOT = Path(__file__).parent.parent
simple_evaluate: Any = lm_eval.simple_evaluate  # its decorator hides the parameters

RELAY = '''
"""Small games that need every feature of the adapter."""
from playpen_eval.game import Abort, Ask, Game, Outcome


class Relay(Game):
    """The giver says a number, the taker repeats it."""

    name = "relay"
    version = 3
    roles = ("giver", "taker")
    experiments = ("near", "far")
    sizes = {"train": 2, "validation": 3, "test": 5}
    visible = {"giver": ("number",), "taker": ()}

    def play(self, instance):
        for turn in range(instance["rounds"]):
            text = f"RULES of the giver. Say {instance['number']}." if turn == 0 else "Again."
            said = yield Ask("giver", text, max_tokens=20)
            if not said.startswith("SAY:"):
                raise Abort("giver", "no SAY:")
            heard = yield Ask("taker", f"RULES of the taker. {said}" if turn == 0 else said)
            if not heard.startswith("SAY:"):
                raise Abort("taker", "no SAY:")
            if heard != said:
                return Outcome.lose(0.25, "not what was said")
        return Outcome.success(1 / instance["rounds"])

    def max_turns(self, instance):
        return 2 * instance["rounds"]

    def generate(self, experiment, rng):
        number = rng.randrange(10**6)
        return {"number": number, "rounds": 1 + number % 3}

    def scripted(self, role, view, style):
        if style == "breaker":
            return lambda messages: "no"
        if role == "giver":
            return lambda messages: f"SAY: {view['number']}"
        return lambda messages: "SAY:" + messages[-1]["content"].rpartition("SAY:")[2]


class Solo(Relay):
    """A held-out game of one."""

    name = "solo"
    roles = ("player",)
    held_out = True

    def play(self, instance):
        said = yield Ask("player", f"RULES of the player. Say {instance['number']}.")
        return Outcome.success() if said.startswith("SAY:") else Outcome.aborted("player", "no SAY:")
'''


@pytest.fixture(scope="session")
def games_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("games")
    (folder / "relay").mkdir()
    (folder / "relay" / "game.py").write_text(RELAY)
    return folder


@pytest.fixture(autouse=True)
def _surroundings(games_dir, tmp_path, monkeypatch):
    monkeypatch.setenv(ENV, str(games_dir))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def obedient(messages: list[dict[str, str]]) -> str:
    """Plays relay and solo without a mistake."""
    numbers = re.findall(r"\d+", " ".join(m["content"] for m in messages if m["role"] == "user"))
    return f"SAY: {numbers[-1]}"


def unreliable(messages: list[dict[str, str]]) -> str:
    """Makes mistakes of every kind, by the content alone."""
    said = obedient(messages)
    chance = sum(map(ord, json.dumps(messages))) % 7
    return {0: "no", 1: said + "1"}.get(chance, said)


class FakeLM(LM):
    """Answers by a function of the messages; keeps what it was asked."""

    def __init__(self, answer: Callable[[list[dict[str, str]]], Any] = obedient):
        super().__init__()
        self.answer = answer
        self.batches: list[list[tuple[Any, dict[str, Any]]]] = []

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood

    def generate_until(self, requests: list[Any]) -> list[Any]:
        assert requests, "some backends fail on an empty list"
        self.batches.append([request.args for request in requests])
        return [self.answer(json.loads(request.args[0])) for request in requests]

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return json.dumps(chat_history)

    @property
    def asked(self) -> list[list[dict[str, str]]]:
        return [json.loads(prompt) for batch in self.batches for prompt, _ in batch]


class PartnerLM(FakeLM):
    """A partner that the harness builds by name."""

    made: list[PartnerLM] = []

    def __init__(self, reply: str = "", **_: Any):
        super().__init__(lambda messages: reply or obedient(messages))
        self.made.append(self)


register_model("playpen-test-partner")(PartnerLM)


def evaluate(lm: LM, *tasks: str, metadata: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    manager = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False, metadata=metadata or {})
    results = simple_evaluate(lm, tasks=list(tasks), task_manager=manager, bootstrap_iters=0, **more)
    return results


def episodes(results: dict[str, Any], task: str = "playpen_relay") -> list[dict[str, Any]]:
    samples = sorted(results["samples"][task], key=lambda sample: sample["doc_id"])
    return [json.loads(text) for sample in samples for text in sample["resps"][0]]


def figure(results: dict[str, Any], metric: str, task: str = "playpen_relay") -> float:
    return results["results"][task][f"{metric},none"]


# Tasks


def test_every_game_and_role_is_indexed():
    manager = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False)
    expected = {"playpen_unseen_instances", "playpen_unseen_games"}
    for name, game in load_games().items():
        expected.add(f"playpen_{name}")
        if len(game.roles) > 1:
            expected |= {f"playpen_{name}_{role}" for role in game.roles}
    assert {"playpen_taboo_guesser", "playpen_relay_taker", "playpen_solo"} <= expected
    assert expected <= set(manager.all_tasks)


def test_groups_are_the_axes():
    folder = write_tasks_dir()
    seen = yaml.safe_load((folder / "playpen_unseen_instances.yaml").read_text())
    unseen = yaml.safe_load((folder / "playpen_unseen_games.yaml").read_text())
    assert "playpen_relay" in seen["task"]
    assert "playpen_solo" not in seen["task"]
    assert "playpen_solo" in unseen["task"]
    for group in (seen, unseen):  # each game counts the same, however many instances it has
        assert [entry["metric"] for entry in group["aggregate_metric_list"]] == ["played", "quality", "success"]
        assert not any(entry["weight_by_size"] for entry in group["aggregate_metric_list"])


def test_the_version_of_a_group_follows_its_games(monkeypatch):
    def version() -> str:
        games = {"relay": load_game("relay")}
        return yaml.safe_load((write_tasks_dir(games) / "playpen_unseen_instances.yaml").read_text())["metadata"][
            "version"
        ]

    before = version()
    monkeypatch.setattr(type(load_game("relay")), "version", 4)
    assert version() != before


def test_no_group_without_games():
    folder = write_tasks_dir({"relay": load_game("relay")})
    assert not (folder / "playpen_unseen_games.yaml").exists()


def test_writing_again_changes_nothing_and_repairs():
    folder = write_tasks_dir()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "playpen_relay.yaml").unlink()
    assert write_tasks_dir() == folder
    after = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert after.keys() == before.keys()
    assert [path.name for path in before if before[path] != after[path]] == ["playpen_relay.yaml"]


def test_writing_at_once_leaves_whole_files_only():
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: write_tasks_dir(), range(16)))
    (folder,) = folders
    assert not list(folder.glob(".*"))
    assert "playpen_relay" in TaskManager(include_path=str(folder), include_defaults=False).all_tasks


def test_an_unwritable_cache_is_the_users_to_mend(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    with pytest.raises(UserError, match="XDG_CACHE_HOME"):
        write_tasks_dir()


def test_games_outside_the_package_need_no_environment(monkeypatch):
    folder = write_tasks_dir()
    monkeypatch.delenv(ENV)
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    results = simple_evaluate(FakeLM(), tasks=["playpen_solo"], task_manager=manager, bootstrap_iters=0)
    assert figure(results, "success", "playpen_solo") == 100


def test_a_broken_game_is_named_and_the_others_stay(tmp_path, monkeypatch, caplog):
    (tmp_path / "games" / "bad").mkdir(parents=True)
    (tmp_path / "games" / "bad" / "game.py").write_text("import nothing_of_that_name\n")
    monkeypatch.setenv(ENV, str(tmp_path / "games"))
    with caplog.at_level(logging.WARNING, "lm_eval.playpen"):
        folder = write_tasks_dir()
    assert "nothing_of_that_name" in caplog.text
    assert (folder / "playpen_taboo.yaml").is_file()
    assert not (folder / "playpen_bad.yaml").exists()


def test_a_missing_games_folder_is_an_error(monkeypatch):
    monkeypatch.setenv(ENV, "/no/such/folder")
    with pytest.raises(UserError, match="/no/such/folder"):
        write_tasks_dir()


def test_the_document_holds_the_instance():
    task: Any = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False).load(["playpen_relay"])
    docs = list(task["tasks"]["playpen_relay"].test_docs())
    assert len(docs) == 10
    assert {doc["experiment"] for doc in docs} == {"near", "far"}
    instance = json.loads(docs[0]["instance"])
    assert docs[0]["id"] == instance["id"]
    assert docs[0]["prompt"] == f"RULES of the giver. Say {instance['number']}."


def test_metadata_chooses_the_instances():
    results = evaluate(
        FakeLM(), "playpen_relay", metadata={"playpen_source": "validation", "playpen_experiment": "far"}
    )
    ids = [episode["id"] for episode in episodes(results)]
    assert len(ids) == 3
    assert all("/validation/far/" in name for name in ids)


# Playing


def test_the_harness_still_dispatches_by_the_name_of_the_request_type():
    install()
    assert getattr(LM, REQUEST_TYPE) is playpen_dialogue
    lm = FakeLM()
    results = evaluate(lm, "playpen_relay", limit=1)
    assert lm.batches, "lm_eval no longer calls the model's method named by the request type"
    assert figure(results, "success") == 100
    (episode,) = episodes(results)
    assert list(episode) == [
        "game",
        "version",
        "id",
        "replies",
        "turns",
        "outcome",
        "learner_roles",
        "partner",
        "template",
    ]
    assert (episode["game"], episode["version"], episode["partner"]) == ("relay", 3, "self")
    assert (episode["learner_roles"], episode["template"]) == (["giver", "taker"], "chat")


def test_the_record_rebuilds_the_episode():
    game = load_game("relay")
    results = evaluate(FakeLM(unreliable), "playpen_relay")
    for sample, episode in zip(results["samples"]["playpen_relay"], episodes(results), strict=True):
        again = Episode(game, json.loads(sample["doc"]["instance"]), episode["replies"])
        assert again.outcome is not None
        assert again.outcome.to_dict() == episode["outcome"]
        assert [[turn.role, turn.text, turn.reply] for turn in again.turns] == episode["turns"]


def test_lockstep_plays_as_one_by_one_does():
    together, alone = FakeLM(unreliable), FakeLM(unreliable)
    played = episodes(evaluate(together, "playpen_relay"))
    single = [episodes(evaluate(alone, "playpen_relay", samples={"playpen_relay": [i]}))[0] for i in range(10)]
    assert played == single
    assert {episode["outcome"]["kind"] for episode in played} == {"success", "lose", "aborted"}
    longest = max(len(episode["replies"]) for episode in played)
    assert len(together.batches) == longest
    assert len(alone.batches) == sum(len(episode["replies"]) for episode in played) > longest


def test_all_tasks_of_a_run_share_the_batches():
    lm = FakeLM()
    evaluate(lm, "playpen_relay_giver", "playpen_relay_taker", "playpen_solo")
    assert len(lm.batches[0]) == 30


def test_every_turn_tells_the_whole_history_of_its_role_alone():
    lm = FakeLM()
    evaluate(lm, "playpen_relay")
    assert max(map(len, lm.asked)) == 5
    for messages in lm.asked:
        assert [message["role"] for message in messages] == (["user", "assistant"] * 9)[: len(messages)]
        assert len(messages) % 2
        assert messages[0]["content"].startswith("RULES of the ")
        assert sum("RULES" in message["content"] for message in messages) == 1


def test_the_shorter_limit_of_tokens_counts():
    def limits(**more: Any) -> set[tuple[str, int]]:
        lm = FakeLM()
        evaluate(lm, "playpen_relay", **more)
        roles = {prompt: json.loads(prompt)[0]["content"].split()[3] for batch in lm.batches for prompt, _ in batch}
        return {(roles[prompt], settings["max_gen_toks"]) for batch in lm.batches for prompt, settings in batch}

    assert limits() == {("giver.", 20), ("taker.", 300)}
    assert limits(gen_kwargs="max_gen_toks=10") == {("giver.", 10), ("taker.", 10)}


def test_backends_may_change_the_settings_they_get():
    class Greedy(FakeLM):
        def generate_until(self, requests: list[Any]) -> list[Any]:
            replies = super().generate_until(requests)
            for request in requests:
                assert request.args[1].pop("until") == []
            return replies

    assert figure(evaluate(Greedy(), "playpen_relay"), "success") == 100


def test_progress_bars_of_single_turns_are_off():
    class Bars(FakeLM):
        bars: list[bool] = []

        def generate_until(self, requests, disable_tqdm=False):
            self.bars.append(not disable_tqdm)
            return super().generate_until(requests)

    lm = Bars()
    evaluate(lm, "playpen_relay")
    assert lm.bars
    assert not any(lm.bars)


def test_a_model_without_template_is_told_as_plain_text():
    class Base(FakeLM):
        def generate_until(self, requests: list[Any]) -> list[Any]:
            self.batches.append([request.args for request in requests])
            return [" " + obedient([{"role": "user", "content": request.args[0]}]) for request in requests]

        def apply_chat_template(self, chat_history, add_generation_prompt=True):
            return LM.apply_chat_template(self, chat_history)

    lm = Base()
    results = evaluate(lm, "playpen_relay")
    assert {episode["template"] for episode in episodes(results)} == {"plain"}
    assert figure(results, "success") == 100
    prompt, settings = lm.batches[-1][0]
    assert re.fullmatch(r"User: RULES.*\nAssistant: SAY: \d+\nUser: .*\nAssistant: .*\nUser: .*\nAssistant:", prompt)
    assert settings["until"] == [PLAIN_STOP]


@pytest.mark.parametrize("text", [None, "", "\ud800", "\x00{{7*7}}{% raw %}</s>", "SAY: " + "9" * 5000, "[" * 3000])
def test_hostile_text_never_raises(text):
    results = evaluate(FakeLM(lambda messages: text), "playpen_relay", limit=2)
    for episode in episodes(results):
        assert episode["outcome"]
        for reply in episode["replies"]:
            reply.encode("utf-8")


def test_end_tokens_of_a_server_are_cut_off():
    results = evaluate(FakeLM(lambda messages: obedient(messages) + "<|im_end|>"), "playpen_relay")
    assert not any("im_end" in reply for episode in episodes(results) for reply in episode["replies"])


def test_a_system_instruction_is_refused_loudly(caplog):
    with caplog.at_level(logging.WARNING, "lm_eval.playpen"):
        lm = FakeLM()
        evaluate(lm, "playpen_relay", limit=1, system_instruction="Be brief.")
    assert "--system_instruction does not reach" in caplog.text
    assert "Be brief." not in json.dumps(lm.asked)


def test_progress_is_logged_where_the_harness_shows_it(caplog):
    with caplog.at_level(logging.INFO, "lm_eval.playpen"):
        evaluate(FakeLM(), "playpen_relay")
    assert "turn 1: 10 of 10 episodes go on" in caplog.text


def test_the_harness_cache_of_requests_is_not_used():
    # Its key ignores the partner: the second run would play the first one's requests.
    evaluate(FakeLM(), "playpen_relay_taker", cache_requests=True)
    results = evaluate(FakeLM(), "playpen_relay_taker", cache_requests=True, metadata={"partner": "scripted:breaker"})
    assert {episode["partner"] for episode in episodes(results, "playpen_relay_taker")} == {"scripted:breaker"}


def test_a_full_context_ends_the_episode_of_that_role():
    class Small(FakeLM):
        max_length = 400

        def tok_encode(self, string):
            return list(string)

    results = evaluate(Small(), "playpen_relay", gen_kwargs="max_gen_toks=200")
    played = episodes(results)
    full = [episode for episode in played if episode["outcome"]["kind"] == "aborted"]
    assert {episode["outcome"]["kind"] for episode in played} == {"success", "aborted"}
    for episode in full:
        assert episode["outcome"]["reason"] == "the context of 400 tokens is full"
        # The giver's limit of 20 tokens leaves it more room.
        assert episode["outcome"]["faulty_role"] == "taker"
        assert len(episode["replies"]) == len(episode["turns"]) >= 1
    assert figure(results, "aborted") == 100 * len(full) / 10


def test_a_context_smaller_than_a_reply_ends_every_episode():
    class Tiny(FakeLM):
        max_length = 10

        def tok_encode(self, string):
            return list(string)

    lm = Tiny()
    assert figure(evaluate(lm, "playpen_relay"), "aborted") == 100
    assert not lm.batches


def test_an_automatic_batch_size_is_detected_once():
    class Auto(FakeLM):
        batch_size_per_gpu: Any = "auto"
        detected = 0
        seen: set[Any] = set()

        @property
        def batch_size(self):
            return self.batch_size_per_gpu

        def _detect_batch_size(self):
            self.detected += 1
            return 8

        def generate_until(self, requests: list[Any]) -> list[Any]:
            self.seen.add(self.batch_size)
            return super().generate_until(requests)

    lm = Auto()
    evaluate(lm, "playpen_relay")
    assert (lm.detected, lm.seen, lm.batch_size) == (1, {8}, "auto")


def test_the_cache_answers_a_second_run(tmp_path):
    first, second = FakeLM(unreliable), FakeLM(unreliable)
    path = str(tmp_path / "replies")
    played = episodes(evaluate(first, "playpen_relay", use_cache=path))
    assert first.batches
    assert episodes(evaluate(second, "playpen_relay", use_cache=path)) == played
    assert not second.batches


def test_sampled_replies_never_come_from_the_cache(tmp_path):
    for _ in range(2):
        lm = FakeLM()
        evaluate(lm, "playpen_relay", use_cache=str(tmp_path / "replies"), gen_kwargs="do_sample=True,temperature=1.0")
        assert lm.batches


def test_repeats_are_episodes_of_their_own():
    lm = FakeLM()
    counter = iter(range(10**6))
    lm.answer = lambda messages: obedient(messages) if next(counter) % 5 else "no"
    results = evaluate(lm, "playpen_relay", metadata={"playpen_repeats": 4})
    played = episodes(results)
    assert len(played) == 40
    kinds = {tuple(e["outcome"]["kind"] for e in played[i : i + 4]) for i in range(0, 40, 4)}
    assert any(len(set(kind)) > 1 for kind in kinds)
    assert figure(results, "played") == 100 * sum(e["outcome"]["kind"] != "aborted" for e in played) / 40


def test_parallel_ranks_play_every_instance_once():
    torch = pytest.importorskip("torch")
    gathered: dict[int, list[Any]] = {}

    class Rank(FakeLM):
        def __init__(self, rank: int):
            super().__init__(unreliable)
            self._rank, self._world_size, self._device = rank, 2, "cpu"
            self.calls = 0

        def all_gather(self, tensor):
            return torch.tensor([5, 4])  # --limit 9 on two ranks

        def gather_object(self, obj, dst=0):
            gathered.setdefault(self.rank, []).append(obj)
            self.calls += 1
            return [obj, gathered[1][self.calls - 1]] if self.rank == 0 else None

    second = Rank(1)
    manager = TaskManager(include_path=str(write_tasks_dir()), include_defaults=False)
    assert simple_evaluate(second, tasks=["playpen_relay"], task_manager=manager, bootstrap_iters=0, limit=9) is None
    assert len(second.batches[0]) == 5, "the shorter rank is padded"
    merged = evaluate(Rank(0), "playpen_relay", limit=9)
    plain = evaluate(FakeLM(unreliable), "playpen_relay", limit=9)
    logged = [json.loads(sample["resps"][0][0]) for sample in merged["samples"]["playpen_relay"]]
    assert sorted(logged, key=lambda e: e["id"]) == sorted(episodes(plain), key=lambda e: e["id"])
    for metric in ("played", "quality", "clemscore"):
        assert figure(merged, metric) == pytest.approx(figure(plain, metric))


def test_predictions_alone_have_no_metrics():
    results = evaluate(FakeLM(), "playpen_relay", limit=2, predict_only=True)
    assert figure(results, "bypass") == 999
    assert len(episodes(results)) == 2


# Partners


def test_a_scripted_partner_takes_the_other_roles():
    lm = FakeLM()
    results = evaluate(lm, "playpen_relay_taker")
    assert {messages[0]["content"].split()[3] for messages in lm.asked} == {"taker."}
    for episode in episodes(results, "playpen_relay_taker"):
        assert (episode["learner_roles"], episode["partner"]) == (["taker"], "scripted")
        assert episode["outcome"]["kind"] == "success"


def test_the_game_names_the_learner_where_the_task_does_not():
    results = evaluate(FakeLM(), "playpen_relay", metadata={"partner": "scripted"})
    assert episodes(results)[0]["learner_roles"] == ["taker"]


@pytest.mark.parametrize("task", ["playpen_relay_taker", "playpen_relay_giver"])
def test_an_abort_by_the_partner_is_not_the_learners(task):
    results = evaluate(FakeLM(), task, metadata={"partner": "scripted:breaker"})
    assert figure(results, "partner_aborted", task) == 10
    assert figure(results, "aborted", task) == 0
    assert {episode["outcome"]["kind"] for episode in episodes(results, task)} == {"aborted"}


def test_an_abort_by_the_learner_is_its_own():
    results = evaluate(FakeLM(lambda messages: "no"), "playpen_relay_taker")
    assert figure(results, "partner_aborted", "playpen_relay_taker") == 0
    assert figure(results, "aborted", "playpen_relay_taker") == 100


def test_a_model_as_partner():
    PartnerLM.made.clear()
    spec = {"model": "playpen-test-partner", "model_args": {"reply": ""}}
    lm = FakeLM()
    results = evaluate(lm, "playpen_relay_taker", metadata={"partner": spec})
    (partner,) = PartnerLM.made
    assert {messages[0]["content"].split()[3] for messages in partner.asked} == {"giver."}
    assert {messages[0]["content"].split()[3] for messages in lm.asked} == {"taker."}
    assert len(partner.batches[0]) == 10
    assert figure(results, "success", "playpen_relay_taker") == 100
    assert episodes(results, "playpen_relay_taker")[0]["partner"] == spec
    evaluate(lm, "playpen_relay_taker", metadata={"partner": spec})
    assert len(PartnerLM.made) == 1, "the partner stays loaded"


def test_the_partners_faults_are_left_out():
    spec = {"model": "playpen-test-partner", "model_args": "reply=no"}
    results = evaluate(FakeLM(), "playpen_relay_taker", metadata={"partner": spec})
    assert figure(results, "partner_aborted", "playpen_relay_taker") == 10
    assert figure(results, "aborted", "playpen_relay_taker") == 0


def test_the_partners_replies_never_enter_the_cache(tmp_path):
    path = str(tmp_path / "replies")
    spec = {"model": "playpen-test-partner", "model_args": {"reply": "SAY: 5"}}
    evaluate(FakeLM(), "playpen_relay_taker", metadata={"partner": spec}, use_cache=path)
    again = FakeLM(lambda messages: "SAY: 6")
    results = evaluate(again, "playpen_relay_giver", metadata={"partner": "scripted"}, use_cache=path)
    assert {episode["replies"][0] for episode in episodes(results, "playpen_relay_giver")} == {"SAY: 6"}


@pytest.mark.parametrize(
    "spec", ["somebody", "scripted:genius", 3, None, {}, {"model": 1}, {"model": "hf", "args": {}}, {"model_args": {}}]
)
def test_an_unknown_partner_is_refused_before_anything_is_played(spec):
    with pytest.raises(UserError, match=r"partner|style"):
        check_partner(spec)
    lm = FakeLM()
    with pytest.raises(UserError):
        evaluate(lm, "playpen_relay", metadata={"partner": spec})
    assert not lm.batches


# Numbers


def record(kind: str, score: float | None, role: str | None = None, learner: tuple[str, ...] = ("a", "b")) -> str:
    outcome = {"kind": kind, "score": score, "reason": "", "faulty_role": role}
    return json.dumps({"outcome": outcome, "learner_roles": learner})


def test_the_figures_are_those_of_the_engine():
    records = [
        record("success", 1.0),
        record("success", 0.5),
        record("lose", 0.25),
        record("aborted", None, "a"),
        record("aborted", None, "b", ("a",)),
    ]
    docs = [process_results({}, [text]) for text in records]
    assert len({tuple(doc) for doc in docs}) == 1, "the harness wants the same keys for all"
    assert average([doc["played"] for doc in docs]) == 75
    assert average([doc["quality"] for doc in docs]) == pytest.approx(100 * 1.75 / 3)
    assert average([doc["clemscore"] for doc in docs]) == pytest.approx(43.75)
    assert average([doc["success"] for doc in docs]) == 50
    assert average([doc["aborted"] for doc in docs]) == 25
    assert total([doc["partner_aborted"] for doc in docs]) == 1

    scores = [episode_score(Outcome.from_dict(r["outcome"]), r["learner_roles"]) for r in map(json.loads, records)]
    engine = summarise(scores, intervals=False)
    for metric in ("played", "quality", "clemscore"):
        assert average([doc[metric] for doc in docs]) == pytest.approx(getattr(engine, metric))


def test_repeats_count_one_by_one():
    nested = process_results({}, [[record("success", 1.0), record("aborted", None, "a")]])
    flat = [process_results({}, [text]) for text in (record("success", 1.0), record("aborted", None, "a"))]
    for metric in nested:
        assert average([nested[metric]]) == average([doc[metric] for doc in flat])


@pytest.mark.parametrize("partner", ["self", "scripted:breaker"])
def test_results_are_json_even_if_nothing_was_played(partner):
    names = ("playpen_relay", "playpen_unseen_games")
    results = evaluate(FakeLM(lambda messages: "no"), *names, metadata={"partner": partner})

    def refuse(constant: str):
        raise AssertionError(f"{constant} in the results")

    json.loads(json.dumps(results, default=str), parse_constant=refuse)
    assert figure(results, "quality") == 0
    assert results["results"]["playpen_unseen_games"]["played,none"] == 0


def test_a_group_is_the_mean_over_its_games(tmp_path):
    lm = FakeLM(lambda messages: obedient(messages) if "player" in messages[0]["content"] else "no")
    (tmp_path / "both.yaml").write_text(
        "group: both\ntask: [playpen_relay, playpen_solo]\n"
        "aggregate_metric_list: [{metric: played, weight_by_size: false}]\n"
    )
    manager = TaskManager(include_path=[str(write_tasks_dir()), str(tmp_path)], include_defaults=False)
    results = simple_evaluate(lm, tasks=["both"], task_manager=manager, bootstrap_iters=0)
    assert results["results"]["both"]["played,none"] == 50


# Command line


def test_tasks_dir_prints_the_folder_alone(capsys):
    assert tasks_dir_command.run(argparse.Namespace()) == 0
    assert capsys.readouterr().out == f"{write_tasks_dir()}\n"


def given(*words: str) -> list[str]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with command.arguments(parser.parse_args(list(words)).rest, Path("/ours")) as argv:
        return argv


def test_our_folder_is_added():
    assert given("--model", "hf", "--tasks", "a") == ["run", "--model", "hf", "--tasks", "a", "--include_path", "/ours"]
    assert given("ls", "tasks") == ["ls", "tasks", "--include_path", "/ours"]
    assert given("--help") == ["run", "--help"]


@pytest.mark.parametrize("own", [["--include_path", "/theirs"], ["--include_path=/theirs"]])
def test_both_folders_are_used(own):
    with command.arguments(["run", *own, "--tasks", "a"], Path("/ours")) as argv:
        assert argv[:2] == ["run", "--config"]
        assert argv[3:] == ["--tasks", "a"]
        assert yaml.safe_load(Path(argv[2]).read_text()) == {"include_path": ["/ours", "/theirs"]}


def test_a_configuration_file_keeps_its_content(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("model: hf\ninclude_path: [/theirs]\n")
    with command.arguments(["--config", str(config)], Path("/ours")) as argv:
        assert yaml.safe_load(Path(argv[2]).read_text()) == {"model": "hf", "include_path": ["/ours", "/theirs"]}
    config.write_text("[]")
    with pytest.raises(UserError, match="no mapping"), command.arguments(["-C", str(config)], Path("/ours")):
        pass


def test_a_second_folder_is_refused_where_the_harness_takes_one():
    with pytest.raises(UserError, match="/theirs"):
        given("ls", "tasks", "--include_path", "/theirs")


def test_a_missing_harness_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(UserError, match=r"playpen-eval\[lm-eval\]"):
        command.run(argparse.Namespace(rest=[]))


TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory) -> Path:
    """A random model of a few thousand weights, with a byte-level tokenizer and a chat template."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<|im_start|>", "<|im_end|>"]
    vocabulary = {token: index for index, token in enumerate([*alphabet, *specials])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    fast.chat_template = TEMPLATE
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=vocabulary["<|im_start|>"],
        eos_token_id=vocabulary["<|im_end|>"],
    )
    folder = tmp_path_factory.mktemp("tiny-llama")
    transformers.set_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["lm_eval", "playpen_eval"])
def test_the_real_command_line_plays(entry, tiny_llama, tmp_path):
    arguments = ["--model", "hf", "--model_args", f"pretrained={tiny_llama}", "--device", "cpu"]
    arguments += ["--tasks", "playpen_taboo,playpen_taboo_guesser,playpen_unseen_games", "--limit", "2"]
    arguments += ["--gen_kwargs", "max_gen_toks=8", "--output_path", str(tmp_path), "--log_samples"]
    if entry == "lm_eval":
        arguments = ["lm_eval", "--include_path", str(write_tasks_dir()), *arguments]
    else:
        arguments = ["playpen_eval", "lm-eval", *arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = tmp_path.rglob("results_*.json")
    results = json.loads(path.read_text())
    assert results["n-samples"]["playpen_taboo"]["effective"] == 2
    assert 0 <= figure(results, "played", "playpen_taboo") <= 100
    assert figure(results, "aborted", "playpen_taboo_guesser") == 100  # random text never begins with GUESS:
    (samples,) = tmp_path.rglob("samples_playpen_taboo_guesser_*.jsonl")
    episode = json.loads(json.loads(samples.read_text().splitlines()[0])["resps"][0][0])
    assert (episode["template"], episode["learner_roles"]) == ("chat", ["guesser"])
    assert episode["outcome"]["faulty_role"] == "guesser"
