"""DPO and KTO on dialogues, where TRL would also train what the others said: our collators mask it.

    playpen-eval train dpo --model M --recipe paper-dpo-turn --data PAIRS --output DIR
    accelerate launch train/dpo.py --model M --recipe paper-dpo-turn --data PAIRS --output DIR

The second form needs the package installed (in a checkout `pip install -e '.[train]'`); without a checkout it is
`accelerate launch -m playpen_eval.train.dpo ...`. KTO is `playpen-eval train kto`.

The reference model is the model as it is given: a new adapter is switched off, an adapter that is trained on is
copied, and for all weights the folder is loaded a second time. It is never a model that exists in memory only.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from playpen_eval.train.chat import Chat
from playpen_eval.train.config import DPO, KTO, Data
from playpen_eval.train.examples import (
    Allowed,
    Counts,
    Fitting,
    Maker,
    as_dataset,
    label_examples,
    pair_examples,
)
from playpen_eval.train.models import peft_config
from playpen_eval.train.session import Session, read_data

from playpen_eval.errors import UserError, require


def _begin(
    method: str, maker: Maker, config: Data, model: str | None, data: Sequence[Path], output: Path, options: Any
) -> tuple[Session, Chat, list[dict[str, Any]]]:
    """Session, chat template and examples; no examples if the run is finished."""
    session = Session(method, config, model, output, data, **options)
    chat = session.load_chat()
    if session.finished:
        return session, chat, []
    counts = Counts()
    fitting = Fitting(config.max_length, config.overlong, counts)
    allowed = Allowed(config.allow_heldout)
    examples = [one for path in data for one in maker(read_data(path), str(path), chat, fitting, counts, allowed)]
    session.told["examples"] = counts.to_dict()
    return session, chat, examples


def train(config: DPO, model: str | None, data: Sequence[Path], output: Path, **options: Any) -> list[dict[str, Any]]:
    """Trains on preference pairs.

    Args:
        config: The recipe.
        model: Folder or name of the model, or an adapter to train on.
        data: Pairs of `playpen-eval data`, or rows with token ids, of which pairs are made.
        output: Folder of the run.
        **options: `resume` and `again`, as in `Session`.

    Returns:
        The log.

    Raises:
        UserError: Before the first step, if anything is wrong.
    """
    session, chat, examples = _begin("dpo", pair_examples, config, model, data, output, options)
    if not examples:
        return []
    from playpen_eval.train.preference import LearnerOnlyPairs, MaskedDPOTrainer

    policy = session.load_model(chat)
    losses = [config.loss, "sft"] if config.sft_weight else [config.loss]
    trainer = MaskedDPOTrainer(
        model=policy,
        args=session.arguments(
            require("trl", "train").DPOConfig,
            beta=config.beta,
            loss_type=losses,
            loss_weights=[1.0, config.sft_weight][: len(losses)],
            precompute_ref_log_probs=config.precompute_reference,
            max_length=None,  # cut to their length already, by turns
            remove_unused_columns=False,  # the masks
        ),
        data_collator=LearnerOnlyPairs(pad_token_id=_pad(chat)),
        train_dataset=as_dataset(examples),
        processing_class=chat.tokenizer,
        peft_config=peft_config(policy, config),
    )
    return session.train(trainer)


def train_kto(
    config: KTO, model: str | None, data: Sequence[Path], output: Path, **options: Any
) -> list[dict[str, Any]]:
    """Trains on dialogues that are labelled good or bad; arguments and result as those of `train`."""
    session, chat, examples = _begin("kto", label_examples, config, model, data, output, options)
    if not examples:
        return []
    from playpen_eval.train.preference import LearnerOnlyLabels, MaskedKTOTrainer, with_mismatches

    # TRL takes them in order, for its estimate of the divergence pairs each prompt with its neighbour's answer.
    Random(f"kto/{config.seed}").shuffle(examples)
    if config.loss == "kto":
        if config.batch_size < 2 or len(examples) < 2:
            raise UserError("loss kto pairs each prompt with another one's answer: it needs batch_size 2 or more")
        examples = with_mismatches(examples, config.batch_size)
    good = sum(one["label"] for one in examples)
    bad_weight = config.undesirable_weight
    if bad_weight is None:
        bad_weight = config.desirable_weight * good / (len(examples) - good)
    session.told["undesirable_weight"] = bad_weight
    policy = session.load_model(chat)
    trainer = MaskedKTOTrainer(
        model=policy,
        args=session.arguments(
            require("trl", "train").KTOConfig,
            beta=config.beta,
            loss_type=config.loss,
            desirable_weight=config.desirable_weight,
            undesirable_weight=bad_weight,
            max_length=None,
            remove_unused_columns=False,
        ),
        data_collator=LearnerOnlyLabels(pad_token_id=_pad(chat)),
        train_dataset=as_dataset(examples),
        processing_class=chat.tokenizer,
        peft_config=peft_config(policy, config),
    )
    return session.train(trainer)


def _pad(chat: Chat) -> int:
    pad = chat.tokenizer.pad_token_id
    return chat.end if pad is None else pad


if __name__ == "__main__":
    from playpen_eval.cli import main

    sys.exit(main(["train", "dpo", *sys.argv[1:]]))
