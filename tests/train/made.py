"""Tokenizers made on the spot, and players for rollouts."""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable, Sequence

from playpen_eval.train.sampler import Sample
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PLAIN = (
    "{%- for m in messages -%}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)
NEWLINE = (
    "{{- '<s>' -}}{%- for m in messages -%}<|{{ m['role'] }}|>{{ m['content'] | trim }}<|end|>{{ '\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)
SPECIAL = ["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]


def word_tokenizer(words: str, template: str | None = PLAIN) -> PreTrainedTokenizerFast:
    """One token a word; unknown words are <unk>."""
    vocabulary = ["<unk>", *SPECIAL, *dict.fromkeys(words.split())]
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(vocabulary)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _wrap(backend, template)


def byte_tokenizer(template: str | None = PLAIN) -> PreTrainedTokenizerFast:
    """One token a byte, so that every text comes back as it was."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator([], trainer)
    return _wrap(backend, template)


def _wrap(backend: Tokenizer, template: str | None) -> PreTrainedTokenizerFast:
    backend.add_special_tokens(SPECIAL)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        unk_token="<unk>" if backend.token_to_id("<unk>") is not None else None, extra_special_tokens=SPECIAL[3:],
    )  # fmt: skip
    tokenizer.chat_template = template
    return tokenizer


class TalkingSampler:
    """Samples what a function of the prompt's text says; keeps what it was asked."""

    def __init__(self, chat, say: Callable[[str], str], end: bool = True):
        self._chat, self._say, self._end = chat, say, end
        self.calls: list[int] = []
        self.prompts: list[str] = []

    def generate(self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, temperature: float, seed: int):
        self.calls.append(len(prompts))
        samples = []
        for prompt in prompts:
            text = self._chat.tokenizer.decode(prompt)
            self.prompts.append(text)
            ids = self._chat.tokenizer(self._say(text), add_special_tokens=False)["input_ids"][:max_new_tokens]
            ids += [self._chat.end] * (self._end and len(ids) < max_new_tokens)
            samples.append(Sample(ids, [-0.5] * len(ids)))
        return samples
