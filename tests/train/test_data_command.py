"""`playpen-eval data`: sources, manifests, refusals, interrupted play, the leak check."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from playpen_eval.train.data.manifest import manifest_path, sha256_of
from playpen_eval.train.players import Failure

from playpen_eval import load_game
from playpen_eval.cli import main
from playpen_eval.instances import load_instances, read_jsonl


def make(path: Path, *arguments: str) -> list[dict]:
    assert main(["data", "make", "-o", str(path), *map(str, arguments)]) == 0
    return read_jsonl(path)


def fails(capsys, *arguments) -> str:
    assert main(["data", *map(str, arguments)]) == 2
    return capsys.readouterr().err


@pytest.fixture
def run_folder(tmp_path) -> Path:
    folder = tmp_path / "run"
    arguments = ["--model", "scripted", "--instances", "train", "--limit", "4", "-o", str(folder)]
    assert main(["run", "taboo", "privateshared", *arguments]) == 0
    return folder


def test_scripted_play_and_its_manifest(tmp_path):
    path = tmp_path / "d.jsonl"
    rows = make(path, "--play", "taboo", "wordle", "--limit", "3", "--outcomes", "success", "--seats", "learner")
    assert Counter(row["game"] for row in rows) == {"taboo": 3, "wordle": 3}
    assert {row["seat"] for row in rows} == {"guesser"}
    assert all(row["messages"][-1]["role"] == "assistant" and row["split"] == "train" for row in rows)
    manifest = json.loads(manifest_path(path).read_text())
    assert manifest["sha256"] == sha256_of(path)
    assert manifest["games"]["taboo"]["instances"] == 3
    assert manifest["not_for_evaluation"] == []
    assert manifest["play"]["games"]["taboo"]["version"] == load_game("taboo").version
    assert "playpen-eval" in manifest["made_with"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["d.jsonl", "d.jsonl.manifest.json"]


def test_play_all_leaves_held_out_games_alone(tmp_path):
    rows = make(tmp_path / "d.jsonl", "--play", "all", "--limit", "1")
    assert not [row["game"] for row in rows if load_game(row["game"]).held_out]
    assert len({row["game"] for row in rows}) == 7


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_datasets_loads_every_kind(tmp_path, ending):
    datasets = pytest.importorskip("datasets", reason="the extra train is not installed")
    columns = {"sft": "messages", "prefixes": "messages", "kto": "label", "pairs": "chosen", "turn-pairs": "rejected"}
    for kind, column in columns.items():
        path = tmp_path / f"{kind}.{ending}"
        mixed = ("--error-rate", "0.6", "--repeats", "4", "--limit", "6")
        assert main(["data", "make", "-o", str(path), "--play", "taboo", "--format", kind, *mixed]) == 0
        loader = "json" if ending == "jsonl" else ending
        found = datasets.load_dataset(loader, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
        assert column in found.column_names
        assert len(found) > 0


def test_the_same_seed_gives_the_same_file(tmp_path):
    options = ("--play", "taboo", "--limit", "8", "--error-rate", "0.5")
    first = make(tmp_path / "a.jsonl", *options)
    assert make(tmp_path / "b.jsonl", *options, "--batch", "3") == first
    assert make(tmp_path / "c.jsonl", *options, "--seed", "other") != first


def test_own_runs(run_folder, tmp_path):
    rows = make(tmp_path / "d.jsonl", run_folder)
    assert Counter(row["seat"] for row in rows if row["game"] == "taboo") == {"describer": 4, "guesser": 4}
    private = [row for row in rows if row["game"] == "privateshared"]
    assert Counter(row["part"] == 0 for row in private) == {True: 4, False: len(private) - 4}
    [main_chat, *_] = private
    # The opening exchange is the game's, not the model's.
    assert main_chat["messages"][1]["role"] == "assistant"
    assert 1 not in main_chat["learn"]
    assert {row["player"] for row in rows} == {"scripted"}
    assert make(tmp_path / "e.jsonl", run_folder, "--games", "taboo", "--seats", "guesser", "--format", "prefixes")


def test_logs_of_inspect(tmp_path):
    import inspect_ai

    log = tmp_path / "logs"
    arguments = {"limit_per_experiment": 1, "split": "train"}
    inspect_ai.eval(
        "playpen/taboo", model="playpen-scripted/best", task_args=arguments, log_dir=str(log), display="none"
    )
    rows = make(tmp_path / "d.jsonl", log)
    played = {row["instance"]: row for row in make(tmp_path / "e.jsonl", "--play", "taboo") if row["seat"] == "guesser"}
    mine = [row for row in rows if row["seat"] == "guesser"]
    assert len(mine) == 3
    for row in mine:
        assert row["messages"] == played[row["instance"]]["messages"]
        assert row["player"] == "playpen-scripted/best"


def test_samples_of_lm_eval(tmp_path, monkeypatch):
    folder = Path(__file__).parent.parent / "lmeval"
    monkeypatch.syspath_prepend(str(folder))
    from support import RELAY, FakeLM, evaluate, obedient
    from test_runs_lm_eval import save

    from playpen_eval.registry import ENV

    (tmp_path / "games" / "relay").mkdir(parents=True)
    (tmp_path / "games" / "relay" / "game.py").write_text(RELAY)
    monkeypatch.setenv(ENV, str(tmp_path / "games"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    metadata = {"playpen_source": "train", "playpen_repeats": 2}
    results = save(tmp_path / "out", evaluate(FakeLM(obedient), "playpen_relay", metadata=metadata))
    rows = make(tmp_path / "d.jsonl", results)
    assert {row["split"] for row in rows} == {"train"}
    assert Counter(row["seat"] for row in rows) == {"giver": len(rows) // 2, "taker": len(rows) // 2}
    assert len({row["episode"] for row in rows}) == 2 * len({row["instance"] for row in rows})


def test_recordings(shared, tmp_path):
    archives = sorted((shared / "recordings").glob("*.tar.gz"))
    path = tmp_path / "d.jsonl"
    rows = make(path, *archives)
    assert not [row["game"] for row in rows if load_game(row["game"]).held_out]
    assert {row["split"] for row in rows} == {"clembench-2.0"}
    manifest = json.loads(manifest_path(path).read_text())
    assert manifest["not_for_evaluation"] == ["clembench-2.0"]
    assert manifest["left_out"]["held-out game"] > 0
    assert "cannot be replayed" not in manifest["left_out"]
    assert len(manifest["ranking"]) == 3
    test_keys = {row["key"] for row in rows} & _prints("test")
    assert not test_keys
    pairs = make(tmp_path / "p.jsonl", *archives, "--format", "pairs", "--games", "taboo")
    for pair in pairs:
        assert pair["chosen"][-1]["role"] == pair["rejected"][-1]["role"] == "assistant"
        assert pair["chosen_player"] != pair["rejected_player"]
    best = make(tmp_path / "t.jsonl", *archives, "--top", "1", "--outcomes", "success")
    slots = {(row["instance"], row["seat"]): row["player"] for row in best}
    assert all(slots[row["instance"], row["seat"]] == row["player"] for row in best)


def _prints(split: str) -> set[str]:
    from playpen_eval.train.data.dialogues import fingerprint

    from playpen_eval.registry import shipped_games

    return {
        fingerprint(game, instance).key
        for game in shipped_games().values()
        for instance in load_instances(game, split).instances
    }


def test_recorded_chats_are_what_the_model_was_told(shared, tmp_path):
    """clembench's own words, also where ours are others without a checkout."""
    from playpen_eval.recordings import read_recording

    archive = shared / "recordings" / "llama3-8b-base.tar.gz"
    told = {
        text
        for episode in read_recording(archive).episodes
        if episode.game == "privateshared"
        for _, text, _ in episode.replies()
    }
    rows = make(tmp_path / "d.jsonl", archive, "--games", "privateshared")
    asked = {row["messages"][place - 1]["content"] for row in rows for place in row["learn"]}
    assert asked <= told


