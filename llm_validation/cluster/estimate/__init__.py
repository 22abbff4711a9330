"""``qae cluster plan``: memory, time and GPU hours of a run, each with its formula and its assumptions.

Nothing here measures anything: the formulas are held against published figures (``published``) and counted tensors.
"""
