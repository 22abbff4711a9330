"""Hold the ledger: every claim, its evidence, and the verdict that the evidence allows.

``model`` defines the words, ``ledger`` collects claims and evidence (also from other packages, through the entry-point
group ``qae.evidence``), ``verdict`` computes, ``run`` executes, ``report`` writes.
"""
