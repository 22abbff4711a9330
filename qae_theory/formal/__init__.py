"""Coq proofs of the ledger's theorems, and the tools that check them.

The proofs are in ``theories``; ``README.md`` says how they are written. Nothing here runs when it is imported.
"""
