"""Models to be trained: all weights, a new adapter, an adapter that is trained on, a base in four bits."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from playpen_eval.errors import UserError, require

from .chat import Chat
from .config import Common


def load_model(path: str, config: Common, chat: Chat, bfloat16: bool) -> Any:
    """Loads a model, or an adapter with its base, to be trained.

    Args:
        path: Its folder or name.
        config: Says what is trained, and how long rows are.
        chat: The tokenizer; what ends a reply ends a generation of the saved model.
        bfloat16: Compute in that precision.

    Raises:
        UserError: It cannot be loaded, or does not fit the tokenizer or the configuration.
    """
    import torch
    import transformers

    require("peft", "train")
    from .value_model import MODEL_TYPE

    file = Path(path, "config.json")
    if file.is_file() and f'"{MODEL_TYPE}"' in file.read_text(encoding="utf-8"):
        raise UserError(f"{path} is guided by values already; train on the model that its values were learned for")
    adapter = config.adapter
    is_adapter = Path(path, "adapter_config.json").is_file()
    if is_adapter and adapter == "none":
        raise UserError(
            f"{path} is an adapter, so adapter: none cannot train it; merge it into its base first "
            "(merge_and_unload and save_pretrained of peft), or train the adapter on with adapter: lora"
        )
    low = bfloat16 and adapter != "none"  # all weights are kept in float32 while they are trained
    options: dict[str, Any] = {"dtype": torch.bfloat16 if low else torch.float32}
    if adapter == "qlora":
        options["quantization_config"] = _four_bits(bfloat16)
    try:
        if is_adapter:
            from peft import AutoPeftModelForCausalLM

            model = AutoPeftModelForCausalLM.from_pretrained(path, is_trainable=True, **options)
        else:
            model = transformers.AutoModelForCausalLM.from_pretrained(path, **options)
    except Exception as error:  # transformers, peft and the hub have errors of all kinds
        raise UserError(f"cannot load the model {path!r}: {type(error).__name__}: {error}") from None
    rows = model.get_input_embeddings().weight.shape[0]  # type: ignore[index]
    if len(chat.tokenizer) > rows:
        raise UserError(
            f"the tokenizer of {path} has {len(chat.tokenizer)} tokens and the model {rows}: they do not "
            "belong together"
        )
    model.generation_config.eos_token_id = sorted(chat.stops)
    limit = getattr(model.config, "max_position_embeddings", None)
    if limit is not None and config.max_length > limit:
        raise UserError(f"max_length {config.max_length} is more than the {limit} positions of the model")
    return model


def _four_bits(bfloat16: bool) -> Any:
    import torch
    import transformers

    try:
        version("bitsandbytes")
    except PackageNotFoundError:
        raise UserError("adapter: qlora needs bitsandbytes; run: pip install bitsandbytes") from None
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if bfloat16 else torch.float32,
    )


def peft_config(model: Any, config: Common) -> Any:
    """The new adapter; None for all weights, or where an adapter is trained on."""
    from peft import LoraConfig, PeftModel

    if config.adapter == "none" or isinstance(model, PeftModel):
        return None
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=config.lora_targets,
        task_type="CAUSAL_LM",
    )
