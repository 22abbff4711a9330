"""Wrong usage of every command, as it happens: one line that names the remedy, status 2, and nothing is touched.

The commands run as the console script runs them, the parser's own refusals among them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from qae_theory import cli

# What is typed, and what the line has to say: the argument and what would be right.
WRONG = (
    # qae itself
    (("veryfy",), r"no command 'veryfy'; the commands are audit, .*; did you mean verify\?"),
    (("--verison",), r"no option --verison; `qae --help` .*; did you mean --version\?"),
    (("nonsense",), r"no command 'nonsense'; the commands are audit, check-estimator, cluster"),
    # verify
    (("verify", "EQ4-FLOAT"), r"CLAIM must be .*`qae verify --list`.*; did you mean eq4-float\?"),
    (("verify", "eq4_float"), r"got 'eq4_float'; did you mean eq4-float\?"),
    (("verify", "no-such-claim-at-all"), r"CLAIM must be the id of a claim, which `qae verify --list` shows"),
    (("verify", "--quik"), r"no option --quik; .*did you mean --quick\?"),
    (("verify", "--jobs", "0"), r"--jobs must be >= 1; got '0'"),
    (("verify", "--jobs", "many"), r"--jobs must be an integer; got 'many'"),
    (("verify", "--jobs"), r"qae verify: --jobs must have a value"),
    (("verify", "--seed", "-1"), r"--seed must be >= 0; got '-1'"),
    (("verify", "--out", "{here}/file"), r"--out must be a folder; '.*/file' is a file"),
    (("verify", "--out", "{here}/file/in/it"), r"--out must be a folder that can be written; .*/file' is a file"),
    (("verify", "--json", "{here}"), r"--json must be a file; '.*' is a folder"),
    # simulate
    (("simulate",), r"name an experiment, or --all; --list shows them"),
    (("simulate", "ksweep"), r"EXPERIMENT must be one of .*; got 'ksweep'; did you mean k-sweep\?"),
    (("simulate", "K-Sweep"), r"did you mean k-sweep\?"),
    (("simulate", "k-sweep", "--set", "seeds=x"), r"--set must be KEY=VALUE with a value of TOML, text in quotes"),
    (("simulate", "k-sweep", "--set", 'seeds="x"'), r"seeds must be an integer; got 'x'"),
    (("simulate", "k-sweep", "--set", "seeds=1.5"), r"seeds must be an integer; got 1\.5"),
    (("simulate", "k-sweep", "--set", "sead=1"), r"sead is not a field .*; did you mean .*seed"),
    (("simulate", "k-sweep", "--set", "level=nan"), r"level must be a number; got nan"),
    (("simulate", "k-sweep", "--config", "{here}/none.toml"), r"none\.toml' cannot be read: No such file"),
    (("simulate", "k-sweep", "--config", "{here}/file"), r"configuration '.*/file' cannot be read"),
    (("simulate", "sparsity", "--config", "{here}/wrong.toml"), r"group_size must be .*>= \d+; got 0"),
    (("simulate", "channels", "--rules", "gpro"), r"method must be one of .*; got 'gpro'.*; did you mean .*grpo\?"),
    (("simulate", "k-sweep", "--rules", "qae"), r"--rules is not for experiment 'k-sweep'"),
    (("simulate", "k-sweep", "--backend", "slurm"), r"--backend must be loky or ray; got 'slurm'"),
    (("simulate", "k-sweep", "--workers", "x"), r"--workers must be an integer; got 'x'"),
    (("simulate", "k-sweep", "--out", "{here}/file/in"), r"--out must be a folder that can be written"),
    # train
    (("train", "--estimator", "qea"), r"estimator must be one of .*; got 'qea'; did you mean qae\?"),
    (("train", "--set", "groupsize=8"), r"groupsize is not a field .*; did you mean group_size\?"),
    (("train", "--set", "group_size=1"), r"group_size must be >= 2; got 1"),
    (("train", "--set", "group_size=true"), r"group_size must be .*; got True"),
    (("train", "--model", "tinny"), r"model must be a preset \(.*\).*; got 'tinny'; did you mean tiny\?"),
    (("train", "--resume-from", "begin"), r"--resume-from must be newest, previous or start; got 'begin'"),
    (("train", "--k", "1.5"), r"k must be a rational number strictly between 0 and 1"),
    (("train", "--out", "{here}/file"), r"--out must be a folder"),
    # validate, probe, evaluate
    (("validate", "--preset", "quik"), r"preset must be one of .*; got 'quik'; did you mean quick\?"),
    (("validate", "--only", "trian"), r"--only must be one of train, follow, probe; got 'trian'; did you mean train\?"),
    (("validate", "--quick", "--preset", "gpu"), r"--quick is --preset quick; got --preset gpu"),
    (("validate", "--set", "arms=3"), r"arms must be a list; got 3"),
    (("probe",), r"MODEL must be given; `qae probe --help`"),
    (("probe", "smal"), r"model must be a preset .*; got 'smal'; did you mean small\?"),
    (("probe", "tiny", "--arms", "gpro"), r"arm must be one of .*; got 'gpro'; did you mean grpo\?"),
    (("evaluate", "tiny"), r"--task must be given"),
    (("evaluate", "tiny", "--task", "digits", "--k", "a"), r"--k must be whole numbers with commas"),
    (("evaluate", "tiny", "--task", "digits", "--samples", "0"), r"samples must be >= 1; got 0"),
    (("evaluate", "tiny", "--task", "digits", "--split", "evall"), r"split must be 'train' or 'eval'; .*mean eval\?"),
    # audit
    (("audit",), r"LOGS must be at least one file or folder, or --demo instead"),
    (("audit", "{here}/none"), r"LOGS must be a file or folder that is there"),
    (("audit", "--demo", "--fail-on", "critcal"), r"--fail-on must be one of .*; did you mean critical\?"),
    (("audit", "--demo", "--json", "{here}"), r"--json must be a file that can be written"),
    (("audit", "--demo", "--estimator", "gpro"), r"estimator must be one of .*; did you mean grpo\?"),
    (("audit", "--demo", "--group-size", "0"), r"--group-size must be >= 1; got '0'"),
    # figures, report
    (("figures", "figure-1"), r"NAME must be one of figure_1, .*; got 'figure-1'; did you mean figure_1\?"),
    (("figures", "--out", "{here}/file"), r"--out must be a folder"),
    (("report", "--results", "{here}/none"), r"no ledger in .*; make one: qae verify --json results/ledger\.json"),
    (("report", "--out", "{here}/file/in"), r"--out must be a folder that can be written"),
    # check-estimator
    (("check-estimator", "numpy:mean"), r"--estimator must be given"),
    (("check-estimator", "numpy", "--estimator", "grpo"), r"MODULE:FUNCTION must name a module and a function in it"),
    (("check-estimator", "numpy:mean", "--estimator", "gpro"), r"estimator must be one of .*; did you mean grpo\?"),
    (("check-estimator", "no_such:f", "--estimator", "grpo"), r"MODULE:FUNCTION 'no_such:f' cannot be loaded"),
    (("check-estimator", "numpy:mean", "--estimator", "grpo", "--adapter", "vrl"), r"--adapter must be one of verl"),
    # cluster
    (("cluster", "plann"), r"qae cluster: no command 'plann'; .*; did you mean plan\?"),
    (("cluster", "plan", "qwen3-8b-clip-hihger"), r"experiment must be one of .*; did you mean qwen3-8b-clip-higher"),
    (("cluster", "collect"), r"SOURCE must be given"),
    (("cluster", "collect", "{here}", "--steps", "9-1"), r"--steps must be one step or the first and the last"),
    (("cluster", "launch", "smoke-qae"), r"give one of --ray ADDRESS and --slurm"),
    (("cluster", "data", "digits", "--out", "{here}/file"), r"--out must be new, or --force given"),
    # env
    (("env", "extra"), r"unexpected extra argument"),
)
MOST = 1200  # characters; the list of the paper's rows is the longest


def test_there_are_fifty_of_them() -> None:
    assert len(WRONG) >= 50
    assert len({arguments for arguments, _ in WRONG}) == len(WRONG)


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=[" ".join(arguments) or "qae" for arguments, _ in WRONG])
def test_wrong_usage_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    (tmp_path / "file").write_text("no TOML = = =\n", encoding="utf-8")
    (tmp_path / "wrong.toml").write_text("[common.update]\ngroup_size = 0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("QAE_RESULTS", raising=False)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    status, output, error = run(monkeypatch, capsys, *(part.format(here=tmp_path) for part in arguments))
    assert status == 2
    assert output == ""
    assert "Traceback" not in error
    assert len(error.splitlines()) == 1
    assert error.startswith("qae")
    assert len(error) < MOST
    assert re.search(says, error), error
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int | str | None, str, str]:
    """Return status, output and error output of the console script with these arguments."""
    monkeypatch.setattr(sys, "argv", ["qae", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    written = capsys.readouterr()
    return ended.value.code, written.out, written.err


@pytest.mark.parametrize("arguments", [(), ("cluster",)])
def test_without_a_command_the_help_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    status, output, error = run(monkeypatch, capsys, *arguments)
    assert status == 2
    assert "Usage: qae" in output
    assert error == ""


def test_right_usage_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The negative control: what is right is not refused."""
    status, output, error = run(monkeypatch, capsys, "simulate", "--list")
    assert (status, error) == (0, "")
    assert "k-sweep" in output
