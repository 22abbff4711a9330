"""Supervised training of a preset on right answers, until it answers a chosen share of questions right.

RLVR needs a model that is sometimes right. The warmed-up model is kept by the hash of what determines it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from llm_validation.common.reuse import THIS_CODE, Reuse, finished_run
from llm_validation.models.presets import build_model, preset_tokenizer
from llm_validation.tasks import Example, load_examples
from qae_theory.runs.folders import write_run
from qae_theory.runs.settings import Positive, Strict

EXPERIMENT = "warm-up"
MODULES = ("llm_validation.models.warmup",)
EXAMPLES = 4096  # questions drawn from, at most
CHECKED = 256  # questions whose right answer's probability is averaged at a check


class Warmup(Strict):
    """Supervised training of a preset before RL: until sampled answers at temperature 1 are right this often.

    It stops at the first check that reaches ``success``; ``max_steps`` without it is an error.
    """

    success: Annotated[float, Field(gt=0, lt=1)] = 0.4
    learning_rate: Positive = 3e-3
    batch_size: int = Field(default=64, ge=1)
    check_every: int = Field(default=10, ge=1)
    max_steps: int = Field(default=4000, ge=1)
    seed: int = Field(default=0, ge=0)


class WarmupError(RuntimeError):
    """The chosen success was not reached."""


def warm_model(preset: str, task: str, warmup: Warmup, *, cache: Path, reuse: Reuse = THIS_CODE) -> Path:
    """Return the folder of a preset trained to ``warmup.success``, made on the first call and found again later.

    Success is the mean probability of the right answer and the end of text, over questions of the task: an expectation
    that needs no sampling.

    Args:
        preset: a name of ``models.PRESETS``.
        task: any source of ``tasks.load_examples``.
        warmup: when to stop, and how to train.
        cache: results folder; the run goes into ``warm-up`` there.
        reuse: which finished runs count.

    Returns:
        The folder of model and tokenizer, as ``save_pretrained`` writes them.

    Raises:
        ValueError: an unknown preset or task.
        WarmupError: ``max_steps`` without reaching the success.
        NotFinishedError: finished runs alone count, and there is none.
    """
    config = {"preset": preset, "task": task, **warmup.model_dump(mode="json")}
    found = finished_run(cache, EXPERIMENT, config, modules=MODULES, reuse=reuse)
    if found is not None:
        return found / "model"
    model, tokenizer = build_model(preset, seed=warmup.seed), preset_tokenizer(preset)
    examples = load_examples(task, split="train", count=EXAMPLES, seed=warmup.seed)
    with write_run(cache, EXPERIMENT, config, seed=warmup.seed, modules=MODULES) as run:
        run.append_metrics(_train(model, tokenizer, examples, warmup))
        model.save_pretrained(run.partial / "model")
        tokenizer.save_pretrained(run.partial / "model")
    return run.folder / "model"


def answer_log_probs(model: Any, tokenizer: Any, examples: Sequence[Example]) -> Any:
    """Return log pi(answer, end of text | prompt) of each example, in nats, [N], with gradient."""
    import torch

    ids, mask, answered = _batch(tokenizer, examples)
    device = next(model.parameters()).device
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), position_ids=positions.to(device)).logits[
        :, :-1
    ]
    taken = torch.log_softmax(logits.float(), -1).gather(-1, ids[:, 1:, None].to(device))[..., 0]
    return (taken * answered[:, 1:].to(device)).sum(-1)


def _train(model: Any, tokenizer: Any, examples: Sequence[Example], warmup: Warmup) -> Iterator[dict[str, Any]]:
    import torch

    rng = np.random.default_rng(warmup.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=warmup.learning_rate, weight_decay=0.0)
    checked = examples[:CHECKED]
    for step in range(warmup.max_steps + 1):
        if step % warmup.check_every == 0 or step == warmup.max_steps:
            with torch.no_grad():
                success = float(answer_log_probs(model, tokenizer, checked).exp().mean())
            yield {"step": step, "success": success}
            if success >= warmup.success:
                return
        chosen = rng.integers(len(examples), size=warmup.batch_size)
        loss = -answer_log_probs(model, tokenizer, [examples[int(i)] for i in chosen]).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    raise WarmupError(f"warm-up reached a success of {success:.3f} in {warmup.max_steps} steps, not {warmup.success}")


def _batch(tokenizer: Any, examples: Sequence[Example]) -> tuple[Any, Any, Any]:
    """Return token ids padded on the left, the attention mask, and which tokens belong to the answer, [N, T] each."""
    import torch

    rows = []
    for example in examples:
        prompt, answer = (
            tokenizer(text, add_special_tokens=False).input_ids for text in (example.prompt, example.answer)
        )
        rows.append((prompt, [*answer, tokenizer.eos_token_id]))
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    answered = torch.zeros((len(rows), width))
    for row, (prompt, answer) in enumerate(rows):
        start = width - len(prompt) - len(answer)
        ids[row, start:] = torch.tensor([*prompt, *answer])
        mask[row, start:] = 1
        answered[row, width - len(answer) :] = 1
    return ids, mask, answered
