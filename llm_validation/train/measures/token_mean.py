"""Average over exactly the tokens of the loss, over all mini-batches of a step."""

from __future__ import annotations


class TokenMean:
    """Hold the sum of a quantity over tokens, and how many tokens there are.

    TRL logs the mean of its mini-batches' means; where these have different numbers of tokens that is another number.
    """

    def __init__(self) -> None:
        """Begin without any token."""
        self._total, self._tokens = 0.0, 0.0

    def add(self, mean: float, tokens: float) -> None:
        """Take in the mean of a mini-batch over this many tokens."""
        if tokens:
            self._total += mean * tokens
            self._tokens += tokens

    def taken(self) -> float | None:
        """Return the mean over all tokens so far and begin anew; None if there were none."""
        mean = self._total / self._tokens if self._tokens else None
        self._total, self._tokens = 0.0, 0.0
        return mean
