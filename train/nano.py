"""`playpen-eval nano`: a model of 0.1 to 20 million random weights that learns the practice games within minutes.

What lets so small a model learn from a few hundred steps: weights drawn wider than usual, embeddings tied to the
output, and a vocabulary in which every word of its games is one token.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from playpen_eval.drivers import lockstep
from playpen_eval.episode import Episode
from playpen_eval.errors import UserError, require, unknown
from playpen_eval.game import Game
from playpen_eval.instances import generate
from playpen_eval.players import scripted
from playpen_eval.registry import load_game, shipped_games

PAD, END, USER, ASSISTANT, SYSTEM = MARKS = ("<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>")

TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{%- else -%}"
    "<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)
"""The end token stands inside the generation block, since it is learned as well; no message changes another one."""

SUITES = ("practice", "practice_skills")
EPISODES = 400
"""Scripted episodes per game that the tokenizer is trained on."""
VOCABULARY = 1024
"""Tokens at most: 256 bytes, five marks, and what is frequent."""
CONTEXT = 2048
LINE = 20
"""Characters of the shortest line that is worth a token."""


class Size(NamedTuple):
    """The shape of a model.

    Attributes:
        width: Of the hidden states.
        layers: How many.
        heads: Of the attention.
        spread: Standard deviation of the weights. With the usual 0.02, narrow models learn nothing in as many steps.
    """

    width: int
    layers: int
    heads: int
    spread: float = 0.1


SIZES = {
    "small": Size(64, 2, 4),
    "medium": Size(128, 2, 4),
    "large": Size(160, 4, 5),
    "gpu": Size(512, 8, 8, spread=0.035),
}
"""About 0.1, 0.4, 1.1 and 21 million weights with the vocabulary of the practice games; the last one is for a GPU."""


def default_games() -> list[str]:
    """The practice games."""
    return [name for name, game in shipped_games().items() if game.suite in SUITES]


def make_nano(
    folder: Path, games: Sequence[str] = (), seed: int = 0, size: str = "small", *, short_rules: bool = False
) -> dict[str, Any]:
    """Makes tokenizer, chat template and random weights, in Hugging Face's format.

    Args:
        folder: Where to save them; must be new or empty.
        games: Games whose texts make the vocabulary; the practice games if empty.
        seed: Of the weights.
        size: One of `SIZES`.
        short_rules: Make each line of the rules one token, see `rules`.

    Returns:
        What `nano.json` in the folder says: the arguments, and numbers of weights and tokens.

    Raises:
        UserError: An unknown game or size, or the folder holds something.
    """
    if size not in SIZES:
        raise unknown("size", size, SIZES)
    if not 0 <= seed < 2**63:
        raise UserError(f"the seed must lie in [0, 2**63), not {seed}")
    played = [load_game(name) for name in games or default_games()]
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists already; name another folder, or delete it")
    require("transformers", "hf").utils.logging.disable_progress_bar()
    episodes = [played_out(game) for game in played]
    tokenizer = make_tokenizer(text for some in episodes for text in texts(some))
    if short_rules:
        tokenizer.add_tokens([line for some in episodes for line in rules(some)])
    model = make_model(len(tokenizer), size, seed)
    about = {
        "seed": seed,
        "size": size,
        "games": [game.name for game in played],
        "short_rules": short_rules,
        "weights": sum(weight.numel() for weight in model.parameters()),
        "tokens": len(tokenizer),
    }
    _save(folder, tokenizer, model, about)
    return about


def played_out(game: Game) -> list[Episode]:
    """Scripted episodes: of the train split, or of validation where the game is held out."""
    split = "validation" if game.held_out else "train"
    each = -(-EPISODES // len(game.experiments))
    streams = [generate(game, split, experiment, "nano") for experiment in game.experiments]
    episodes = [Episode(game, instance) for stream in streams for instance in itertools.islice(stream, each)]
    lockstep(episodes, scripted())
    return episodes


def texts(episodes: Sequence[Episode]) -> Iterator[str]:
    """What is said in episodes."""
    for episode in episodes:
        for turn in episode.turns:
            yield turn.text
            yield turn.reply


def rules(episodes: Sequence[Episode]) -> list[str]:
    """The lines that all episodes of an experiment show; as tokens they make prompts several times shorter."""
    lines = [{line for turn in one.turns for line in turn.text.split("\n") if len(line) >= LINE} for one in episodes]
    experiments: dict[str, list[set[str]]] = {}
    for one, own in zip(episodes, lines, strict=True):
        experiments.setdefault(one.instance["experiment"], []).append(own)
    found = (line for some in experiments.values() for line in sorted(set.intersection(*some)))
    return list(dict.fromkeys(found))


def make_tokenizer(lines: Iterator[str]) -> Any:
    """A byte-level BPE tokenizer with the chat template; any text comes back as it went in."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    raw.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(  # type: ignore[call-arg]
        vocab_size=VOCABULARY,
        special_tokens=list(MARKS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    raw.train_from_iterator(lines, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token=PAD,
        eos_token=END,
        padding_side="left",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_model(tokens: int, size: str, seed: int) -> Any:
    """A Llama with random weights; the same arguments give the same ones."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = SIZES[size]
    config = LlamaConfig(
        vocab_size=tokens,
        hidden_size=shape.width,
        intermediate_size=2 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        max_position_embeddings=CONTEXT,
        initializer_range=shape.spread,
        tie_word_embeddings=True,
        pad_token_id=MARKS.index(PAD),
        eos_token_id=MARKS.index(END),
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def _save(folder: Path, tokenizer: Any, model: Any, about: dict[str, Any]) -> None:
    from playpen_eval.provenance import provenance

    unfinished = folder.with_name(folder.name + ".tmp")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        manifest = json.dumps(about | {"versions": provenance()}, indent=2)
        (unfinished / "nano.json").write_text(manifest + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error}") from None
