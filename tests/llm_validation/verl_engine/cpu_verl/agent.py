"""An agent loop whose rollouts have several outputs: a group's first has seven and a point, the others one and none."""

from __future__ import annotations

from typing import Any

from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

NAME = "flipped"
OUTPUTS = 7  # of the rollout that is right


class FlippedAgentLoop(SingleTurnAgentLoop):
    """Speaks as often as the rollout has outputs; the score is the rollout's, and verl copies it to each output."""

    async def run(self, sampling_params: dict[str, Any], **kwargs: Any) -> list[AgentLoopOutput]:
        right = kwargs["session_id"] == 0
        outputs = []
        for _ in range(OUTPUTS if right else 1):
            outputs.append(await super().run(sampling_params, **kwargs))
        outputs[-1].reward_score = 1.0 if right else 0.0
        outputs[-1].extra_fields["reward_extra_info"] = {"acc": right}
        return outputs
