"""Partners, whose fault an abort is, and the figures."""

from __future__ import annotations

import json

import pytest
from lm_eval.tasks import TaskManager
from support import FakeLM, PartnerLM, episodes, evaluate, figure, obedient, simple_evaluate

from playpen_eval.errors import UserError
from playpen_eval.game import Outcome
from playpen_eval.lmeval.player import check_partner
from playpen_eval.lmeval.task import average, process_results, total
from playpen_eval.lmeval.tasks_dir import write_tasks_dir
from playpen_eval.scoring import episode_score, summarise


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
