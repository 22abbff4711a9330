"""Kernels that look after their own rounding errors: bounds and enclosures that are guaranteed, and the exact change.

They take checked float64 arrays. The public functions are in ``qae_theory.entropy_change``; which rounding errors are
allowed for, and why that is enough, is in ``docs/numerics.md``.
"""
