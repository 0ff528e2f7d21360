"""The value-guided checkpoint: a policy and what was learned about returns, as one causal language model.

    logits = log_softmax(policy) + beta * Q          (ILQL, MC returns; of two Q the smaller one)

The policy is a frozen copy of the behaviour-cloned model, the values are a second full copy of its transformer with
heads. Q at a position is that of each token that may come next. V would be the same for all of them, so it changes
nothing in a softmax and is not subtracted.

`register()` makes `AutoModelForCausalLM` know such folders; whoever cannot call it gives `trust_remote_code=True` where
this package is installed.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    DynamicCache,
    GenerationMixin,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import CausalLMOutputWithPast

MODEL_TYPE = "playpen_value_guided"
SHIM = "value_guided.py"

_SHIM = '''"""The classes of this folder, for trust_remote_code=True where the package playpen-eval is installed."""

from playpen_eval.train.value_model import ValueGuided, ValueGuidedConfig

__all__ = ["ValueGuided", "ValueGuidedConfig"]
'''


class ValueGuidedConfig(PreTrainedConfig):
    """Configuration of `ValueGuided`.

    Attributes:
        text_config: That of the policy, which is also that of the values' transformer.
        beta: Weight of Q beside the policy's log-probabilities; 0 for the policy as it is.
        head: `mlp` (two layers) or `linear`.
        q_heads: Names of the heads of Q: one for MC returns, two for ILQL.
        v_head: Whether there is a head of V; it is kept for training on.
    """

    model_type = MODEL_TYPE
    sub_configs = {"text_config": AutoConfig}  # type: ignore[assignment]

    text_config: Any = None
    beta: float = 1.0
    head: str = "mlp"
    q_heads: Any = ("q",)
    v_head: bool = False
    max_position_embeddings: int | None = None
    vocab_size: int | None = None
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Reads the policy's configuration, and repeats what harnesses look for at this level."""
        if isinstance(self.text_config, dict):
            given = dict(self.text_config)
            self.text_config = AutoConfig.for_model(given.pop("model_type"), **given)
        if self.text_config is not None:
            self.max_position_embeddings = getattr(self.text_config, "max_position_embeddings", None)
            self.vocab_size = self.text_config.vocab_size
        self.q_heads = list(self.q_heads)
        self.auto_map = {
            "AutoConfig": f"{Path(SHIM).stem}.ValueGuidedConfig",
            "AutoModelForCausalLM": f"{Path(SHIM).stem}.ValueGuided",
        }
        super().__post_init__(**kwargs)


class PairedCache(DynamicCache):
    """The policy's cache, with that of the values beside it."""

    def __init__(self, config: PreTrainedConfig):
        super().__init__(config=config)
        self.values = DynamicCache(config=config)

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """As both caches do."""
        super().reorder_cache(beam_idx)
        self.values.reorder_cache(beam_idx)

    def crop(self, max_length: int) -> None:
        """As both caches do."""
        super().crop(max_length)
        self.values.crop(max_length)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """As both caches do."""
        super().batch_repeat_interleave(repeats)
        self.values.batch_repeat_interleave(repeats)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """As both caches do."""
        super().batch_select_indices(indices)
        self.values.batch_select_indices(indices)

    def reset(self) -> None:
        """As both caches do."""
        super().reset()
        self.values.reset()


def make_head(kind: str, width: int, outputs: Any) -> nn.Module:
    """A head: two layers with a hidden one of the transformer's width, or one."""
    last = nn.Linear(width, outputs)
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), last) if kind == "mlp" else last


