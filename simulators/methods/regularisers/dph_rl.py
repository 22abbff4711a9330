"""DPH-RL: queries that the reference has mastered are held to its own correct answers, and get no reward term."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Context, Memory, Method, TokenBatch, finite_number, register_method
from simulators.tabular import kernels
from simulators.tabular.groups import sampled_groups
from simulators.tabular.policy import response_log_probs, sampled_token_values

SOURCE = "arXiv 2509.07430 (DPH-RL) and its released code (seamoke/DPH-RL)"
COEFFICIENT, ALPHA, SAMPLES = 0.01, 0.2, 8  # as released


def dph_rl(
    divergence: Any = "forward",
    coefficient: Any = COEFFICIENT,
    alpha: Any = ALPHA,
    samples: Any = SAMPLES,
    **options: Any,
) -> Method:
    r"""Return GRPO's advantage, but a divergence from the reference on queries that the reference has mastered.

    Before the first update the reference answers every query ``samples`` times. Where all answers are correct they are
    stored, and the query has no reward term from then on but the mean of :math:`-c\,f(u)` over the stored tokens, with
    :math:`u = \pi/\pi_{ref}` of a token and

    * ``forward``: :math:`f = u - 1 - \log u`, whose mean under the reference is :math:`KL(\pi_{ref}\|\pi)`,
    * ``js``: :math:`f = u\log u - (u + 1)\log\frac{u+1}2`,
    * ``alpha``: :math:`f = \frac{u^{1-\alpha} - (1-\alpha)u - \alpha}{\alpha(\alpha - 1)}`.

    All other queries have GRPO's advantage, clip range .2/.28 and no KL. Where no query is mastered the rule is GRPO.
    In a tabular policy queries share no parameters: a mastered query whose policy is the reference has a gradient of 0
    and stays there. The released code cuts f off at 10 for ``forward``; it is not cut off here.

    Args:
        divergence: ``forward``, ``js`` or ``alpha``.
        coefficient: c, finite and >= 0; .01 as released, .01 to .2 in the paper.
        alpha: of the alpha-divergence, in (0, 1).
        samples: number of stored answers a query, an integer >= 1.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2509.07430; released code, ``dp_actor.py`` and ``core_algos.py``.
    """
    pull = PULLS[checks.choice("divergence", divergence, tuple(PULLS))]
    weight = finite_number("coefficient", coefficient, least=0.0)
    order = finite_number("alpha", alpha, least=0.0, most=1.0, strict=True)
    if order == 1:
        checks.refuse("alpha", alpha, "one finite number > 0 and < 1")
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        checks.refuse("samples", samples, "an integer >= 1")
    grpo = estimator_method("grpo", **options)

    def start(context: Context) -> Memory:
        """Return stored answers ``[..., Q, samples]``, and which queries are mastered, ``[..., Q]``.

        Correctness is the truth, whatever noise the verifier has.
        """
        probs = np.exp(response_log_probs(context.reference.log_probs, context.tree))
        # A child of each seed's generator draws, so that the groups stay those that any other rule would see.
        children = [rng.spawn(1)[0] for rng in context.rngs]
        answers = sampled_groups(probs, samples, children)
        right = np.take_along_axis(context.arm_rewards, answers, axis=-1)
        return {"answers": answers, "mastered": np.asarray(right.all(axis=-1))}

    def context_advantages(context: Context) -> Array:
        """Return GRPO's advantages, and 0 for mastered queries, ``[..., Q, G]``."""
        return np.where(context.memory["mastered"][..., None], 0.0, grpo.advantages(context.rewards))

    def direction(batch: TokenBatch, _weights: Array) -> Array:
        """Return the divergence's descent direction on the logits of mastered queries, ``[..., Q, N, A]``."""
        assert batch.context is not None  # the engine gives it and the policy
        assert batch.policy is not None
        tree, memory = batch.context.tree, batch.context.memory
        answers = memory["answers"]
        exists = tree.token_mask[answers]
        current = sampled_token_values(batch.policy.log_probs, tree, answers)
        reference = sampled_token_values(batch.context.reference.log_probs, tree, answers)
        counts = exists & memory["mastered"][..., None, None]
        slopes = np.where(counts, pull(current - reference, order), 0.0)
        coefficients = -weight * slopes / exists.sum(axis=(-2, -1), keepdims=True)
        return kernels.push(coefficients, answers, cells=tree.cells, probs=batch.policy.probs)

    return Method(
        name="dph_rl",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        start=start,
        context_advantages=context_advantages,
        direction=direction,
        # What is remembered never changes after the first update.
        remember=lambda context, _after: context.memory,
    )


def forward_pull(log_u: Array, _alpha: float) -> Array:
    r"""Return :math:`u f'(u) = u - 1`, the derivative of ``forward`` in :math:`\log\pi`."""
    return np.asarray(np.expm1(log_u))


def js_pull(log_u: Array, _alpha: float) -> Array:
    r"""Return :math:`u f'(u) = u\log\frac{2u}{u+1}`, the derivative of ``js`` in :math:`\log\pi`."""
    return np.asarray(np.exp(log_u) * (np.log(2) + log_u - np.logaddexp(log_u, 0.0)))


def alpha_pull(log_u: Array, alpha: float) -> Array:
    r"""Return :math:`u f'(u) = (u - u^{1-\alpha})/\alpha`, the derivative of ``alpha`` in :math:`\log\pi`."""
    return np.asarray((np.exp(log_u) - np.exp((1 - alpha) * log_u)) / alpha)


PULLS: Mapping[str, Callable[[Array, float], Array]] = {
    "forward": forward_pull,
    "js": js_pull,
    "alpha": alpha_pull,
}


def register() -> None:
    """Register the rule under its name."""
    register_method(
        "dph_rl",
        dph_rl,
        source=SOURCE,
        divergence="forward",
        coefficient=COEFFICIENT,
        alpha=ALPHA,
        samples=SAMPLES,
        **get_estimator("grpo").defaults,
    )
