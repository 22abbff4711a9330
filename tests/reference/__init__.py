"""Slow, exact references of the public functions: what theory says of each, one plain definition after another.

Groups are worked out in Fractions, policies in flint's ball arithmetic. Nothing here imports the package, so that a
reference and the shipped function can only agree because both are right. Imports are relative: a checkout and a wheel
load this folder under different names.
"""
