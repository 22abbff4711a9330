"""Softmax bandits and token trees, to watch the updates of `qae_theory` over many steps.

Not for language models: those are in `llm_validation`. There is nothing in it yet.
"""