@pytest.mark.parametrize(("arguments", "why"), [
    (["--play", "tabo"], "did you mean 'taboo'"), (["--play", "codenames"], "held out from training"),
    (["--play", "taboo", "--instances", "test"], "no instance of 'test' may be trained on"),
    (["--play", "taboo", "--instances", "validation"], "validation split"), ([], "name sources, or games to --play"),
    (["--play", "taboo", "--format", "dpo"], "unknown format"), (["--play", "taboo", "--player", "gpt"], "--base-url"),
    (["--play", "taboo", "--seats", "guess"], "did you mean 'guesser'"), (["nowhere"], "does not exist"),
    (["--play", "taboo", "--error-rate", "2"], "between 0 and 1"), (["--play", "taboo", "--cap", "x"], "--cap takes N"),
    (["--play", "taboo", "--outcomes", "win"], "unknown outcome"),
    (["--play", "taboo", "--value", "x"], "unknown value"),
    (["--play", "taboo", "--format", "pairs"], "nothing to write"), (["--play", "taboo", "--limit", "0"], "at least 1"),
    (["nowhere", "--branch", "2"], "goes with --play"), (["--play", "taboo", "--player", "hf:nowhere"], "no folder"),
])  # fmt: skip
def test_bad_input(arguments, why, tmp_path, capsys):
    assert why in fails(capsys, "make", *arguments, "-o", tmp_path / "d.jsonl")
    assert not (tmp_path / "d.jsonl").exists()