class Values(nn.Module):
    """A transformer with heads for Q and V.

    Attributes:
        base: The transformer.
        heads: Name -> head; those of Q have the size of the vocabulary, that of V has size 1.
    """

    def __init__(self, config: ValueGuidedConfig):
        super().__init__()
        text = config.text_config
        self.config = config
        self.base = AutoModel.from_config(copy.deepcopy(text))
        outputs = dict.fromkeys(config.q_heads, text.vocab_size) | ({"v": 1} if config.v_head else {})
        self.heads = nn.ModuleDict(
            {name: make_head(config.head, text.hidden_size, size) for name, size in outputs.items()}
        )

    def start_heads(self, mean: float) -> None:
        """Makes all heads say `mean`, about the mean return, whatever they are asked."""
        for head in self.heads.values():
            last = head[-1] if isinstance(head, nn.Sequential) else head
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.constant_(last.bias, mean)  # type: ignore[arg-type]

    def q(self, hidden: torch.Tensor) -> torch.Tensor:
        """Q of each next token, the smaller one of two.

        Args:
            hidden: Of the transformer, (..., width).

        Returns:
            (..., vocabulary).
        """
        found = [self.heads[name](hidden) for name in self.config.q_heads]
        return found[0] if len(found) == 1 else torch.stack(found).amin(0)


class ValueGuided(PreTrainedModel, GenerationMixin):
    """A policy that is guided by values; see the module."""

    config_class = ValueGuidedConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = True

    def __init__(self, config: ValueGuidedConfig):
        super().__init__(config)
        self.policy = AutoModelForCausalLM.from_config(copy.deepcopy(config.text_config))
        self.values = Values(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Weights are loaded or copied, never drawn."""

    def get_input_embeddings(self) -> nn.Module:
        """Those of the policy."""
        return self.policy.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        """Those of the policy."""
        return self.policy.get_output_embeddings()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Logits of the guided policy.

        Args:
            input_ids: (batch, length); those that are not in the cache yet.
            attention_mask: (batch, length with the cache).
            position_ids: (batch, length).
            past_key_values: None, an empty cache, or what a call before returned.
            use_cache: Return a cache.
            logits_to_keep: 0 for all positions, n for the last n, or places.

        Returns:
            Output with `logits` (batch, kept length, vocabulary) in float32, and the cache.
        """
        cache = self._cache(past_key_values) if use_cache or past_key_values is not None else None
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "position_ids": position_ids}
        # slice(0, None) is all of them
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        policy = self.policy(**given, past_key_values=cache, use_cache=cache is not None, logits_to_keep=logits_to_keep)
        logits = policy.logits.float().log_softmax(-1)
        hidden = self.values.base(
            **given, past_key_values=cache and cache.values, use_cache=cache is not None
        ).last_hidden_state
        guided = logits + self.config.beta * self.values.q(hidden[:, kept]).float()
        return CausalLMOutputWithPast(logits=guided, past_key_values=cache)

    def _cache(self, given: Any) -> PairedCache:
        if isinstance(given, PairedCache):
            return given
        if given is not None and given.get_seq_length():
            raise ValueError("the cache of a value-guided model is one that it made itself")
        return PairedCache(self.config.text_config)

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> None:
        """Saves the folder, with a file for those who have not registered the classes."""
        super().save_pretrained(save_directory, **options)
        Path(save_directory, SHIM).write_text(_SHIM, encoding="utf-8")


def make_values(policy: PreTrainedModel, head: str, q_heads: Sequence[str], v_head: bool, mean: float) -> Values:
    """Values that begin with the policy's transformer, and say `mean` everywhere."""
    config = ValueGuidedConfig(
        text_config=copy.deepcopy(policy.config), head=head, q_heads=list(q_heads), v_head=v_head
    )
    values = Values(config)
    values.base.load_state_dict(policy.base_model.state_dict())
    values.start_heads(mean)
    return values


def guided(policy: PreTrainedModel, values: Values, beta: float) -> ValueGuided:
    """One model of the two, which keep their weights."""
    config = copy.deepcopy(values.config)
    config.beta = beta
    model = ValueGuided(config)
    model.policy, model.values = policy, values
    model.generation_config = policy.generation_config
    return model


def register() -> None:
    """Makes transformers' auto classes know these folders; calling it again changes nothing."""
    AutoConfig.register(MODEL_TYPE, ValueGuidedConfig, exist_ok=True)
    AutoModelForCausalLM.register(ValueGuidedConfig, ValueGuided, exist_ok=True)
