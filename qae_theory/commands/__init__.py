"""Subcommands of ``qae`` that need only ``qae_theory``, one module each, with a ``register(app)``."""
