"""What joblib's tracker would say of things that workers left behind stays unsaid, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from qae_theory.runs.workers import quiet_tracker

# A worker that dies between making a semaphore and telling that it is gone leaves the tracker such a name.
LEAVES_A_NAME = """
from contextlib import nullcontext
from joblib import Parallel, delayed
from qae_theory.runs.workers import quiet_tracker
with {context}():
    assert Parallel(n_jobs=2)(delayed(abs)(x) for x in (-1, -2)) == [1, 2]
from joblib.externals.loky.backend import resource_tracker
resource_tracker.register("/loky-nothing", "semlock")
"""


def said(context: str) -> str:
    command = [sys.executable, "-c", LEAVES_A_NAME.format(context=context)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stderr


def test_the_tracker_is_quiet() -> None:
    assert said("quiet_tracker") == ""
    assert "leaked semlock" in said("nullcontext")


@pytest.mark.parametrize("before", [None, "error::ResourceWarning"])
def test_the_environment_is_as_it_was(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    if before:
        monkeypatch.setenv("PYTHONWARNINGS", before)
    with quiet_tracker():
        assert os.environ["PYTHONWARNINGS"].split(",") == [*([before] if before else []), "ignore:resource_tracker"]
    assert os.environ.get("PYTHONWARNINGS") == before
