"""TRL's trainers and collators for preferences, with the learner's mask; they would train all after the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, KTOTrainer


class MaskedDPOTrainer(DPOTrainer):
    """Takes examples that are tokens already."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset


class MaskedKTOTrainer(KTOTrainer):
    """Takes examples that are tokens already."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset


@dataclass
class LearnerOnlyPairs(DataCollatorForPreference):
    """Pads pairs; the chosen sides come first, then the rejected ones."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch, its `completion_mask` 1 only on what the learner said."""
        batch = super().torch_call(examples)
        masks = [(example, f"{side}_mask") for side in ("chosen", "rejected") for example in examples]
        return _masked(batch, "completion_mask", masks)


@dataclass
class LearnerOnlyLabels(DataCollatorForUnpairedPreference):
    """Pads labelled rows, and the mismatched answers for the divergence."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch, its masks 1 only on what the learner said."""
        batch = super().torch_call(examples)
        for prefix in ("", "KL_"):
            if f"{prefix}completion_mask" in batch:
                masks = [(example, f"{prefix}completion_mask") for example in examples]
                batch = _masked(batch, f"{prefix}completion_mask", masks)
        return batch


def _masked(batch: dict[str, Any], name: str, masks: Sequence[tuple[Mapping[str, Any], str]]) -> dict[str, Any]:
    said = torch.zeros_like(batch[name])
    for row, (example, column) in enumerate(masks):
        start = len(example["prompt_ids"])
        said[row, start : start + len(example[column])] = torch.tensor(example[column])
    return {**batch, name: batch[name] * said}


def with_mismatches(examples: Sequence[Mapping[str, Any]], batch_size: int) -> list[dict[str, Any]]:
    """Gives each example of a batch its neighbour's answer, as TRL's own preparation does.

    Args:
        examples: In the order in which they are trained on.
        batch_size: Of one device. A last batch of one example is left out: it has no neighbour.
    """
    made = []
    for start in range(0, len(examples), batch_size):
        batch = examples[start : start + batch_size]
        if len(batch) == 1:
            break
        for place, example in enumerate(batch):
            other = batch[place - 1]
            mismatch = {"KL_completion_ids": other["completion_ids"], "KL_completion_mask": other["completion_mask"]}
            made.append({**example, **mismatch})
    return made
