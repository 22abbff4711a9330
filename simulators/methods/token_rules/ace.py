"""ACE: wrong responses that the policy has grown confident in are penalised more."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, TokenBatch, finite_number, register_method
from simulators.tabular.policy import sampled_token_values

SOURCE = "arXiv 2602.21420 (ACE), reconstructed from its abstract"
ALPHA = 1.0  # not given in the abstract: a value to sweep


def ace(alpha: Any = ALPHA, length_normalised: Any = False, **options: Any) -> Method:
    r"""Return GRPO's advantage, where negative advantages grow with the response's confidence shift c.

    :math:`A' = A\,(1 + \alpha\,\mathrm{softplus}(c))` for A < 0, and A otherwise, with
    :math:`c_i = \log\frac{\pi(y_i)}{\pi_{ref}(y_i)}` of the whole response under the policy of the pass. The factor is
    taken as given: no gradient runs through it. At the reference itself every negative advantage is multiplied with
    :math:`1 + \alpha\log 2`, which depends on rewards alone. alpha = 0 is GRPO.

    Reconstructed: the abstract defines c and says that it modulates negative advantages; the factor's form is a
    reading, and neither alpha nor a length normalisation of c is known. Both are to be swept.

    Args:
        alpha: strength of the penalty, finite and >= 0.
        length_normalised: whether c is divided by the response's number of tokens.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2602.21420, abstract; reconstructed.
    """
    strength = finite_number("alpha", alpha, least=0.0)
    if not isinstance(length_normalised, bool):
        checks.refuse("length_normalised", length_normalised, "true or false")

    def weights(batch: TokenBatch) -> Array:
        """Return the factor of each token, the same for all tokens of a response, ``[..., Q, G, T]``."""
        shift = confidence_shift(batch, length_normalised=length_normalised)[..., None]
        # log(1 + e^c) without overflow.
        penalty = 1.0 + strength * np.logaddexp(0.0, shift)
        return np.where(batch.advantages < 0, penalty, 1.0)

    grpo = estimator_method("grpo", **options)
    return Method(
        name="ace",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        token_weights=weights,
    )


def confidence_shift(batch: TokenBatch, *, length_normalised: bool) -> Array:
    r"""Return :math:`c_i = \log\pi(y_i) - \log\pi_{ref}(y_i)` of each response, ``[..., Q, G]`` in nats.

    Args:
        batch: the sampled tokens, with their context.
        length_normalised: whether c is divided by the number of tokens.
    """
    assert batch.context is not None  # the engine gives it
    tree, responses = batch.context.tree, batch.context.responses
    reference = sampled_token_values(batch.context.reference.log_probs, tree, responses)
    exists = tree.token_mask[responses]
    shift = np.where(exists, batch.log_probs - reference, 0.0).sum(axis=-1)
    return np.asarray(shift / exists.sum(axis=-1) if length_normalised else shift)


def register() -> None:
    """Register the rule under its name."""
    defaults = get_estimator("grpo").defaults
    register_method("ace", ace, source=SOURCE, alpha=ALPHA, length_normalised=False, **defaults)
