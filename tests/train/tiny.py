"""What the tests of training share: a tiny Llama over whole words, and a game that it can learn."""
# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path

WORDS = ("left", "right", "go", "say", "one", "word", "now", "well", "done", "wrong", "first", "second", "again")

GAME = '''
"""A game of two words."""

from collections.abc import Generator

from playpen_eval.game import Ask, Game, Outcome


class Echo(Game):
    """Say left in both turns."""

    name = "{name}"
    roles = ("caller", "speaker")
    learner = "speaker"
    held_out = {held_out}
    sizes = {{"train": 8, "validation": 2, "test": 4}}
    visible = {{"caller": ("start",), "speaker": ("start",)}}

    def play(self, instance) -> Generator[Ask, str, Outcome]:
        said = yield Ask("caller", "say one word now", max_tokens=2)
        right = 0
        for turn in range(2):
            text = f"{{instance['start']}} go" if turn == 0 else "well done again"
            reply = yield Ask("speaker", text, max_tokens=2, reward={{"speaker": 0.5 * turn}})
            right += reply.split()[:1] == ["left"]
        return Outcome.success(1.0) if right == 2 else Outcome.lose(right / 2)

    def max_turns(self, instance):
        return 3

    def generate(self, experiment, rng):
        return {{"start": " ".join(rng.choice(["first", "second", "one", "word", "now"]) for _ in range(4))}}

    def scripted(self, role, view, style):
        return lambda messages: "left" if style == "best" else "wrong"

    def solution(self, instance, *, last=False):
        return ["go", "left", "left"]
'''


def make_game(folder: Path, name: str = "echo", *, held_out: bool = False) -> Path:
    """A folder for --games-dir with one game in it."""
    (folder / name).mkdir(parents=True)
    (folder / name / "game.py").write_text(GAME.format(name=name, held_out=held_out), encoding="utf-8")
    return folder


def make_model(folder: Path, seed: int = 0, width: int = 32) -> Path:
    """A Llama of two layers with random weights, saved with its tokenizer and the minimal chat template."""
    import torch
    from playpen_eval.train.chat import MINIMAL
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    marks = ["<pad>", "<end>", "<unk>"]
    raw = Tokenizer(models.WordLevel({word: index for index, word in enumerate([*marks, *_vocabulary()])}, "<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="<end>", unk_token="<unk>", padding_side="left"
    )
    tokenizer.chat_template = MINIMAL
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        initializer_range=0.1,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _vocabulary() -> list[str]:
    return ["Assistant", "User", "System", ":", *WORDS]
