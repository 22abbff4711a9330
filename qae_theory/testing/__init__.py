"""A kit for authors of trainers: hold an advantage estimator of any code to the exact rule.

:func:`check_estimator` tries it on cases in which estimators go wrong and returns the smallest failure of each kind;
:func:`assert_estimator` raises with the first. The package is also a pytest plugin with the fixture
``assert_estimator``, and the command ``qae check-estimator``.
"""

from __future__ import annotations

from qae_theory.testing.check import EstimatorError, Failure, assert_estimator, check_estimator

__all__ = ["EstimatorError", "Failure", "assert_estimator", "check_estimator"]
