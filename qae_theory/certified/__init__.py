"""Kernels whose results are guaranteed although they are computed in float64: bounds, enclosures, certified steps.

They take checked float64 rows. The public functions are in ``qae_theory.entropy_change``; which rounding errors are
allowed for, and why that is enough, is in ``docs/numerics.md``.
"""
