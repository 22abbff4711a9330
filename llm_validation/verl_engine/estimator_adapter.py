"""Call an advantage estimator of verl's signature with rewards and group ids, for ``qae check-estimator``.

It runs an estimator and judges nothing; that is done in ``qae_theory.testing``.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from qae_theory.arrays import Array

TOKENS = 3  # of every response; any number does, since verl's estimators sum a response's token-level rewards


def from_verl(estimator: Callable[..., Any], **options: Any) -> Callable[[Array, Array], Array]:
    """Return ``f(rewards, group_ids) -> advantages`` around an estimator of verl.

    The estimator gets ``token_level_rewards`` ``[B, T]`` with the reward on the last token, a ``response_mask`` of
    ones, ``index`` as an array of ids, and a configuration; the advantage of a response is that of its first token.

    Args:
        estimator: as in ``verl.trainer.ppo.core_algos``.
        **options: ``k``, ``std`` and ``eps`` as for the rule, handed on under verl's names: ``algorithm.quantile_k``,
            ``norm_adv_by_std_in_grpo`` and ``epsilon`` where the estimator has it.
    """
    import torch

    # An estimator refuses arguments that it does not name, unless it takes any.
    accepted = set(signature(estimator).parameters)
    config = {"quantile_k": options["k"]} if "k" in options else {}
    divides = options.get("std") != "none"
    named = {"config": config, "norm_adv_by_std_in_grpo": divides, "epsilon": options.get("eps", 1e-6)}
    # An estimator without verl's switches can only get the options through the configuration.
    if "std" in options and not {"norm_adv_by_std_in_grpo"} & accepted:
        config["advantage_std"] = options["std"]
    if "eps" in options and "epsilon" not in accepted:
        config["advantage_eps"] = options["eps"]

    def call(rewards: Array, group_ids: Array) -> Array:
        token_level = torch.zeros((len(rewards), TOKENS), dtype=torch.float32)
        token_level[:, -1] = torch.from_numpy(rewards.astype("float32"))
        advantages, _ = estimator(
            token_level_rewards=token_level,
            response_mask=torch.ones_like(token_level),
            index=group_ids.astype(object),  # verl's `uid` is an array of objects
            **{name: value for name, value in named.items() if name in accepted},
        )
        of_first_token: Array = advantages[:, 0].double().numpy()
        return of_first_token

    return call
