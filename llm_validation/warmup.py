"""Supervised training of a preset on right answers, until it answers a chosen share of questions right.

RLVR needs a model that is sometimes right. The warmed-up model is kept by the hash of what determines it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llm_validation.config import Warmup
from llm_validation.tasks import Example, get_verifier_for, load_examples, resolve
from qae_theory.results import find_run, write_run

PACKAGES = ("llm_validation",)
CHECKED = 256  # questions sampled at a check: a standard error of at most 3 points
