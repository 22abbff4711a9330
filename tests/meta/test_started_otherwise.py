"""Tests do not depend on how pytest was started: ignored signals, terminal, locale, environment variables."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests import ROOT

# Interrupts, the width of a terminal, colours and the results folder each decide something in these.
CHOSEN = ("tests/qae_theory/commands/test_verify.py", "tests/qae_theory/runs/test_folders.py")
HOSTILE = {
    "COLUMNS": "20",
    "FORCE_COLOR": "1",
    "GITHUB_ACTIONS": "true",
    "LC_ALL": "C",
    "NO_COLOR": "1",
    "QAE_RESULTS": "/nowhere",
    "TERM": "dumb",
}


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.slow
def test_hostile_beginnings_change_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *CHOSEN],
        cwd=ROOT,
        env={**os.environ, **HOSTILE},
        preexec_fn=_ignore_signals,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:]
