"""Compute figures of a run that are no findings: shares by K, the advantages' mass, what entropy did."""