def test_a_file_of_test_instances_is_no_way_in(tmp_path, capsys):
    game = load_game("taboo")
    rows = [{**instance, "split": "train"} for instance in load_instances(game, "test").instances[:3]]
    (tmp_path / "i.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    error = fails(capsys, "make", "--play", "taboo", "--instances", tmp_path / "i.jsonl", "-o", tmp_path / "d.jsonl")
    assert "'test split': 3" in error


def test_runs_on_the_test_split_are_left_out(tmp_path, capsys):
    arguments = ["--model", "scripted", "--limit", "2", "-o", str(tmp_path / "run")]
    assert main(["run", "taboo", *arguments]) == 0
    assert "2 test split" in fails(capsys, "make", tmp_path / "run", "-o", tmp_path / "d.jsonl")


def test_held_out_games_if_allowed(tmp_path, capsys):
    allowed = ("--play", "codenames", "--limit", "1", "--allow-heldout")
    assert "ships no train instances" in fails(capsys, "make", *allowed, "-o", tmp_path / "d.jsonl")
    instances = tmp_path / "i.jsonl"
    assert main(["generate", "codenames", "-n", "1", "--allow-held-out", "-o", str(instances)]) == 0
    rows = make(tmp_path / "d.jsonl", *allowed, "--instances", str(instances))
    assert {row["game"] for row in rows} == {"codenames"}


def test_an_interrupted_play_goes_on(tmp_path, monkeypatch, capsys):
    from playpen_eval.train.data import options

    path, asked = tmp_path / "d.jsonl", []
    whole = make(tmp_path / "whole.jsonl", "--play", "taboo", "--limit", "6")

    def flaky(style="best"):
        from playpen_eval.train.players import scripted_player

        def play(batch):
            asked.append(len(batch))
            if len(asked) == 6:
                raise KeyboardInterrupt
            return scripted_player()(batch)

        return play

    monkeypatch.setattr(options, "scripted_player", flaky)
    command = ["data", "make", "--play", "taboo", "--limit", "6", "--batch", "2", "-o", str(path)]
    assert main(command) == 130
    assert not path.exists()
    journal = tmp_path / "d.jsonl.journal"
    kept = len(journal.read_text().splitlines()) - 1
    assert 0 < kept < 6
    with journal.open("a") as file:
        file.write('["half a li')
    assert "another games" in fails(capsys, "make", "--play", "wordle", "-o", path)
    asked.clear()
    asked.extend([0] * 10)
    assert make(path, "--play", "taboo", "--limit", "6", "--batch", "2") == whole
    assert not journal.exists()


def test_failures_are_left_out_and_told(tmp_path, monkeypatch, capsys):
    from playpen_eval.train.data import options

    def gone(style="best"):
        from playpen_eval.train.players import scripted_player

        return lambda asked: [
            Failure("the server is gone") if "high" in one.seed else reply
            for one, reply in zip(asked, scripted_player()(asked))
        ]

    monkeypatch.setattr(options, "scripted_player", gone)
    rows = make(tmp_path / "d.jsonl", "--play", "taboo", "--limit", "6")
    assert "high" not in {row["experiment"] for row in rows}
    assert "failed: 2 episodes (the server is gone)" in capsys.readouterr().err


def test_a_server_that_is_not_there_ends_it(tmp_path, monkeypatch, capsys):
    from playpen_eval import endpoint

    once = endpoint.stop_after_attempt(1)
    monkeypatch.setattr(endpoint, "stop_after_attempt", lambda _: once)
    served = ("--player", "m", "--base-url", "http://127.0.0.1:9/v1")
    error = fails(capsys, "make", "--play", "taboo", "--limit", "3", *served, "-o", tmp_path / "d.jsonl")
    assert "all 3 episodes side by side failed: http://127.0.0.1:9/v1/chat/completions cannot be reached" in error


def test_a_local_model_plays(tmp_path):
    torch = pytest.importorskip("torch", reason="the extra hf is not installed")
    from made import byte_tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    local = ("--player", f"hf:{tmp_path / 'model'}", "--partner", "scripted", "--seats", "guesser")
    rows = make(tmp_path / "d.jsonl", "--play", "taboo", "--limit", "2", "--max-tokens", "5", *local)
    assert [(row["kind"], row["partner"], row["reward"]) for row in rows] == [("aborted", "scripted", 0.0)] * 2


def test_branching(tmp_path):
    options = ("--play", "taboo", "--limit", "20", "--error-rate", "0.5", "--seats", "guesser", "--branch", "3")
    rows = make(tmp_path / "d.jsonl", *options, "--branch-budget", "40")
    assert all(row["chosen_worth"] > row["rejected_worth"] for row in rows)
    told = json.loads(manifest_path(tmp_path / "d.jsonl").read_text())["branching"]
    assert told["copies_used"] == told["budget"] == 40


def test_the_leak_check(tmp_path, capsys):
    data, game = tmp_path / "d.jsonl", load_game("taboo")
    make(data, "--play", "taboo", "--limit", "5")
    assert main(["data", "check", str(data), "test"]) == 0
    assert main(["data", "check", str(data), "validation"]) == 0
    assert main(["data", "check", str(data), "train"]) == 1
    assert "taboo: 5 by id" in capsys.readouterr().out
    assert main(["data", "check", str(data), str(data)]) == 1
    instances = load_instances(game, "train").instances
    renamed = [{**instance, "id": f"taboo/1/test/x/{n}"} for n, instance in enumerate(instances[4:7])]
    other = tmp_path / "i.jsonl"
    other.write_text("".join(json.dumps(row) + "\n" for row in renamed))
    capsys.readouterr()
    assert main(["data", "check", str(data), str(other), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(leak["kind"], leak["other"]) for leak in found["leaks"]] == [("content", "taboo/1/test/x/0")]
    changed = {**instances[0], "id": "taboo/1/test/x/9", "rounds": 99}
    other.write_text(json.dumps(changed) + "\n")
    assert main(["data", "check", str(data), str(other), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["leaks"][0]["kind"] == "key"


def test_the_leak_check_of_runs(run_folder, tmp_path, capsys):
    make(tmp_path / "d.jsonl", "--play", "taboo", "--limit", "3")
    assert main(["data", "check", str(tmp_path / "d.jsonl"), str(run_folder)]) == 1
    assert "taboo: 3 by id" in capsys.readouterr().out
    assert "does not exist" in fails(capsys, "check", tmp_path / "d.jsonl", tmp_path / "nowhere")
    (tmp_path / "x.jsonl").write_text('{"text": "x"}\n')
    assert "neither of a data set nor an instance" in fails(capsys, "check", tmp_path / "x.jsonl", "test")


def test_the_leak_check_of_recordings(shared, tmp_path, capsys):
    make(tmp_path / "d.jsonl", shared / "recordings" / "llama3-8b-sft.tar.gz")
    source = f"clembench:{shared / 'clembench'}@v2.0"
    assert main(["data", "check", str(tmp_path / "d.jsonl"), source]) == 1
    out = capsys.readouterr().out
    assert "taboo: 12 by id" in out
    assert "imagegame: not compared" in out
    archive = str(shared / "recordings" / "llama3-8b-base.tar.gz")
    assert main(["data", "check", str(tmp_path / "d.jsonl"), archive]) == 1


def test_show(tmp_path, capsys):
    path = tmp_path / "d.jsonl"
    make(path, "--play", "taboo", "--limit", "2")
    capsys.readouterr()
    assert main(["data", "show", str(path), "--examples", "1"]) == 0
    out = capsys.readouterr().out
    assert "4 records of train" in out
    assert '"messages"' in out
    with path.open("a") as file:
        file.write(path.read_text().splitlines()[0] + "\n")
    assert main(["data", "show", str(path)]) == 0
    assert "not the one that its manifest describes" in capsys.readouterr().out
    path.write_text("[1]\n")
    assert "not a JSON object" in fails(capsys, "show", path)
    path.write_text('{"a": 1}\n')
    assert "is not of a data set" in fails(capsys, "show", path)
