"""Implicit language Q-learning (Snell et al. 2022) on the episodes of a data set, as LMRL-Gym does it.

    playpen-eval train ilql --model BC --recipe lmrl-maze-ilql --data FILE --output DIR
    python train/ilql.py --model BC --recipe lmrl-maze-ilql --data FILE --output DIR

The second form needs the package installed (in a checkout `pip install -e '.[train]'`).

The model is the behaviour-cloned one; it stays as it is, and a copy of its transformer learns the values. The result
is both in one (`value_model.py`).
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playpen_eval.train.config_lmrl import ILQL
from playpen_eval.train.session import Session


def train(config: ILQL, model: str | None, data: Sequence[Path], output: Path, **options: Any) -> list[dict[str, Any]]:
    """Trains values of tokens, bootstrapped within the data.

    Args:
        config: The recipe.
        model: Folder or name of the behaviour-cloned model.
        data: Chats of `playpen-eval data`, or rows with token ids: whole episodes.
        output: Folder of the run, and of the guided policy.
        **options: `resume` and `again`, as in `Session`.

    Returns:
        The log.

    Raises:
        UserError: Before the first step, if anything is wrong.
    """
    session = Session("ilql", config, model, output, data, **options)
    if session.finished:
        return []
    import torch
    from playpen_eval.train.values import Learning

    run = Learning(session, config, data, config.backup)
    values = run.values(("q1", "q2"), v_head=True)
    targets = copy.deepcopy(values).requires_grad_(False).eval()

    def follow() -> None:
        with torch.no_grad():
            for target, online in zip(targets.parameters(), values.parameters(), strict=True):
                target.lerp_(online, config.polyak)

    return run.fit(
        values, lambda batch: losses(values, targets, batch, config), bootstrap=True, follow=follow, targets=targets
    )


def losses(values: Any, targets: Any, batch: Any, config: ILQL) -> tuple[Any, dict[str, float]]:
    """The loss of a batch, and its parts for the log.

    Args:
        values: What is trained.
        targets: Its copy that lags behind.
        batch: A `values.Batch` with next states.
        config: tau and cql_weight.

    Returns:
        Q1 and Q2: half the squared error to `reward + discount * V(next state)`, with the reward alone where there is
        no next state, and `cql_weight` times the cross-entropy of Q as logits on the data's tokens. V: the expectile
        regression to the smaller target Q of the token, half the squared error weighted with tau where V is below it
        and with 1 - tau where it is above.
    """
    import torch
    from playpen_eval.train.values import hidden

    states, said = hidden(values.base, batch), (batch.state, batch.token)
    every = values.heads["v"](states)[:, 0].float()
    v = every[batch.state]
    with torch.no_grad():
        goal = batch.reward + batch.discount * every[batch.after]
        lagging = targets.q(hidden(targets.base, batch))[said].float()
    above = torch.where(lagging > v, config.tau, 1 - config.tau)
    v_loss = (above * (lagging - v) ** 2).mean() / 2
    q_loss = cql = torch.zeros((), device=v.device)
    for name in ("q1", "q2"):
        q = values.heads[name](states).float()
        q_loss = q_loss + ((q[said] - goal) ** 2).mean() / 2
        cql = cql - q.log_softmax(-1)[said].mean()
    loss = q_loss + v_loss + config.cql_weight * cql
    told = {"loss": loss, "q_loss": q_loss, "v_loss": v_loss, "cql": cql, "v": v.mean()}
    return loss, {name: number.item() for name, number in told.items()}


if __name__ == "__main__":
    from playpen_eval.cli import main

    sys.exit(main(["train", "ilql", *sys.argv[1:]]))
