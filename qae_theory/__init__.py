"""The mathematics of Quantile Advantage Estimation: definitions, exact expectations, bounds, proofs and the ledger.

Loads no torch and no sibling package. Proofs are in ``qae_theory.proofs``, verdicts in ``qae_theory.claims``.
"""

from qae_theory.advantages import advantages, estimator_names, register_estimator
from qae_theory.baselines import quantile_baseline
from qae_theory.entropy_change import (
    entropy_change,
    entropy_change_bounds,
    entropy_change_enclosure,
    first_order_entropy_change,
    safe_step_size,
    second_order_entropy_change,
)
from qae_theory.group_expectation import expected_entropy_change, expected_gain
from qae_theory.softmax import entropy, probabilities, self_covariance
from qae_theory.updates import update_direction

__all__ = [
    "advantages",
    "entropy",
    "entropy_change",
    "entropy_change_bounds",
    "entropy_change_enclosure",
    "estimator_names",
    "expected_entropy_change",
    "expected_gain",
    "first_order_entropy_change",
    "probabilities",
    "quantile_baseline",
    "register_estimator",
    "safe_step_size",
    "second_order_entropy_change",
    "self_covariance",
    "update_direction",
]
