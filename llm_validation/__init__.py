"""RLVR on Qwen3 held against the theory: tasks, verifiers, training, the entropy probe, evaluation, the study.

Torch and what stands on it are imported inside functions only, so that every module here can be read without them.
"""
