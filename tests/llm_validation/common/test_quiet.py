"""Other libraries' bars are off where a command loads a model, in the processes that it starts too."""

from __future__ import annotations

import subprocess
import sys

import pytest

SWITCHES = ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS", "TQDM_DISABLE")
LOADS = (
    "from llm_validation.common.quiet import quiet_bars\n"
    "{first}\n"
    "from tqdm.auto import tqdm\n"
    "from transformers.utils import logging\n"
    "print(logging.is_progress_bar_enabled(), not tqdm([]).disable)\n"
)


@pytest.mark.train
@pytest.mark.parametrize(("first", "shown"), [("quiet_bars()", "False"), ("", "True")])
def test_transformers_shows_no_bar_after_it(monkeypatch: pytest.MonkeyPatch, first: str, shown: str) -> None:
    for switch in SWITCHES:
        monkeypatch.delenv(switch, raising=False)
    code = LOADS.format(first=first)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [shown, shown]


def test_a_users_own_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from llm_validation.common.quiet import quiet_bars

    for switch in SWITCHES:
        monkeypatch.setenv(switch, "0")
    quiet_bars()
    assert [os.environ[switch] for switch in SWITCHES] == ["0"] * len(SWITCHES)
