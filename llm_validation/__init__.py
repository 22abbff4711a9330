"""Tasks, verifiers, rollouts and training engines, to check the theory on language models.

Torch is imported inside functions only. There is nothing in it yet.
"""
