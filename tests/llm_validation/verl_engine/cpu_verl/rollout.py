"""A rollout on the CPU: a Ray actor that samples with Transformers, and its adapter in the training workers."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ray
import torch
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica, TokenOutput


def server_name(replica: int) -> str:
    return f"cpu_server_{replica}"


@ray.remote(num_cpus=0)
class Server:
    """Samples one response a call; which one is fixed by step, prompt and how often that prompt was asked before."""

    def __init__(self, path: str, length: int, seed: int) -> None:
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(1)
        self.model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        self.length, self.seed, self.step = length, seed, -1
        self.asked: Counter[tuple[int, ...]] = Counter()

    async def load(self, weights: Mapping[str, torch.Tensor], step: int) -> None:
        """Take the trainer's weights, all of them; the head of a tied model has none of its own."""
        lacking = self.model.load_state_dict(weights, strict=False)
        assert not lacking.unexpected_keys
        assert set(lacking.missing_keys) <= {"lm_head.weight"}
        self.step = step
        self.asked.clear()

    async def generate(
        self, request_id: str, *, prompt_ids: Sequence[int], sampling_params: Mapping[str, Any], **_: Any
    ) -> TokenOutput:
        prompt = tuple(prompt_ids)
        number = self.asked[prompt]
        self.asked[prompt] += 1
        tokens, log_probs = self._sample(prompt, number, sampling_params["temperature"])
        extra = {"global_steps": self.step}
        return TokenOutput(token_ids=tokens, log_probs=log_probs, stop_reason="completed", extra_fields=extra)

    @torch.no_grad()
    def _sample(self, prompt: tuple[int, ...], number: int, temperature: float) -> tuple[list[int], list[float]]:
        name = repr((self.seed, self.step, prompt, number)).encode()
        generator = torch.Generator().manual_seed(int.from_bytes(hashlib.blake2b(name, digest_size=7).digest(), "big"))
        tokens: list[int] = []
        log_probs: list[float] = []
        while len(tokens) < self.length:
            logits = self.model(torch.tensor([[*prompt, *tokens]])).logits[0, -1]
            scores = torch.log_softmax(logits / (temperature or 1.0), dim=-1)
            greedy = temperature == 0
            token = int(scores.argmax() if greedy else torch.multinomial(scores.exp(), 1, generator=generator))
            tokens.append(token)
            log_probs.append(float(scores[token]))
            if token == self.model.generation_config.eos_token_id:
                break
        return tokens, log_probs

    async def sleep(self) -> None:
        pass

    async def wake_up(self) -> None:
        pass


class Adapter(BaseRollout):
    """In each training worker: its ``update_weights`` gets what verl's engine gathers, and hands it on."""

    async def resume(self, tags: list[str]) -> None:
        pass

    async def release(self) -> None:
        pass

    async def update_weights(
        self, weights: Iterable[tuple[str, torch.Tensor]], global_steps: int = 0, **_: Any
    ) -> None:
        copies = {name: tensor.detach().float().clone() for name, tensor in weights}  # every rank gathers
        if int(os.environ["RANK"]) == 0:
            await ray.get_actor(server_name(0)).load.remote(copies, global_steps)


class Replica(RolloutReplica):
    async def launch_servers(self) -> None:
        server = Server.options(name=server_name(self.replica_rank)).remote(
            self.model_config.path, self.config.response_length, self.config.seed
        )
        await server.wake_up.remote()
        self.servers = [server]
        self._server_handle, self._server_address = server, f"cpu:{self.replica_rank}"
