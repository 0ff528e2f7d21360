"""Monte Carlo returns on the episodes of a data set, as LMRL-Gym does it: Q of what the data's players went on to get.

    playpen-eval train mc --model BC --recipe lmrl-maze-mc --data FILE --output DIR
    python train/mc.py --model BC --recipe lmrl-maze-mc --data FILE --output DIR

The second form needs the package installed (in a checkout `pip install -e '.[train]'`).

The model is the behaviour-cloned one; it stays as it is, and a copy of its transformer learns the values. The result
is both in one (`value_model.py`).
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playpen_eval.train.config_lmrl import MC
from playpen_eval.train.session import Session


def train(config: MC, model: str | None, data: Sequence[Path], output: Path, **options: Any) -> list[dict[str, Any]]:
    """Trains values of tokens on returns.

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
    session = Session("mc", config, model, output, data, **options)
    if session.finished:
        return []
    from playpen_eval.train.values import Learning

    run = Learning(session, config, data)
    values = run.values(("q",))
    return run.fit(values, lambda batch: losses(values, batch, config), bootstrap=False)


def losses(values: Any, batch: Any, config: MC) -> tuple[Any, dict[str, float]]:
    """The loss of a batch, and its parts for the log.

    Args:
        values: What is trained.
        batch: A `values.Batch`.
        config: cql_weight.

    Returns:
        Half the squared error of Q to the discounted return from the token on, and `cql_weight` times the
        cross-entropy of Q as logits on the data's tokens.
    """
    from playpen_eval.train.values import hidden

    q, said = values.heads["q"](hidden(values.base, batch)).float(), (batch.state, batch.token)
    q_loss = ((q[said] - batch.returns) ** 2).mean() / 2
    cql = -q.log_softmax(-1)[said].mean()
    loss = q_loss + config.cql_weight * cql
    told = {"loss": loss, "q_loss": q_loss, "cql": cql, "q": q[said].mean()}
    return loss, {name: number.item() for name, number in told.items()}


if __name__ == "__main__":
    from playpen_eval.cli import main

    sys.exit(main(["train", "mc", *sys.argv[1:]]))
