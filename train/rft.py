"""Rejection sampling: the model plays, and learns from the episodes that it won (filtered behaviour cloning).

    playpen-eval train rft --model M --recipe small-gpu-sft --set 'games=[taboo]' --output DIR
    accelerate launch train/rft.py --model M --recipe ... --output DIR

The second form needs the package installed (in a checkout `pip install -e '.[train]'`); without a checkout it is
`accelerate launch -m playpen_eval.train.rft ...`.

More rounds are more runs, each with the model of the one before.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playpen_eval.train.chat import Chat
from playpen_eval.train.config import RFT
from playpen_eval.train.examples import Allowed, Counts, Fitting, drawn, sft_examples
from playpen_eval.train.mix import load_pools
from playpen_eval.train.partners import SELF, check_partner, make_partner
from playpen_eval.train.rollout import Settings, play, seating
from playpen_eval.train.rows import Row, read_rows, write_rows
from playpen_eval.train.sampler import HFSampler
from playpen_eval.train.session import Session
from playpen_eval.train.sft import fit

from playpen_eval.episode import Episode

ROWS = "rollouts.jsonl"
BATCH = 256
"""Episodes side by side."""


def train(config: RFT, model: str | None, output: Path, **options: Any) -> list[dict[str, Any]]:
    """Plays, and trains on the successes; all rows stay in the folder.

    Args:
        config: The recipe.
        model: Folder or name of the model, or an adapter to train on.
        output: Folder of the run.
        **options: `resume` and `again`, as in `Session`.

    Returns:
        The log.

    Raises:
        UserError: Before the first step, if anything is wrong or there was no success.
    """
    pools = load_pools(config)
    check_partner(config)
    general = [Path(config.general)] if config.general else []
    session = Session("rft", config, model, output, general, **options)
    if session.finished:
        return []
    chat = session.load_chat()
    path = output / ROWS
    if not path.is_file():
        rows = _gathered(_play(config, pools, chat, session), session)
        if session.main:
            write_rows(path, rows)
        session.state.wait_for_everyone()
    left_out: Counter[str] = Counter()
    kept = chosen(list(read_rows(path)), config, left_out)
    counts = Counts(left_out=left_out)
    fitting = Fitting(config.max_length, config.overlong, counts)
    records = [row.to_dict() for row in kept]
    examples = sft_examples(records, str(path), chat, fitting, counts, Allowed(config.allow_heldout))
    return fit(session, config, chat, examples, counts)


def _play(config: RFT, pools: Any, chat: Chat, session: Session) -> list[Row]:
    """This process's share of the episodes."""
    wanted = [
        (game, instance, seating(game, config.learner, index, config.roles.get(game.name)))
        for game, instances in pools
        for index, instance in enumerate(instances)
        for _ in range(config.group_size)
    ][session.state.process_index :: session.state.num_processes]
    limits = {"batch_size": config.generate_batch, "batch_tokens": config.generate_tokens}
    sampler = HFSampler.load(session.model, chat.stops, **limits)
    partner = make_partner(config, chat, sampler.model, session.model)
    everybody = config.partner == SELF
    rows: list[Row] = []
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        settings = Settings(
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            max_context=config.max_length,
            seed=f"rft/{config.seed}/{session.state.process_index}/{start}",
            shaping=config.reward,
            partner=config.partner,
        )
        episodes = [Episode(game, instance) for game, instance, _ in batch]
        seats = [game.roles if everybody else own for game, _, own in batch]
        made = play(episodes, seats, sampler, chat, settings, partner)
        own = {(f"{settings.seed}/{number}", seat) for number, one in enumerate(batch) for seat in one[2]}
        rows += [row for row in made if (row.meta.episode, row.meta.seat) in own]
    return rows


def _gathered(rows: list[Row], session: Session) -> list[Row]:
    if session.state.num_processes == 1:
        return rows
    from accelerate.utils import gather_object

    return gather_object(rows)


def chosen(rows: Sequence[Row], config: RFT, left_out: Counter[str]) -> list[Row]:
    """The rows to learn from: successes, or those with enough reward, at most `keep` episodes of an instance and seat.

    Args:
        rows: All rows; those of a forgotten exchange go with their episode.
        config: The recipe.
        left_out: Takes what was left out.
    """
    episodes: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        episodes[row.meta.episode, row.meta.seat].append(row)
    groups: dict[tuple[str, str], list[list[Row]]] = defaultdict(list)
    for parts in episodes.values():
        meta = parts[0].meta
        reward = max((row.reward for row in parts if row.reward is not None), default=None)
        if meta.kind == "success" if config.min_reward is None else reward is not None and reward >= config.min_reward:
            groups[meta.instance, meta.seat].append(parts)
        else:
            left_out["no success" if config.min_reward is None else f"reward below {config.min_reward:g}"] += 1
    kept = []
    for (instance, seat), own in groups.items():
        different = {tuple(tuple(row.completion_ids) for row in parts): parts for parts in own}
        left_out["the same episode again"] += len(own) - len(different)
        some = drawn(list(different.values()), config.keep, f"keep/{config.seed}/{instance}/{seat}")
        left_out["enough of the instance"] += len(different) - len(some)
        kept += [row for parts in some for row in parts]
    return kept


if __name__ == "__main__":
    from playpen_eval.cli import main

    sys.exit(main(["train", "rft", *sys.argv[1:]]))
