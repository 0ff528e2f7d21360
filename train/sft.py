"""Supervised fine-tuning on what the learner said, and on nothing else.

    playpen-eval train sft --model M --recipe small-gpu-sft --data FILE --output DIR
    accelerate launch train/sft.py --model M --recipe small-gpu-sft --data FILE --output DIR

The second form needs the package installed (in a checkout `pip install -e '.[train]'`); without a checkout it is
`accelerate launch -m playpen_eval.train.sft ...`.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playpen_eval.train.chat import Chat
from playpen_eval.train.config import SFT
from playpen_eval.train.episodes import best_episodes
from playpen_eval.train.examples import Allowed, Counts, Fitting, as_dataset, drawn, sft_examples
from playpen_eval.train.models import peft_config
from playpen_eval.train.session import Session, read_data

from playpen_eval.errors import require


def train(
    config: SFT, model: str | None, data: Sequence[Path], output: Path, *, resume: bool = False, again: str = ""
) -> list[dict[str, Any]]:
    """Trains on data sets of `playpen-eval data`, or on rows with token ids.

    Args:
        config: The recipe.
        model: Folder or name of the model, or an adapter to train on.
        data: The data sets.
        output: Folder of the run.
        resume: Continue the run in the folder.
        again: The command that continues it.

    Returns:
        The log.

    Raises:
        UserError: Before the first step, if anything is wrong.
    """
    files = [*data, *([Path(config.general)] if config.general else [])]
    session = Session("sft", config, model, output, files, resume=resume, again=again)
    if session.finished:
        return []
    chat = session.load_chat()
    counts = Counts()
    fitting = Fitting(config.max_length, config.overlong, counts)
    examples = []
    for path in data:
        allowed, records = Allowed(config.allow_heldout), read_data(path)
        if config.top is not None:
            records = best_episodes(records, str(path), config.top, config.seed, counts)
        examples += sft_examples(records, str(path), chat, fitting, counts, allowed, config.min_reward)
    return fit(session, config, chat, examples, counts)


def fit(
    session: Session, config: SFT, chat: Chat, examples: list[dict[str, list[int]]], counts: Counts
) -> list[dict[str, Any]]:
    """Trains on examples, with general conversations mixed in."""
    trl = require("trl", "train")
    if config.general:
        path = Path(config.general)
        records = drawn(read_data(path), round(config.general_ratio * len(examples)), f"general/{config.seed}")
        fitting = Fitting(config.max_length, config.overlong, counts)
        examples = examples + sft_examples(records, str(path), chat, fitting, counts, None)
    session.told["examples"] = counts.to_dict()
    model = session.load_model(chat)
    trainer = _trainer(trl.SFTTrainer, model, session.gpu)(
        model=model,
        # The examples are cut to their length already, by turns.
        args=session.arguments(trl.SFTConfig, max_length=config.max_length),
        train_dataset=as_dataset(examples),
        processing_class=chat.tokenizer,
        peft_config=peft_config(model, config),
    )
    return session.train(trainer)


def _trainer(kind: Any, model: Any, gpu: bool) -> Any:
    """TRL's trainer; on a CPU with logits only where something is learned, as TRL has it on a GPU.

    They are half of a small model's work. Losses of other kinds are left to TRL.
    """
    if gpu or not model._supports_logits_to_keep():
        return kind
    from torch.nn.functional import cross_entropy

    class Trainer(kind):
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            likelihood = self.args.loss_type == "nll" and self.label_smoother is None and not self.aux_loss_enabled
            if return_outputs or not likelihood:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            given = {name: value for name, value in inputs.items() if name != "labels"}
            labels = inputs["labels"][:, 1:]
            learned = labels != -100
            columns = learned.any(dim=0).nonzero()[:, 0]
            logits = model(**given, logits_to_keep=columns, use_cache=False).logits
            loss = cross_entropy(logits.flatten(0, 1), labels[:, columns].flatten(), reduction="sum")
            if num_items_in_batch is None:
                return loss / learned.sum().clamp(min=1)
            # Gradients are averaged over the processes: where tokens are counted together, that divides once too often.
            together = self.args.average_tokens_across_devices
            return loss / num_items_in_batch * (self.accelerator.num_processes if together else 1)

    return Trainer


if __name__ == "__main__":
    from playpen_eval.cli import main

    sys.exit(main(["train", "sft", *sys.argv[1:]]))
