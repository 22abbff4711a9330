"""Check the Coq proofs: compile them, pin their statements, print their axioms, tie them to the shipped Python.

``python -m qae_theory.formal.tools.check`` runs everything. These modules prove nothing themselves.
"""
