"""The error of a verifier that cannot be trusted or cannot run."""

from __future__ import annotations


class VerifierError(RuntimeError):
    """A verifier that cannot be trusted or cannot run; the message is one line."""
