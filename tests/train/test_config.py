"""Tests for recipes."""
# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses

import pytest
from playpen_eval.train.config import GRPO, SFT
from playpen_eval.train.config_lmrl import ILQL, LMRL, MC
from playpen_eval.train.recipe_files import METHODS, RECIPES, load_config, recipe_names

from playpen_eval.errors import UserError


def method_of(name: str) -> str:
    return next(
        line.split(":")[1].strip()
        for line in (RECIPES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        if line.startswith("method:")
    )


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads(name):
    config = load_config(method_of(name), name)
    assert type(config) is (METHODS | LMRL)[method_of(name)]
    # Small models are made on the spot, and values are learned on the user's behaviour-cloned model.
    assert name.startswith(("laptop", "lmrl")) or config.model


def test_every_kind_of_hardware_has_its_recipes():
    wanted = {"paper-sft", "paper-dpo-dialogue", "paper-dpo-turn", "paper-grpo", "small-gpu-sft", "small-gpu-grpo"}
    assert {name for name in recipe_names() if "lmrl" not in name} == wanted | {
        "laptop-sft", "laptop-dpo", "laptop-grpo",
    }  # fmt: skip


def test_lmrl_gyms_figures():
    maze, wordle = load_config("ilql", "lmrl-maze-ilql"), load_config("ilql", "lmrl-wordle-ilql")
    assert isinstance(maze, ILQL)
    assert isinstance(wordle, ILQL)
    assert (maze.beta, maze.tau, maze.cql_weight, maze.gamma, maze.polyak) == (16, 0.99, 0.5, 0.99, 0.005)
    assert (maze.learning_rate, maze.batch_size, maze.heads, maze.beta2) == (1e-4, 128, "mlp", 0.95)
    assert (wordle.beta, wordle.tau, wordle.cql_weight, wordle.learning_rate, wordle.bias) == (
        32,
        0.7,
        0.01,
        3e-5,
        -4.1,
    )
    maze, wordle = load_config("mc", "lmrl-maze-mc"), load_config("mc", "lmrl-wordle-mc")
    assert isinstance(maze, MC)
    assert isinstance(wordle, MC)
    assert (maze.beta, maze.gamma, maze.cql_weight, maze.heads) == (16, 0.99, 0.5, "mlp")
    assert (wordle.beta, wordle.gamma, wordle.cql_weight, wordle.heads) == (64, 1.0, 0.01, "linear")


@pytest.mark.parametrize(
    ("method", "setting", "said"),
    [
        ("ilql", "tau=1", "tau must lie between 0 and 1, not 1"),
        ("ilql", "polyak=0", "polyak must lie between 0 and 1, not 0"),
        ("ilql", "backup=word", "backup: Input should be 'token' or 'turn', not 'word'"),
        ("mc", "gamma=1.5", r"gamma must lie in \[0, 1\], not 1.5"),
        ("mc", "beta=-1", "beta must be 0 or more, not -1"),
        ("mc", "overlong=cut", "overlong must be refuse or drop"),
        ("mc", "adapter=qlora", "adapter: qlora is not for methods on values"),
        ("mc", "optimizer=adafactor", "are for TRL's trainers"),
        ("mc", "tau=0.5", "unknown key of recipe 'tau'"),
        ("sft", "top=0", "top must be above 0|top is a share above 0"),
        ("sft", "top=10", "top is a share above 0 and up to 1, not 10"),
        ("rft", "top=0.5", "top is for sft"),
    ],
)
def test_settings_of_lmrl_gyms_methods_that_make_no_sense(method, setting, said):
    games = ["games=[taboo]"] if method == "rft" else []
    with pytest.raises(UserError, match=said):
        load_config(method, None, [*games, setting])


def test_the_papers_figures():
    sft, grpo = load_config("sft", "paper-sft"), load_config("grpo", "paper-grpo")
    assert (sft.lora_rank, sft.lora_alpha, sft.learning_rate, sft.batch_size, sft.max_steps) == (64, 32, 2e-4, 4, 700)
    assert isinstance(grpo, GRPO)
    assert (grpo.group_size, grpo.beta, grpo.learning_rate, grpo.scale, grpo.loss) == (8, 0.04, 5e-7, "group", "grpo")
    assert grpo.batch_size * grpo.accumulate == 16 * 8
    assert grpo.temperature == 1.0
    assert grpo.max_new_tokens == 100


def test_overrides_go_before_the_recipe(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("method: grpo\ngames: [taboo, wordle]\nlearning_rate: 3e-6\nreward: {abort: -1}\n")
    overrides = ["learning_rate=5e-4", "games.taboo=3", "reward.value=success", "trainer.dataloader_num_workers=0"]
    config = load_config("grpo", str(recipe), overrides)
    assert isinstance(config, GRPO)
    assert config.learning_rate == 5e-4
    assert config.games == {"taboo": 3.0, "wordle": 1.0}
    assert (config.reward.abort, config.reward.value) == (-1.0, "success")
    assert config.trainer == {"dataloader_num_workers": 0}


@pytest.mark.parametrize(
    ("method", "overrides", "said"),
    [
        ("sft", ["learning_rat=1"], "did you mean 'learning_rate'"),
        ("sft", ["learning_rate"], "--set takes key=value"),
        ("sft", ["seed=[1"], "no YAML"),
        ("sft", ["seed=soon"], "seed: "),
        ("sft", ["seed.part=1", "seed=2", "seed.part=1"], "not a mapping"),
        ("sft", ["learning_rate=.nan"], "learning_rate must be above 0"),
        ("sft", ["adapter=dora"], "adapter: "),
        ("dpo", ["sft_weight=-1"], "sft_weight must be 0 or more"),
        ("grpo", [], "no games to play"),
        ("grpo", ["games=[taboo]", "group_size=1"], "at least 2"),
        ("grpo", ["games=[taboo]", "group_size=6"], "no whole number of groups of 6"),
        ("grpo", ["games=[taboo]", "reward.abrt=1"], "did you mean 'abort'"),
        ("grpo", ["games=[taboo]", "reward.value=points"], "unknown value of an episode 'points'"),
        ("grpo", ["games=[taboo]", "gate.low=few"], "gate.low"),
        ("grpo", ["games={taboo: 0}"], "weight of taboo"),
        ("grpo", ["games=[taboo]", "per_turn=discount", "scale=group"], "needs scale: none"),
        ("grpo", ["games=[taboo]", "per_turn=return_to_go"], "needs reward.credit"),
        ("grpo", ["games=[taboo]", "lora_dropout=0.1"], "lora_dropout must be 0"),
    ],
)
def test_bad_values_are_refused(method, overrides, said):
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        load_config(method, None, overrides)


def test_bad_recipes_are_refused(tmp_path):
    with pytest.raises(UserError, match="did you mean 'paper-sft'"):
        load_config("sft", "paper-stf")
    with pytest.raises(UserError, match="is for sft: playpen-eval train sft, not grpo"):
        load_config("grpo", "paper-sft")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(UserError, match="no mapping"):
        load_config("sft", str(tmp_path / "list.yaml"))
    with pytest.raises(UserError, match="does not exist"):
        load_config("sft", str(tmp_path / "none.yaml"))


def test_every_key_is_explained():
    for kind in (METHODS | LMRL).values():
        told = "".join(parent.__doc__ or "" for parent in kind.__mro__)
        for one in dataclasses.fields(kind):
            assert f"        {one.name}: " in told, f"{kind.__name__}.{one.name}"
    assert dataclasses.asdict(SFT())["learning_rate"] == 2e-4
