"""A rule of another package is found by its entry point, in a fresh process as in a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import ROOT

RULE = """
from simulators.methods.model.registry import Method, register_method

def make(power):
    return Method("centred_cube", "a test", lambda r: (r - r.mean(-1, keepdims=True)) ** power)

def register():
    register_method("centred_cube", make, source="a test", power=3.0)
"""
BUDGET = """
import numpy as np
from simulators.settings import changed_config
from simulators.experiments import get_experiment
channels = get_experiment("channels")
changes = [{"rules": ["centred_cube", "grpo"], "seeds": 2, "steps": 2, "world": {"queries": 4, "arms": 6}}]
config = changed_config(channels, changes, quick=True)
rows = [row for cell in channels.cells(config) for row in channels.run_cell(cell.settings, np.random.SeedSequence(1))]
print(len(channels.analyse(config, rows)["statements"]))
"""
ASK = """
import numpy as np
from simulators.methods import get_method
from tests import ROOT
from tests import ROOT
print(get_method("centred_cube").advantages(np.array([0.0, 1.0])))
"""


def ask(path: Path, code: str = ASK) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


def test_a_rule_of_another_package(tmp_path: Path) -> None:
    (tmp_path / "my_rules.py").write_text(RULE)
    information = tmp_path / "my_rules-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-rules\nVersion: 1\n")
    without = ask(tmp_path)
    assert "method must be one of" in without.stderr
    (information / "entry_points.txt").write_text("[qae.methods]\nmine = my_rules:register\n")
    assert ask(tmp_path).stdout.strip() == "[-0.125  0.125]"
    budget = ask(tmp_path, BUDGET)
    assert budget.returncode == 0, budget.stderr
    assert int(budget.stdout) > 1  # its entropy budget, channel by channel
