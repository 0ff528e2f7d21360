"""Instances: reproducible streams, splits that share nothing, and every source they can come from."""

from __future__ import annotations

import itertools
import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_eval import Ask, Game, Outcome
from playpen_eval.clembench import parse_source
from playpen_eval.errors import UserError
from playpen_eval.game import content
from playpen_eval.instances import (
    SPLITS,
    digest,
    generate,
    load_instances,
    make_split,
    read_jsonl,
    shipped_file,
    split_of,
)
from playpen_eval.registry import shipped_games

GAMES = shipped_games()


class Letters(Game):
    """Few keys with two variations each."""

    name = "letters"
    version = 2
    roles = ("player",)
    experiments = ("low", "up")
    sizes = {"train": 5, "validation": 2, "test": 3}

    def generate(self, experiment, rng):
        letter = rng.choice(string.ascii_lowercase)
        return {"letter": letter.upper() if experiment == "up" else letter, "colour": rng.choice(["red", "blue"])}

    def key(self, instance):
        return instance["letter"].lower()

    def play(self, instance):
        yield Ask("player", f"Say {instance['letter']}.")
        return Outcome.success()

    def from_clembench(self, experiment, instance, version):
        return {"letter": instance["letter"], "colour": experiment["colour"], "version": version}


def take(n: int, *args: str) -> list[dict]:
    return list(itertools.islice(generate(Letters(), *args), n))


def test_the_split_of_content_never_changes():
    # Shipped instances, published results and other people's training sets rest on these.
    assert {key: split_of(key) for key in ("river", "stone", "apple")} == {
        "river": "train",
        "stone": "validation",
        "apple": "test",
    }
    assert split_of({"b": [1, 2], "a": "ä"}) == split_of({"a": "ä", "b": [1, 2]}) == "train"


def test_splits_have_their_shares():
    splits = [split_of(number) for number in range(4000)]
    for split, share in (("train", 0.5), ("validation", 0.2), ("test", 0.3)):
        assert abs(splits.count(split) / 4000 - share) < 0.04


def test_streams_of_the_splits_share_no_key(monkeypatch):
    monkeypatch.setattr("playpen_eval.instances.ATTEMPTS", 1000)
    keys = {split: {i["letter"] for i in generate(Letters(), split, "low")} for split in SPLITS}
    assert sum(map(len, keys.values())) == len(set.union(*keys.values())) == 26
    assert all(split_of(key) == split for split in SPLITS for key in keys[split])


def test_streams_are_reproducible():
    assert take(8, "train", "low", "x") == take(8, "train", "low", "x")
    assert take(3, "train", "low", "x") == take(8, "train", "low", "x")[:3]


@pytest.mark.parametrize("other", [("train", "low", "y"), ("train", "up", "x"), ("test", "low", "x")])
def test_streams_of_other_arguments_differ(other):
    assert [content(i) for i in take(5, *other)] != [content(i) for i in take(5, "train", "low", "x")]


def test_streams_differ_between_versions(monkeypatch):
    before = [content(i) for i in take(5, "train", "low")]
    monkeypatch.setattr(Letters, "version", 3)
    assert [content(i) for i in take(5, "train", "low")] != before


def test_ids_tell_where_an_instance_comes_from():
    first, second = take(2, "validation", "up", "my seed")
    assert first["id"] == "letters/2/validation/up/my seed-0"
    assert second["id"] == "letters/2/validation/up/my seed-1"
    assert (first["experiment"], first["split"]) == ("up", "validation")


def test_variations_follow_when_keys_run_out(monkeypatch):
    monkeypatch.setattr("playpen_eval.instances.ATTEMPTS", 1000)
    everything = list(generate(Letters(), "test", "low"))
    letters = [instance["letter"] for instance in everything]
    keys = set(letters)
    assert len(letters[: len(keys)]) == len(set(letters[: len(keys)]))
    assert len(everything) == 2 * len(keys)
    assert len({digest(content(instance)) for instance in everything}) == len(everything)


@pytest.mark.parametrize(("split", "experiment", "message"), [
    ("tests", "low", "unknown split 'tests'; did you mean 'test'"),
    ("test", "lo", "unknown experiment of letters 'lo'; did you mean 'low'"),
])  # fmt: skip
def test_unknown_names_suggest(split, experiment, message):
    with pytest.raises(UserError, match=message):
        next(generate(Letters(), split, experiment))


