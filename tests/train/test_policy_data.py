"""`playpen-eval data GAME`: what behaviour policies play, interrupted and not, and what is refused."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made import byte_tokenizer
from playpen_eval.train.chains import UNFINISHED, chains
from playpen_eval.train.chat import load_chat
from playpen_eval.train.data import behaviour, draft, policy
from playpen_eval.train.data.behaviour import Behaviour, make_from_policy
from playpen_eval.train.data.files import read_records
from playpen_eval.train.data.manifest import manifest_path, sha256_of
from playpen_eval.train.data.policy import Policy
from playpen_eval.train.examples import Allowed, Counts, Fitting, sft_examples
from playpen_eval.train.rows import Row, RowMeta

from playpen_eval import Episode, load_game
from playpen_eval.cli import main
from playpen_eval.instances import digest, load_instances

GAMES = ("maze_fo", "maze_po", "textnav_fo", "textnav_po", "lmrl_wordle", "chess_endgames")
ROOT = Path(__file__).resolve().parent.parent.parent


def make(path: Path, game: str, count: int, *arguments: str) -> list[dict]:
    given = [game, "--policy", "mix", "-n", str(count), "-o", str(path), *arguments]
    assert main(["data", *given]) == 0
    return list(read_records(path))


def by_episode(records: list[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for record in records:
        found.setdefault(record["episode"], []).append(record)
    return found


@pytest.mark.parametrize("name", GAMES)
def test_records_are_what_was_played(name, tmp_path):
    if name.startswith("chess"):
        pytest.importorskip("chess", reason="the extra chess is not installed")
    game = load_game(name)
    records = make(tmp_path / "d.jsonl", name, 24)
    assert {record["split"] for record in records} == {"train"}
    assert {record["experiment"] for record in records} == set(game.experiments)
    episodes = by_episode(records)
    assert len(episodes) == 24
    for parts in episodes.values():
        first = parts[0]
        replies = [record["messages"][place]["content"] for record in parts for place in record["learn"]]
        paid = [reward for record in parts for reward in record["turn_rewards"]]
        assert len(paid) == len(replies)
        assert {(one["seat"], one["kind"], one["player"]) for one in parts} == {
            (game.learner, first["kind"], "policy:mix")
        }
        assert [one["part"] for one in parts] in ([0], [*range(1, len(parts) + 1)])
        # The instance can be found by its name, and the replies play it to the same end.
        instance = _generated(game, first)
        episode = Episode(game, instance, replies)
        assert (episode.outcome.kind if episode.outcome else UNFINISHED) == first["kind"]
        if episode.outcome:
            assert sum(paid) == pytest.approx(episode.outcome.metrics["return"])
            assert first["reward"] == first["score"] == episode.outcome.score
        else:
            assert first["reward"] is first["score"] is None
            assert parts[-1]["messages"][-1] == episode.observe().messages[-1]
            assert parts[-1]["learn"] == parts[-1]["turn_rewards"] == []
            assert len(paid) == -sum(paid)


def _generated(game, record: dict) -> dict:
    from playpen_eval.instances import generate

    seed = record["instance"].rpartition("/")[2].rpartition("-")[0]
    stream = generate(game, record["split"], record["experiment"], seed)
    return next(one for one in stream if one["id"] == record["instance"])


def test_chains_of_a_maze_can_be_put_together_and_trained_on(tmp_path):
    records = make(tmp_path / "d.jsonl", "maze_fo", 12, "--experiments", "double_t")
    chat, counts = load_chat(byte_tokenizer()), Counts()
    learned = [record for record in records if record["learn"]]
    examples = sft_examples(learned, "d", chat, Fitting(4096, "refuse", counts), counts, Allowed(False))
    assert len(examples) == len(learned)
    rows = []
    for record in records:
        meta = RowMeta(**{name: record[name] for name in RowMeta.__slots__})
        encoded = chat.encode(record["messages"], record["learn"]) if record["learn"] else None
        encoded = encoded or (chat.prompt_ids(record["messages"]), [chat.end], [0], [-1])
        rows.append(Row(*encoded, reward=record["reward"], meta=meta, turn_rewards=record["turn_rewards"]))
    found = chains(rows)
    assert len(found) == 12
    for chain in found:
        stopped = chain.rows[0].meta.kind == UNFINISHED
        assert (chain.after is not None) == stopped
        moves = sum(map(any, (row.mask for row in chain.rows)))
        assert sum(chain.rewards) == (-moves if stopped or moves == 100 else 1 - moves)


def test_columns_are_those_of_other_data_sets(tmp_path):
    ours = make(tmp_path / "a.jsonl", "lmrl_wordle", 2)
    assert main(["data", "make", "--play", "lmrl_wordle", "--limit", "1", "-o", str(tmp_path / "b.jsonl")]) == 0
    [theirs, *_] = read_records(tmp_path / "b.jsonl")
    assert list(ours[0]) == list(theirs)


def test_the_manifest_tells_what_is_inside(tmp_path, capsys):
    path = tmp_path / "d.jsonl"
    records = make(path, "lmrl_wordle", 300, "--json", "--seed", "s")
    manifest = json.loads(capsys.readouterr().out)
    assert manifest == json.loads(manifest_path(path).read_text())
    returns = [sum(record["turn_rewards"]) for record in records]
    figures = manifest["figures"]
    assert figures["mean_return"] == pytest.approx(statistics.mean(returns))
    assert figures["sd_return"] == pytest.approx(statistics.pstdev(returns))
    assert figures["success_rate"] == sum(record["kind"] == "success" for record in records) / 300
    assert figures["mean_turns"] == statistics.mean(len(record["learn"]) for record in records)
    assert manifest["sha256"] == sha256_of(path)
    assert (manifest["seed"], manifest["behaviour"]["policy"]) == ("s", "mix")
    assert manifest["behaviour"]["version"] == load_game("lmrl_wordle").version
    counts = manifest["games"]["lmrl_wordle"]
    assert (counts["records"], counts["episodes"]) == (300, 300)
    assert counts["instances"] == len({record["instance"] for record in records})
    assert {"playpen-eval", "python"} <= manifest["made_with"].keys()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["d.jsonl", "d.jsonl.manifest.json"]


def test_the_wordles_data_are_as_good_as_the_papers(tmp_path):
    behaviour_of = Behaviour(load_game("lmrl_wordle"), "mix", 4000)
    manifest = make_from_policy(tmp_path / "d.jsonl", behaviour_of, Policy(), resume=False, progress=lambda _: None)
    assert manifest["figures"]["mean_return"] == pytest.approx(-4.06, abs=0.1)
    assert manifest["figures"]["sd_return"] == pytest.approx(1.59, abs=0.05)
    assert manifest["figures"]["success_rate"] == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("name", ["maze_fo", "lmrl_wordle"])
def test_both_formats_hold_the_same(name, tmp_path):
    pytest.importorskip("pyarrow", reason="the extra train is not installed")
    lines, columns = make(tmp_path / "d.jsonl", name, 40), make(tmp_path / "d.parquet", name, 40)
    assert lines == columns
    assert list(lines[0]) == list(columns[0])
    assert main(["data", "show", str(tmp_path / "d.parquet")]) == 0


def test_rows_of_parquet_come_in_groups(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra train is not installed")
    monkeypatch.setattr(behaviour, "_CHUNK", 10)
    monkeypatch.setattr(draft, "_ROWS", 25)
    make(tmp_path / "d.parquet", "lmrl_wordle", 70)
    meta = parquet.read_metadata(tmp_path / "d.parquet")
    assert [meta.row_group(place).num_rows for place in range(meta.num_row_groups)] == [30, 30, 10]


def test_the_seed_decides(tmp_path):
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        make(tmp_path / f"{name}.jsonl", "textnav_po", 20, "--seed", seed)
    a, b, c = ((tmp_path / f"{name}.jsonl").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def _stops_at(place: int):
    done = 0

    def progress(steps: int) -> None:
        nonlocal done
        done += max(steps, 0)
        if done >= place:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_an_interrupted_making_ends_with_the_same_bytes(ending, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow", reason="the extra train is not installed")
    monkeypatch.setattr(behaviour, "_CHUNK", 10)
    one = Behaviour(load_game("maze_po"), "mix", 45)
    whole, broken = tmp_path / f"whole.{ending}", tmp_path / f"broken.{ending}"
    manifest = make_from_policy(whole, one, Policy(), resume=False, progress=lambda _: None)
    for place in (3, 17, 40, 44):
        with pytest.raises(KeyboardInterrupt):
            make_from_policy(broken, one, Policy(), resume=True, progress=_stops_at(place))
        assert not broken.exists()
        with (tmp_path / f"broken.{ending}.draft").open("ab") as file:
            file.write(b"half a chunk")
    # Even between the data set and its manifest.
    with monkeypatch.context() as patch:
        patch.setattr(behaviour, "write_manifest", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make_from_policy(broken, one, Policy(), resume=True, progress=lambda _: None)
    again = make_from_policy(broken, one, Policy(), resume=True, progress=lambda _: None)
    assert broken.read_bytes() == whole.read_bytes()
    assert {**again, "data": None} == {**manifest, "data": None}
    assert len(list(tmp_path.iterdir())) == 4
    # Once it is there, there is nothing to do.
    assert make_from_policy(broken, one, Policy(), resume=True, progress=lambda _: 1 / 0) == again


def test_a_killed_process_goes_on(tmp_path):
    arguments = ["data", "lmrl_wordle", "--policy", "mix", "-n", "1500", "-o"]
    path = tmp_path / "killed.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "playpen_eval", *arguments, str(path)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    state = tmp_path / "killed.jsonl.progress.json"
    for _ in range(3000):
        if state.exists() or process.poll() is not None:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 0 < json.loads(state.read_text())["told"]["episodes"] < 1500
    assert main([*arguments, str(path)]) == 2
    assert main([*arguments, str(path), "--resume"]) == 0
    assert main([*arguments, str(tmp_path / "whole.jsonl")]) == 0
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_games_of_few_instances_begin_again_and_others_go_on(monkeypatch):
    monkeypatch.setattr(behaviour, "EPOCH", 20)
    for name, distinct in (("maze_fo", 13), ("textnav_fo", 50)):
        experiment = load_game(name).experiments[0]
        stream, _ = Behaviour(load_game(name), "mix", 1, experiments=(experiment,)).draw(Policy())
        drawn = [next(stream) for _ in range(50)]
        assert len({instance["id"] for instance, _ in drawn}) == distinct
        assert len({(instance["id"], repeat) for instance, repeat in drawn}) == 50


@pytest.mark.parametrize("name", GAMES)
def test_nothing_of_the_test_split_is_played(name, tmp_path):
    if name.startswith("chess"):
        pytest.importorskip("chess", reason="the extra chess is not installed")
    game = load_game(name)
    drawn, _ = Behaviour(game, "mix", 1, seed="leak").draw(Policy())
    keys = {digest(game.key(next(drawn)[0])) for _ in range(60 if name.startswith("chess") else 300)}
    assert not keys & policy.test_keys()
    path = tmp_path / "d.jsonl"
    make(path, name, 30)
    assert main(["data", "check", str(path), "test"]) == 0


def test_shipped_instances_in_turn(tmp_path):
    records = make(tmp_path / "d.jsonl", "textnav_fo", 100, "--instances", "train")
    shipped = [instance["id"] for instance in load_instances(load_game("textnav_fo"), "train").instances]
    names = list(by_episode(records))
    assert [name.partition("#")[0] for name in names] == [*shipped, *shipped[:20]]
    assert names[80].endswith("#mix/0/1")


@pytest.mark.parametrize(("arguments", "message"), [
    (["maze_of"], "unknown action or game 'maze_of'; did you mean 'maze_po'?"),
    (["mak", "--play", "taboo"], "unknown action or game 'mak'; did you mean 'make'?"),
    (["chek", "d.jsonl", "test"], "unknown action or game 'chek'; did you mean 'check'?"),
    (["maze_fo", "--top", "3"], "unknown arguments '--top 3'; see playpen-eval data policy --help"),
    (["maze_fo"], "--policy NAME is missing; maze_fo has mix, random, best"),
    (["maze_fo", "--policy", "mix"], "-n N and -o FILE are needed"),
    (["maze_fo", "--policy", "mix", "-n", "1"], "-n N and -o FILE are needed"),
    (["maze_fo", "--policy", "mxi", "-n", "1", "-o", "d.jsonl"], "unknown policy of maze_fo 'mxi'; did you"),
    (["taboo", "--policy", "mix", "-n", "1", "-o", "d.jsonl"], "taboo has no behaviour policies"),
    (["maze_fo", "--policy", "mix", "-n", "0", "-o", "d.jsonl"], "-n must be at least 1, not 0"),
    (["maze_fo", "--policy", "mix", "-n", "1", "-o", "d.txt"], "d.txt is no name for a data set"),
    (["maze_fo", "--policy", "mix", "-n", "1", "-o", "there.jsonl"], "there.jsonl exists; remove it or choose another"),
    (["maze_fo", "--policy", "mix", "-n", "1", "-o", "d.jsonl", "--split", "test"], "test split are never trained on"),
    (["maze_fo", "--policy", "mix", "-n", "1", "-o", "d.jsonl", "--split", "trian"], "did you mean 'train'?"),
    (["maze_fo", "--policy", "mix", "-n", "1", "-o", "d.jsonl", "--split", "validation"], "--allow-validation lets it"),
    (["maze_fo", "--policy", "mix", "-n", "1", "-o", "d.jsonl", "--instances", "test"], "'test' may be trained on"),
    (["maze_fo", "--policy", "mix", "-n", "1", "-o", "d.jsonl", "--experiments", "com"], "did you mean 'comb'?"),
])  # fmt: skip
def test_bad_arguments_exit_with_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.jsonl").write_text("mine\n")
    assert main(["data", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["there.jsonl"]
    assert (tmp_path / "there.jsonl").read_text() == "mine\n"


def test_a_draft_of_something_else_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(behaviour, "_CHUNK", 5)
    path, one = tmp_path / "d.jsonl", Behaviour(load_game("maze_fo"), "mix", 20)
    with pytest.raises(KeyboardInterrupt):
        make_from_policy(path, one, Policy(), resume=False, progress=_stops_at(7))
    given = ["data", "maze_fo", "-o", str(path), "--resume"]
    assert main([*given, "--policy", "best", "-n", "30"]) == 2
    assert f"{path} was begun with another episodes, policy; give the same" in capsys.readouterr().err
    assert main([*given[:-1], "--policy", "mix", "-n", "20"]) == 2
    assert f"{path} is begun; --resume goes on with it" in capsys.readouterr().err
    (tmp_path / "d.jsonl.draft").write_text("")
    assert main([*given, "--policy", "mix", "-n", "20"]) == 2
    assert "is shorter than it was" in capsys.readouterr().err
    (tmp_path / "d.jsonl.progress.json").write_text('{"ends": 3}')
    assert main([*given, "--policy", "mix", "-n", "20"]) == 2
    assert "is broken" in capsys.readouterr().err


def test_a_policy_that_does_not_keep_to_the_game_is_named(tmp_path, monkeypatch, capsys):
    game = type(load_game("lmrl_wordle"))
    given = ["data", "lmrl_wordle", "--policy", "mix", "-n", "2", "-o", str(tmp_path / "d.jsonl")]
    monkeypatch.setattr(game, "behave", lambda *_: ["above"] * 20)
    assert main(given) == 2
    assert "the policy mix goes on after the end of lmrl_wordle/1/train/" in capsys.readouterr().err
    monkeypatch.setattr(game, "behave", lambda *_: [])
    assert main(given) == 2
    assert "the policy mix says nothing in lmrl_wordle/1/train/" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_held_out_games_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(type(load_game("maze_fo")), "held_out", True)
    given = ["data", "maze_fo", "--policy", "mix", "-n", "2", "-o", str(tmp_path / "d.jsonl")]
    assert main(given) == 2
    assert "maze_fo is held out from training" in capsys.readouterr().err
    assert main([*given, "--allow-heldout"]) == 0
