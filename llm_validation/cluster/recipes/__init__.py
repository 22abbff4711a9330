"""Compose the paper's rows as verl configurations, source each setting, and write the files that a run starts from.

Nothing here starts a run (``jobs``), checks one (``checks``) or says what it costs (``estimate``).
"""
