"""Tests of the package, module by module."""

import sys
from typing import Any

import qae_theory.objective  # noqa: F401  (loads the modules that the package itself does not)


def shipped(name: str) -> Any:
    """A module of the package, also where the package's attribute of that name is a function."""
    return sys.modules[f"qae_theory.{name}"]
