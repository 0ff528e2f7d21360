"""IFEval: requests with instructions whose keeping can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playpen_eval.skills.ifeval import arguments, follows, make_checks


def grade(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Whether the reply follows every instruction (strict, whole prompt).

    Raises:
        UserError: The row has an instruction that is not known, or arguments that do not fit it.
    """
    target = dict(zip(doc["instruction_id_list"], map(arguments, doc["kwargs"]), strict=True))
    return {"prompt_level_strict_acc": float(all(follows(results[0], make_checks(target)).values()))}