def test_a_split_interleaves_its_experiments():
    rows = make_split(Letters(), "test")
    assert [row["experiment"] for row in rows] == ["low", "up"] * 3
    assert rows[::2] == take(3, "test", "low", "0")


def test_a_split_that_the_content_does_not_suffice_for(monkeypatch):
    monkeypatch.setattr(Letters, "sizes", {"test": 1000})
    with pytest.raises(UserError, match=r"letters: test/low has content for \d+ instances, not 1000"):
        make_split(Letters(), "test")


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", GAMES)
def test_shipped_files_are_what_the_generator_makes(name, split):
    game = GAMES[name]
    if not game.sizes.get(split):
        pytest.skip(f"{name} has no {split} split")
    path = shipped_file(game, split)
    assert path is not None, "the split is generated again at every load"
    assert read_jsonl(path) == make_split(game, split)
    assert load_instances(game, split).instances == make_split(game, split)


def test_a_set_has_a_name_and_a_digest():
    found = load_instances(Letters(), "test")
    assert (found.game, found.source, len(found.instances)) == ("letters", "test", 6)
    assert found.sha256 == digest(found.instances) != load_instances(Letters(), "train").sha256


def test_one_experiment_alone():
    found = load_instances(Letters(), "test", "up")
    assert found.instances == [i for i in load_instances(Letters(), "test").instances if i["experiment"] == "up"]
    with pytest.raises(UserError, match="unknown experiment of letters 'upp'; did you mean 'up'"):
        load_instances(Letters(), "test", "upp")


def write(path: Path, *lines: object) -> str:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), encoding="utf-8")
    return str(path)


def test_instances_from_a_file(tmp_path):
    rows = take(4, "train", "low", "7")
    found = load_instances(Letters(), write(tmp_path / "mine.jsonl", *rows, "", "  "))
    assert (found.source, found.instances) == ("mine.jsonl", rows)


_row = take(1, "test", "low")[0]


@pytest.mark.parametrize(("lines", "message"), [
    ([_row, "{"], "x.jsonl:2: not JSON"),
    ([_row, [1]], "row 2 is no instance"),
    ([{"experiment": "low"}], "row 1 is no instance"),
    ([{"id": 7, "experiment": "low"}], "row 1 is no instance"),
    ([{"id": "letters/2/a"}], "row 1 is no instance"),
    ([{**_row, "id": "taboo/1/a"}], r"row 1 \(taboo/1/a\) is not of letters version 2"),
    ([{**_row, "id": "letters/1/a"}], r"row 1 \(letters/1/a\) is not of letters version 2"),
    ([{**_row, "id": "letters/22/a"}], "is not of letters version 2"),
    ([_row, _row], "twice|duplicate|same id"),
    ([{name: value for name, value in _row.items() if name != "split"}], "row 1 is no instance"),
    ([], "holds no instances"),
])  # fmt: skip
def test_a_bad_file_is_refused(tmp_path, lines, message):
    with pytest.raises(UserError, match=message):
        load_instances(Letters(), write(tmp_path / "x.jsonl", *lines))


def test_what_is_no_readable_file_is_refused(tmp_path):
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "latin.jsonl").write_bytes(b"\xe4\n")
    for name in ("folder.jsonl", "latin.jsonl", "missing.jsonl"):
        with pytest.raises(UserError, match=f"cannot read .*{name}"):
            load_instances(Letters(), str(tmp_path / name))
    with pytest.raises(UserError, match=r"unknown instances 'tets'; use one of train, validation, test"):
        load_instances(Letters(), "tets")


_characters = st.sampled_from('a "\\\n\r\x0b\x1c\x85\u2028\u2029') | st.characters(exclude_categories=["Cs"])


@given(st.lists(st.text(_characters), min_size=1, max_size=3), st.booleans())
def test_any_text_survives_a_file(tmp_path_factory, texts, ascii_only):
    # `generate` writes text as it is, line separators of Unicode included.
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("".join(json.dumps({"t": t}, ensure_ascii=ascii_only) + "\n" for t in texts), encoding="utf-8")
    assert read_jsonl(path) == [{"t": text} for text in texts]


