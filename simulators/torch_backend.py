"""Run the fused update of a bandit on a torch device, for a GPU; NumPy's engine is the reference.

The module is optional: torch is imported where it is used. It computes in float64, and only what ``fused.advance``
fuses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.engine import initial_state
from simulators.environments import bandit
from simulators.fused import fused_table
from simulators.update import Update


def train_on_torch(logits: object, arm_rewards: object, update: Update, uniforms: object, device: str = "cpu") -> Array:
    r"""Return logits after on-policy SGD from given uniforms, one sampled group per query and step.

    Each step is :math:`z \leftarrow z + \frac\eta G\sum_i A_i(e_{y_i} - \pi)`.

    Args:
        logits: ``[S, ..., Q, n]``, finite.
        arm_rewards: ``[S, ..., Q, n]``, 0 or 1.
        update: one pass of SGD without norm clipping, with an estimator's advantages of 0/1 rewards.
        uniforms: ``[steps, S, ..., Q, G]`` in [0, 1); one step at a time is copied to the device.
        device: as torch names it, such as "cuda".

    Returns:
        Logits after the last step, ``[S, ..., Q, n]``, on the host.

    Raises:
        ValueError: an argument is wrong, or ``update`` is of another kind; the message names it.

    Source: this suite; the same computation as ``kernels.group_update``.
    """
    import torch

    env = bandit(arm_rewards)
    start = initial_state(logits, env).logits[..., 0, :]
    table = fused_table(env, update)
    if table is None:
        checks.refuse("update", update, "one SGD pass on-policy, no norm clip, with an estimator's advantages of 0/1")
    draws = _checked_uniforms(uniforms, (*start.shape[:-1], update.group_size))
    # The step is written out by hand, so that no graph is kept.
    with torch.no_grad():
        z, rewards, correct, wrong = (
            torch.tensor(np.ascontiguousarray(values), device=device) for values in (start, env.arm_rewards, *table)
        )
        for step_draws in draws:
            group = torch.tensor(step_draws, device=device)
            direction = _direction(torch, z=z, rewards=rewards, correct=correct, wrong=wrong, uniforms=group)
            z = z + update.step_size * direction
        return np.asarray(z.cpu().numpy())


def _direction(torch: Any, *, z: Any, rewards: Any, correct: Any, wrong: Any, uniforms: Any) -> Any:
    """Return the mean of A (e_y - pi) over each query's sampled group, ``[S, ..., Q, n]``.

    The module torch is an argument, because it is not imported at the top. Only two terms are built: -pi times the sum
    of the advantages for all arms, and A/G added at the drawn arms.
    """
    # As in the kernels, the softmax stays undivided and its sum scales the uniform numbers.
    weights = torch.exp(z - z.amax(dim=-1, keepdim=True))
    cumulative = torch.cumsum(weights, dim=-1)
    total = cumulative[..., -1:]
    # The last cumulative weight is left out and the uniform numbers are scaled by the total, as in ``kernels.sample``.
    drawn = torch.searchsorted(cumulative[..., :-1].contiguous(), uniforms * total, right=True)
    is_correct = rewards.gather(-1, drawn)
    count = is_correct.sum(dim=-1, keepdim=True).long()
    advantages = torch.where(is_correct > 0, correct[count], wrong[count]) / uniforms.shape[-1]
    direction = -advantages.sum(dim=-1, keepdim=True) * weights / total
    return direction.scatter_add(-1, drawn, advantages)


def _checked_uniforms(uniforms: object, shape: tuple[int, ...]) -> Array:
    """Return the uniforms as float64 ``[steps, *shape]``, or refuse them where shape, type or range is wrong."""
    draws = np.asarray(uniforms)
    fits = draws.dtype == np.float64 and draws.shape[1:] == shape and draws.ndim == len(shape) + 1
    if not fits or not np.all((draws >= 0) & (draws < 1)):
        checks.refuse("uniforms", uniforms, f"float64 in [0, 1), of shape {('steps', *shape)}")
    return draws
