"""Estimate memory, time and GPU hours of a run, each with its formula and assumptions, for ``qae cluster plan``.

Nothing here measures anything: the formulas are held against published figures (``published``) and counted tensors.
"""