def checkout(root: Path, game: str = "letters", versions: tuple[str, ...] = ("2.0", "3.0"), deep: bool = False) -> Path:
    """A folder in clembench's layout."""
    home = root / "family" / game if deep else root / game
    (home / "in").mkdir(parents=True)
    (home / "clemgame.json").write_text(json.dumps([{"game_name": game, "instances": "instances"}]))
    for version in versions:
        experiment = {"name": "0_easy", "colour": "red", "game_instances": [{"game_id": 3, "letter": version}]}
        (home / "in" / f"instances_v{version}.json").write_text(json.dumps({"experiments": [experiment]}))
    return root


def letters(source: str) -> list[str]:
    return [instance["letter"] for instance in load_instances(Letters(), source).instances]


@pytest.mark.parametrize("deep", [False, True])
def test_instances_of_a_clembench_checkout(tmp_path, deep):
    found = load_instances(Letters(), f"clembench:{checkout(tmp_path / 'bench', deep=deep)}@v2.0")
    assert found.source == "clembench-2.0"
    fields = {"letter": "2.0", "colour": "red", "version": "2.0"}
    where = {"experiment": "0_easy", "split": "clembench-2.0", "rules": "clembench-2.0"}
    assert found.instances == [{"id": "letters/clembench-2.0/0_easy/3", **where, **fields}]


def test_the_newest_version_unless_told(tmp_path):
    root = checkout(tmp_path / "bench")
    assert letters(f"clembench:{root}") == ["3.0"]
    assert letters(f"clembench:{root}@2.0") == letters(f"clembench:{root}@v2.0") == ["2.0"]


def test_a_plain_file_has_the_version_of_the_specification(tmp_path):
    root = checkout(tmp_path / "bench", versions=("2.0",))
    home = root / "letters"
    (home / "in" / "instances_v2.0.json").rename(home / "in" / "instances.json")
    (home / "clemgame.json").write_text(json.dumps({"game_name": "letters", "benchmark": ["1.6", "2.0"]}))
    assert load_instances(Letters(), f"clembench:{root}").source == "clembench-2.0"


def test_a_source_is_a_folder_and_perhaps_a_version():
    assert parse_source("clembench:/data/bench") == (Path("/data/bench"), None)
    assert parse_source("clembench:/data/bench@v2.0") == (Path("/data/bench"), "2.0")
    assert parse_source("clembench:me@home/bench") == (Path("me@home/bench"), None)
    assert parse_source("clembench:me@home/bench@v3.0") == (Path("me@home/bench"), "3.0")


@pytest.mark.parametrize("folder", ["me@home/bench", "bench@work", "bench@v2 old"])
def test_an_at_sign_inside_a_folder_name(tmp_path, folder):
    root = checkout(tmp_path / folder)
    assert letters(f"clembench:{root}@v2.0") == ["2.0"]
    assert letters(f"clembench:{root}") == ["3.0"]


@pytest.mark.parametrize(("source", "message"), [
    ("nowhere", "clembench folder .*nowhere' does not exist"),
    ("bench@v9.9", "no version '9.9' of 'letters'; it has 1.6, 2.0"),
    ("bench@v1.6", "clembench version '1.6' is not supported; known: 2.0, 3.0"),
    ("other", "no game 'letters' in the clembench folder"),
    ("empty", "no instance files of 'letters'"),
    ("shapeless", "is no instance file of 'letters' that is understood"),
    ("damaged", "cannot read .*instances_v2.0.json"),
])  # fmt: skip
def test_what_a_checkout_lacks_is_named(tmp_path, source, message):
    checkout(tmp_path / "bench", versions=("1.6", "2.0"))
    checkout(tmp_path / "other", game="chess")
    checkout(tmp_path / "empty", versions=())
    for folder, text in (("shapeless", '{"experiments": [{"name": "x"}]}'), ("damaged", "{")):
        (checkout(tmp_path / folder, versions=()) / "letters" / "in" / "instances_v2.0.json").write_text(text)
    with pytest.raises(UserError, match=message):
        load_instances(Letters(), f"clembench:{tmp_path / source}")


def test_a_game_that_clembench_does_not_have(tmp_path, monkeypatch):
    monkeypatch.delattr(Letters, "from_clembench")
    with pytest.raises(ValueError, match="game 'letters' cannot read clembench instances"):
        load_instances(Letters(), f"clembench:{checkout(tmp_path / 'bench')}")
