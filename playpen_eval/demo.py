"""`make demo`: the games through Inspect, once with scripted players and once with a small local model.

The model is made on the spot, with random weights and without any download. It cannot play; it shows that a local
Hugging Face checkpoint goes through the same command, and what a table looks like when every reply breaks the form.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_tiny_model(folder: Path, seed: int = 0) -> Path:
    """Makes a byte-level Llama of 0.1 million random weights with a chat template.

    Args:
        folder: Where to save it, in Hugging Face's format.
        seed: Of the weights.

    Returns:
        The folder.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    marks = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(marks + alphabet)}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    raw.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    raw.add_special_tokens(marks)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<|pad|>", eos_token="<|end|>", padding_side="left", model_max_length=8192
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=8192,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def main() -> None:
    """Runs both evaluations and prints their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("out/demo"), help="folder for model and logs")
    parser.add_argument("--limit", type=int, default=2, help="instances per game for the local model")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

    from inspect_ai import eval
    from inspect_ai.log import EvalLog
    from inspect_ai.model import Model, get_model
    from rich.console import Console

    from playpen_eval.grid import show
    from playpen_eval.inspect import game_scores
    from playpen_eval.registry import shipped_games
    from playpen_eval.report import games_grid

    console = Console()
    tasks = [f"playpen/{name}" for name in shipped_games()]

    def evaluate(title: str, model: Model | str, options: str, limit: int | None) -> None:
        console.print(f"\n[bold]{title}[/bold]")
        console.print(f"inspect eval {' '.join(tasks)} --model {model} {options}", soft_wrap=True, markup=False)
        logs: list[EvalLog] = eval(
            tasks,
            model=model,
            limit=limit,
            display="none",
            log_dir=str(args.output / "logs"),
            max_tasks=len(tasks),
            max_connections=len(tasks) * args.limit,
        )
        failed = [log for log in logs if log.status != "success"]
        if failed:
            raise SystemExit(f"{failed[0].eval.task} failed: {failed[0].error}")
        show(games_grid({str(log.eval.metadata["game"]): game_scores(log) for log in logs if log.eval.metadata}))

    evaluate("Scripted players, all test instances", "playpen-scripted/best", "", None)
    path = make_tiny_model(args.output / "model")
    tiny = get_model(f"hf/{path}", do_sample=False, device="cpu")
    options = f"-M do_sample=false -M device=cpu --limit {args.limit}"
    evaluate("A local model with random weights", tiny, options, args.limit)
    console.print(f"\nTo look at every episode: .venv/bin/inspect view --log-dir {args.output / 'logs'}")


if __name__ == "__main__":
    main()
