"""The paper's rows as verl configurations, the source of each setting, and the files that a run starts from.

Nothing here starts a run (``jobs``), checks one (``checks``) or says what it costs (``estimate``).
"""
