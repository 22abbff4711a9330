"""DAPO's soft overlong punishment, which the paper's recipe adds to the reward of a long response."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field, model_validator

from qae_theory.runs.settings import Strict


class Overlong(Strict):
    """The two lengths of DAPO's soft overlong punishment, in tokens.

    Source: arXiv 2503.14476, Eq. 13, with L the ``max_length`` and c the ``cache``.
    """

    max_length: int = Field(ge=1)
    cache: int = Field(ge=1)

    @model_validator(mode="after")
    def _cache_fits(self) -> Overlong:
        if self.cache > self.max_length:
            raise ValueError(f"cache must be at most max_length = {self.max_length}; got {self.cache}")
        return self


def overlong_penalty(lengths: Any, overlong: Overlong) -> Any:
    r"""Return the penalty on the reward of a response of that many tokens, in [-1, 0].

    .. math:: 0 \text{ for } |o| \le L - c, \quad \frac{(L - c) - |o|}{c} \text{ up to } L, \quad -1 \text{ beyond}.

    Source: arXiv 2503.14476, Eq. 13.

    Args:
        lengths: in tokens; a number, or an array of any shape.
        overlong: the lengths L and c.

    Returns:
        The penalties, of the shape of ``lengths``.

    >>> overlong_penalty(np.array([6, 7, 10, 11]), Overlong(max_length=10, cache=4)).tolist()
    [0.0, -0.25, -1.0, -1.0]
    """
    free = overlong.max_length - overlong.cache
    return np.clip((free - np.asarray(lengths)) / overlong.cache, -1.0, 0.0)
