"""All that knows TRL's hook for rollouts: `rollout_func`, the generation of its trainer, and advantages by token.

`rollout_func` is marked as experimental in TRL 1.16, and `_generate_single_turn` (used for vLLM only) is private; a
test holds both against the installed version. Rows, players and games know nothing of TRL.

TRL takes one row for each prompt, each prompt `group_size` times in a row. What is played does not come from the
prompts, which are numbers only, but from the mix, which knows what was learned so far.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.utils import gather_object
from transformers import TrainerCallback
from trl.models.utils import unwrap_model_for_generation
from trl.trainer.grpo_trainer import GRPOTrainer

from playpen_eval.episode import Episode
from playpen_eval.errors import UserError

from .chat import Chat
from .clocks import Clock, TimedChat, TimedPlayer
from .config import GRPO
from .mix import Mix, Report, Unit, merged
from .partners import SELF
from .players import Player
from .rollout import FAILED, Settings, one_part_each, play
from .rows import Row
from .sampler import HFSampler, Sample

STATE = "rollouts.json"
"""File of a checkpoint that says what is played next."""


class TrainerSampler(Clock):
    """The model as it is now, by transformers' generate or by the trainer's vLLM."""

    def __init__(self, trainer: GRPOTrainer, chat: Chat, config: GRPO):
        """Args: TRL's trainer; the learner's template; the recipe."""
        super().__init__()
        self._trainer, self._chat, self._config = trainer, chat, config

    def generate(
        self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, temperature: float, seed: int
    ) -> list[Sample]:
        """As `Sampler.generate`; vLLM has the trainer's temperature, and seeds of its own."""
        with self.running():
            if self._config.vllm != "none":
                return self._vllm(prompts, max_new_tokens)
            with unwrap_model_for_generation(self._trainer.model_wrapped, self._trainer.accelerator) as model:
                limits = {"batch_size": self._config.generate_batch, "batch_tokens": self._config.generate_tokens}
                sampler = HFSampler(model, self._chat.stops, **limits)
                return sampler.generate(prompts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)

    def _vllm(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[Sample]:
        self._trainer.vllm_generation.max_completion_length = max_new_tokens
        ids, logprobs = self._trainer._generate_single_turn([list(prompt) for prompt in prompts], None, {}, 1)
        return [Sample(list(one), list(probs)) for one, probs in zip(ids, logprobs or (), strict=True)]


class Rollouts:
    """TRL's `rollout_func`: plays the next units and returns their rows.

    Attributes:
        rows: The rows of the last batch.
        seconds: Of the last batch: `generate`, `partner`, `template` (texts to tokens and back), `game` (all the rest).
        solved: For many batches in a row all games were won, so there is nothing left to learn.
    """

    def __init__(self, config: GRPO, mix: Mix, chat: Chat, make_partner: Callable[[Any], Player | None]):
        """Args: the recipe; what is played; the learner's template; makes the partner from the trained model."""
        self._config, self._mix, self._chat, self._make_partner = config, mix, chat, make_partner
        self._partner: Player | None = None
        self._ready = False
        self._batches = 0
        self.rows: list[Row] = []
        self.seconds: dict[str, float] = {}
        self.solved = False
        self._forgotten = 0

    def __call__(self, prompts: list[Any], trainer: GRPOTrainer) -> dict[str, Any]:
        """Plays.

        Args:
            prompts: Each one `group_size` times in a row; only their number counts.
            trainer: TRL's trainer.

        Raises:
            UserError: For many batches in a row nothing could be learned.
        """
        size = self._config.group_size
        if any(len(set(prompts[start : start + size])) != 1 for start in range(0, len(prompts), size)):
            raise RuntimeError("this version of TRL no longer hands each prompt over group_size times in a row")
        if not self._ready:
            self._partner = self._make_partner(trainer.accelerator.unwrap_model(trainer.model))
            self._ready = True
        process, processes = trainer.accelerator.process_index, trainer.accelerator.num_processes
        units = [self._mix.draw(len(prompts) // size) for _ in range(processes)][process]
        groups = self._play(units, TrainerSampler(trainer, self._chat, self._config), f"{self._batches}/{process}")
        self._batches += 1
        self._mix.tell(merged(gather_object([self._report(groups)])))
        self.solved = self._mix.barren >= self._config.patience and self._mix.solved
        if self._mix.barren >= self._config.patience and not self.solved:
            raise UserError(
                f"nothing could be learned from the last {self._mix.barren} batches, all episodes of a group had the "
                f"same reward ({self._mix.describe()}); warm the model up by SFT, or take other games or instances"
            )
        self.rows = flat = [row for group in groups for row in group]
        return {
            "prompt_ids": [row.prompt_ids for row in flat],
            "completion_ids": [row.completion_ids for row in flat],
            "env_mask": [row.mask for row in flat],
            "logprobs": [row.logprobs for row in flat] if self._config.vllm != "none" else None,
            # A further list reaches the reward function, and the inputs of _generate_and_score_completions.
            "row": list(range(len(flat))),
        }

    def _play(self, units: Sequence[Unit], sampler: TrainerSampler, name: str) -> list[list[Row]]:
        """The rows of each group, in the order of the units and their seats."""
        config = self._config
        everybody = config.partner == SELF or config.learner == "self"
        plays = [unit for unit in units for _ in range(config.group_size)]
        episodes = [Episode(unit.game, unit.instance) for unit in plays]
        settings = Settings(
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            max_context=config.max_length,
            seed=f"grpo/{config.seed}/{name}",
            shaping=config.reward,
            partner=config.partner,
        )
        seats = [unit.game.roles if everybody else unit.seats for unit in plays]
        whole, chat, partner = Clock(), TimedChat(self._chat), TimedPlayer(self._partner) if self._partner else None
        with whole.running():
            rows = play(episodes, seats, sampler, cast("Chat", chat), settings, partner)
        parts = {"generate": sampler, "partner": partner, "template": chat}
        self.seconds = {name: clock.seconds if clock else 0.0 for name, clock in parts.items()}
        self.seconds["game"] = whole.seconds - sum(self.seconds.values())
        self._forgotten = sum(row.meta.part > 0 for row in rows)
        if config.forgotten == "draw":
            rows = one_part_each(rows, settings.seed)
        else:
            rows = [row for row in rows if row.meta.part == 0]
        found = {(row.meta.episode, row.meta.seat): row for row in rows}
        names = iter(f"{settings.seed}/{number}" for number in range(len(plays)))
        groups = []
        for unit in units:
            mine = [next(names) for _ in range(config.group_size)]
            groups += [[found[episode, seat] for episode in mine] for seat in unit.seats]
        return groups

    def _report(self, groups: Sequence[Sequence[Row]]) -> dict[str, Report]:
        reports: dict[str, Report] = defaultdict(Report)
        for rows in groups:
            report = reports[rows[0].meta.game]
            told = [row for row in rows if row.meta.kind != FAILED]
            report.episodes += len(told)
            report.successes += sum(row.meta.kind == "success" for row in told)
            report.groups += 1
            report.usable += _differ(rows)
        return dict(reports)

    def reward(self, row: list[int], log_metric: Callable[[str, float], None], **_: Any) -> list[float | None]:
        """TRL's reward function: the rows' own rewards; None takes a row out of its group's baseline."""
        for name, value in self._figures(self.rows).items():
            log_metric(name, value)
        return [self.rows[place].reward for place in row]

    def _figures(self, rows: Sequence[Row]) -> dict[str, float]:
        """What is logged of a batch."""
        figures = {f"seconds/{name}": value for name, value in self.seconds.items()}
        figures["forgotten_rows"] = float(self._forgotten)
        games: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            games[row.meta.game].append(row)
        size = self._config.group_size
        groups = [rows[start : start + size] for start in range(0, len(rows), size)]
        for name, mine in games.items():
            told = [row for row in mine if row.meta.kind != FAILED]
            rewards = [row.reward for row in mine if row.reward is not None]
            own = [group for group in groups if group[0].meta.game == name]
            said = [
                -probability
                for row in mine
                for probability, mask in zip(row.logprobs or (), row.mask, strict=False)
                if mask
            ]
            shares = {
                "reward": (sum(rewards), len(rewards)),
                "success": (sum(row.meta.kind == "success" for row in told), len(told)),
                "aborted": (sum(row.meta.kind == "aborted" for row in told), len(told)),
                "failed": (len(mine) - len(told), len(mine)),
                "zero_variance": (sum(not _differ(group) for group in own), len(own)),
                "length": (sum(sum(row.mask) for row in mine), len(mine)),
                # The mean surprise of what was sampled estimates the entropy.
                "entropy": (sum(said), len(said)),
                "held_back": (float(self._mix.held_back(name)), 1),
            }
            figures |= {f"game/{name}/{key}": total / count for key, (total, count) in shares.items() if count}
        return figures

    def state(self) -> dict[str, Any]:
        """JSON data; `restore` continues from it."""
        return {"batches": self._batches, "mix": self._mix.state()}

    def restore(self, checkpoint: Path) -> None:
        """Continues from a checkpoint."""
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        self._batches = state["batches"]
        self._mix.restore(state["mix"])


def _differ(rows: Sequence[Row]) -> bool:
    return len({row.reward for row in rows if row.reward is not None}) > 1


class RolloutTrainer(GRPOTrainer):
    """TRL's trainer with credit by turn, and the divergence by game in the log."""

    recipe: GRPO
    rollouts: Rollouts

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        rows = [self.rollouts.rows[one["row"]] for one in inputs]
        if self.recipe.per_turn != "none":
            output["advantages"] = turn_advantages(output["advantages"], rows, output["completion_ids"], self.recipe)
        if output.get("ref_per_token_logps") is not None:
            for name, value in _divergence(output["ref_per_token_logps"], rows).items():
                self._metrics["train"][f"game/{name}/kl"].append(value)
        return output


def turn_advantages(advantages: Any, rows: Sequence[Row], ids: Any, config: GRPO) -> Any:
    """Advantages of each token instead of each row.

    Args:
        advantages: One for each row, not scaled.
        rows: The rows.
        ids: Token ids of the padded completions, for the shape.
        config: `per_turn` says how. `return_to_go` keeps the one baseline of the group (one for each turn would be
            biased where the policy decides how many there are) and takes off what was paid for earlier turns.
    """
    spread = torch.zeros(ids.shape, dtype=advantages.dtype, device=advantages.device)
    for place, row in enumerate(rows):
        if row.reward is None or not row.turn_rewards:
            continue
        last = len(row.turn_rewards) - 1
        before = [config.reward.credit * sum(row.turn_rewards[:turn]) for turn in range(last + 1)]
        for token, turn in enumerate(row.turn_of):
            if turn < 0:
                continue
            if config.per_turn == "discount":
                spread[place, token] = advantages[place] * config.discount ** (last - turn)
            else:
                spread[place, token] = advantages[place] - before[turn]
    return spread


def _divergence(reference: Any, rows: Sequence[Row]) -> Mapping[str, float]:
    """Mean over the learner's tokens of what the loss adds for the divergence, by game (of this process)."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for place, row in enumerate(rows):
        if row.logprobs is None:
            continue
        mask = torch.tensor(row.mask, dtype=torch.bool)
        gap = (reference[place, : len(row.mask)].float().cpu() - torch.tensor(row.logprobs))[mask]
        sums[row.meta.game][0] += float((gap.exp() - gap - 1).sum())
        sums[row.meta.game][1] += float(mask.sum())
    return {name: total / count for name, (total, count) in sums.items() if count}


class KeepState(TrainerCallback):
    """Saves what is played next with each checkpoint, and logs the seconds of the update."""

    def __init__(self, rollouts: Rollouts):
        """Args: whose state."""
        self._rollouts = rollouts
        self._start = 0.0
        self._updates: list[float] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()
        self._rollouts.seconds = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What was not playing was the update: scoring, gradient and optimizer."""
        self._updates.append(time.perf_counter() - self._start - sum(self._rollouts.seconds.values()))
        control.should_training_stop = control.should_training_stop or self._rollouts.solved

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Adds the mean since the last line."""
        if logs is not None and self._updates:
            logs["seconds/update"] = sum(self._updates) / len(self._updates)
            self._updates.clear()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Writes the state."""
        if state.is_world_process_zero:
            path = Path(args.output_dir, f"checkpoint-{state.global_step}", STATE)
            path.write_text(json.dumps(self._rollouts.state()) + "\n", encoding="utf-8")
