"""QAE in verl: plug-in, trainer with a probe, group advantages in torch, scoring, and one reader of its configuration.

Runs are composed, launched and collected in ``llm_validation.cluster``.
"""
