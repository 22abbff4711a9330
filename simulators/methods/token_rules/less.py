"""LESS: runs of confident tokens count by which outcomes they lead to, and not at all where they lead to both."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, TokenBatch, finite_number, register_method
from simulators.methods.token_rules import runs

SOURCE = "released code of arXiv 2512.00908 (QWE-CXZ/LESS, recipe/less/revise_advantage.py)"
LEVEL, LEAST_RUN = 0.8, 5  # as released: quantile of a response's entropies, and least length of a run


def less(level: Any = LEVEL, least_run: Any = LEAST_RUN, **options: Any) -> Method:
    r"""Return GRPO's advantage, with weights in [0, 1] by the group's correct and wrong responses, n+ and n-.

    h is the entropy of rank round(``level`` x length) of the response's own tokens, counted from 0 and kept below its
    length. A token with H > h keeps the weight 1. All others get 1/n+ in a correct response and 1/n- in a wrong one. A
    run is a stretch of neighbouring tokens with H < h. A run of ``least_run`` tokens or more that recurs within a run
    of another response is set to 0 wherever it occurs if responses of both outcomes have it. Otherwise its tokens get
    c/n+ or c/n- where that is more, with c responses that have it.

    Of runs that contain one another the shortest counts, as released. The released code finds them in the order of the
    batch and may miss holders; here all responses that have the run within one of their own are found, and 0 is final.

    With two responses of different outcome and no run that recurs, every weight is 1: GRPO. In a bandit no token has
    H < h, and weights are 1/n+ and 1/n-. In larger groups the weights add up to less than the number of tokens, so that
    steps are shorter than GRPO's and should be compared at equal progress.

    Args:
        level: of a response's entropy quantile, in [0, 1].
        least_run: least length of a run, an integer >= 1. Trees of fewer than 5 tokens need a shorter one than the
            released 5.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: released code of arXiv 2512.00908.
    """
    quantile = finite_number("level", level, least=0.0, most=1.0)
    if isinstance(least_run, bool) or not isinstance(least_run, int) or least_run < 1:
        checks.refuse("least_run", least_run, "an integer >= 1")

    def weights(batch: TokenBatch) -> Array:
        """Return the weight of each token, ``[..., Q, G, T]``."""
        assert batch.context is not None  # the engine gives it
        tree, responses = batch.context.tree, batch.context.responses
        exists = tree.token_mask[responses]
        right = batch.context.verdicts == 1
        limit = entropy_limits(batch.entropies, exists, quantile)
        symbols = tree.cells[responses] % tree.actions
        high, low = batch.entropies > limit, exists & (batch.entropies < limit)
        return weights_of_runs(symbols, high, low, right, least=least_run)

    grpo = estimator_method("grpo", **options)
    return Method(
        name="less",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        token_weights=weights,
    )


def weights_of_runs(symbols: Array, high: Array, low: Array, right: Array, *, least: int) -> Array:
    """Return the weight of each token, ``[..., G, T]``.

    Args:
        symbols: of the tokens, ``[..., G, T]``.
        high: which tokens have an entropy above the quantile and keep the weight 1, of the same shape.
        low: which tokens have one below it and make up runs, of the same shape.
        right: whether a response is correct, ``[..., G]``.
        least: least length of a run.
    """
    # How many responses of the group share a response's outcome.
    peers = np.where(right, right.sum(axis=-1, keepdims=True), (~right).sum(axis=-1, keepdims=True))[..., None]
    base = np.where(high, 1.0, 1.0 / peers)
    shared = runs.recurring(symbols, low, right, least=least)
    return np.where(shared.both, 0.0, np.maximum(base, shared.holders / peers))


def entropy_limits(entropies: Array, exists: Array, level: float) -> Array:
    """Return h of each response, ``[..., T] -> [..., 1]``.

    Args:
        entropies: of the tokens' nodes.
        exists: where there is a token, of the same shape.
        level: of the quantile.
    """
    ordered = np.sort(np.where(exists, entropies, np.inf), axis=-1)
    # Python's rounding, halves to even, is the released one.
    rank_of_length = np.array([max(min(round(n * level), n - 1), 0) for n in range(exists.shape[-1] + 1)])
    return np.asarray(np.take_along_axis(ordered, rank_of_length[exists.sum(axis=-1)][..., None], axis=-1))


def register() -> None:
    """Register the rule under its name."""
    defaults = get_estimator("grpo").defaults
    register_method("less", less, source=SOURCE, level=LEVEL, least_run=LEAST_RUN, **defaults)
