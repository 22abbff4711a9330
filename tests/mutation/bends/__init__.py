"""Conditional bends: a public function that is wrong only where a condition holds, and by little.

``conditions`` and ``changes`` are what bends are made of, ``bend`` makes and draws them, ``run`` shows them to the
killers. ``python -m tests.mutation --bends`` starts it.
"""
