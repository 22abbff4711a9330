"""Tests, a folder for each package; ``ROOT`` is the checkout that they are in."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
