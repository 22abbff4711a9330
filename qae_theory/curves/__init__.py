"""Qualitative shapes of the paper's figures: what is read off training curves, by criteria fixed before looking."""
