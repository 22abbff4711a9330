"""Other libraries' bars are off where a command loads a model, in the processes that it starts too."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADS = (
    "from llm_validation.common.quiet import quiet_bars\n"
    "{first}\n"
    "from transformers.utils import logging\n"
    "print(logging.is_progress_bar_enabled())\n"
)


@pytest.mark.train
@pytest.mark.parametrize(("first", "shown"), [("quiet_bars()", "False"), ("", "True")])
def test_transformers_shows_no_bar_after_it(monkeypatch: pytest.MonkeyPatch, first: str, shown: str) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    code = LOADS.format(first=first)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == shown


def test_a_users_own_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from llm_validation.common.quiet import quiet_bars

    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "0")
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "0")
    quiet_bars()
    assert os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == "0"
