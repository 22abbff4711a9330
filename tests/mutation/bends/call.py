"""See one call of a public function as conditions and changes do: its arguments by name, and what they are."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np


class Call:
    """Hold the arguments of a call by name, options among them, defaults filled in."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = {**arguments, **arguments.get("options", {})}
        self.arguments.pop("options", None)

    def __getitem__(self, name: str) -> Any:
        return self.arguments.get(name)

    @cached_property
    def given(self) -> Any:
        """Return the argument that holds the data."""
        names = ("ratios", "rewards", "logits", "success_prob", "num_correct")
        return next((self.arguments[name] for name in names if name in self.arguments), None)

    @cached_property
    def data(self) -> np.ndarray:
        """Return the data in float64."""
        return np.asarray(self.given, dtype=np.float64)

    @cached_property
    def dtype(self) -> Any:
        """Return the type that the data came in; None for lists and numbers."""
        return getattr(self.given, "dtype", None)

    @property
    def size(self) -> int:
        """Return the last axis of the data, or the size of a group that is given as a number."""
        if "group_size" in self.arguments:
            return int(self.arguments["group_size"])
        return self.arms

    @property
    def arms(self) -> int:
        """Return the last axis of the data, or the number of responses that is given as a number."""
        if "arms" in self.arguments:
            return int(self.arguments["arms"])
        return self.data.shape[-1] if self.data.ndim else 0

    @property
    def axes(self) -> int:
        """Return the number of axes of the data."""
        return self.data.ndim

    @property
    def rows(self) -> int:
        """Return the number of groups or policies."""
        return int(np.prod(self.data.shape[:-1]))

    @property
    def spread(self) -> float:
        """Return the largest range of any row of the data."""
        return float(np.ptp(self.data, axis=-1).max(initial=0.0)) if self.arms else 0.0

    @property
    def level(self) -> Fraction:
        """Return K as a rational."""
        k = self["k"] if self["k"] is not None else "0.4"
        return Fraction(k) if isinstance(k, (str, Fraction)) else Fraction(str(k))

    @property
    def correct(self) -> np.ndarray:
        """Return how many rewards of each row are 1."""
        return np.atleast_1d((self.data == 1).sum(axis=-1))

    @property
    def steps(self) -> np.ndarray:
        """Return the step sizes."""
        return np.atleast_1d(np.asarray(self["step_size"], dtype=np.float64))

    @property
    def probs(self) -> np.ndarray:
        """Return the softmax policy of the data."""
        weights = np.exp(self.data - self.data.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)
