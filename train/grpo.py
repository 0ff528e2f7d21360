"""GRPO on episodes that are played while training.

    playpen-eval train grpo --model M --recipe small-gpu-grpo --output DIR
    accelerate launch train/grpo.py --model M --recipe small-gpu-grpo --output DIR

The second form needs the package installed (in a checkout `pip install -e '.[train]'`); without a checkout it is
`accelerate launch -m playpen_eval.train.grpo ...`.

A group is `group_size` episodes of one instance with the learner in one seat; a row's advantage is its reward minus the
group's mean. In self-play one episode gives a row for each seat, which are groups of their own, so a seat is compared
with itself only. Rows without a reward (a partner or a server failed) take no part in the mean and carry no loss.

Several processes play side by side and have to call the model equally often only where it is sharded: with ZeRO-3, FSDP
or vLLM's server use one process, or vLLM in each process (`vllm: colocate`). The vLLM paths follow TRL's interface.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from playpen_eval.train.config import GRPO
from playpen_eval.train.examples import as_dataset
from playpen_eval.train.mix import Mix, load_pools
from playpen_eval.train.models import peft_config
from playpen_eval.train.partners import check_partner, make_partner
from playpen_eval.train.session import Session

from playpen_eval.errors import UserError, require


def train(config: GRPO, model: str | None, output: Path, **options: Any) -> list[dict[str, Any]]:
    """Trains by playing.

    Args:
        config: The recipe.
        model: Folder or name of the model, or an adapter to train on.
        output: Folder of the run.
        **options: `resume` and `again`, as in `Session`.

    Returns:
        The log.

    Raises:
        UserError: Before the first step, if anything is wrong; later if for many batches nothing can be learned.
    """
    pools = load_pools(config)
    check_partner(config)
    if config.save_every % config.iterations:
        raise UserError(f"save_every {config.save_every} must be a multiple of iterations {config.iterations}")
    session = Session("grpo", config, model, output, **options)
    if session.finished:
        return []
    chat = session.load_chat()
    session.told["instances"] = {game.name: len(instances) for game, instances in pools}
    policy = session.load_model(chat)

    from playpen_eval.train.trl_rollout import STATE, KeepState, Rollouts, RolloutTrainer

    groups = config.batch_size * config.accumulate // config.group_size * session.state.num_processes
    wanted = sum(len(instances) for _, instances in pools)
    steps = config.max_steps or math.ceil(config.epochs * wanted / groups) * config.iterations
    mix = Mix(pools, config, config.gate, f"mix/{config.seed}")
    rollouts = Rollouts(config, mix, chat, lambda trained: make_partner(config, chat, trained, session.model))
    trainer = RolloutTrainer(
        model=policy,
        reward_funcs=rollouts.reward,
        args=session.arguments(
            require("trl", "train").GRPOConfig,
            num_generations=config.group_size,
            steps_per_generation=config.accumulate,
            num_iterations=config.iterations,
            beta=config.beta,
            loss_type=config.loss,
            scale_rewards=config.scale,
            epsilon=config.epsilon,
            temperature=config.temperature,
            max_completion_length=config.max_new_tokens,
            disable_dropout=True,
            shuffle_dataset=False,
            max_steps=steps,
            **_vllm(config, chat.stops),
        ),
        train_dataset=as_dataset({"prompt": str(number)} for number in range(groups * steps)),
        processing_class=chat.tokenizer,
        peft_config=peft_config(policy, config),
        rollout_func=rollouts,
    )
    trainer.recipe, trainer.rollouts = config, rollouts
    log = session.train(trainer, [KeepState(rollouts)], restore=rollouts.restore, needs=(STATE,))
    if rollouts.solved and session.main:
        print(f"all games are won, so it stopped after {trainer.state.global_step} steps", file=sys.stderr)
    return log


def _vllm(config: GRPO, stops: set[int]) -> dict[str, Any]:
    if config.vllm == "none":
        return {}
    return {
        "use_vllm": True,
        "vllm_mode": config.vllm,
        "vllm_max_model_length": config.max_length,
        "generation_kwargs": {"stop_token_ids": sorted(stops)},
    }


if __name__ == "__main__":
    from playpen_eval.cli import main

    sys.exit(main(["train", "grpo", *sys.argv[1:]]))
