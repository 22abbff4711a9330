"""Judge the paper's tables and figures by collected runs and by criteria fixed before any run.

``collect`` makes the records that are judged here; the ledger of ``qae_theory.claims`` shows the verdicts.
"""
