"""The model provider `playpen-scripted`: `--model playpen-scripted/best` plays every game by script, offline."""

from __future__ import annotations

from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo

from playpen_eval.errors import UserError
from playpen_eval.inspect.solver import current_observation
from playpen_eval.players import scripted_reply, scripted_style


@modelapi(name="playpen-scripted")
def playpen_scripted() -> type[ModelAPI]:
    """Scripted players as a model: upper bound (`best`) and rule-breaker (`breaker`) for baselines and tests."""

    class Scripted(ModelAPI):
        def __init__(
            self,
            model_name: str,
            base_url: str | None = None,
            api_key: str | None = None,
            config: GenerateConfig = GenerateConfig(),  # noqa: B008 - the signature that Inspect documents
            **model_args: Any,
        ):
            super().__init__(model_name, base_url, api_key, [], config)
            self.style = scripted_style(f"scripted:{model_name}") or "best"

        async def generate(
            self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
        ) -> ModelOutput:
            observation = current_observation.get(None)
            if observation is None:
                raise UserError("playpen-scripted plays playpen/... tasks only")
            output = ModelOutput.from_content(self.model_name, scripted_reply(observation, self.style))
            # Without usage Inspect counts tokens itself, with a tokenizer that it downloads.
            output.usage = ModelUsage()
            return output

    return Scripted
