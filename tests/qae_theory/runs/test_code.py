"""The code version of a run: what changes it, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from qae_theory.runs.code import code_version, imported_modules

KERNEL = '"""A kernel."""\n\ndef double(x):\n    """Twice x."""\n    return 2 * x  # exact\n'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `toy_package`: `run` uses `kernel` through `between`; nothing uses `other`."""
    folder = tmp_path / "toy_package"
    folder.mkdir()
    sources = {
        "__init__": "",
        "kernel": KERNEL,
        "between": "def call(x):\n    from toy_package import kernel\n    return kernel.double(x)\n",
        "run": "import numpy as np\nfrom .between import call\n",
        "other": "x = 1\n",
    }
    for name, text in sources.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def version() -> str:
    return code_version(["toy_package.run"])


def test_a_run_depends_on_what_it_imports_at_any_remove_and_inside_functions(package: Path) -> None:
    found = imported_modules(["toy_package.run"])
    assert set(found) == {f"toy_package.{name}" for name in ("run", "between", "kernel")}
    assert found["toy_package.kernel"] == package / "kernel.py"
    assert "toy_package.other" in imported_modules(["toy_package"])  # a package stands for all modules in it


@pytest.mark.parametrize(
    "text",
    [
        KERNEL.replace("# exact", "# rounded never"),
        KERNEL.replace("Twice x.", "Return twice x, which is exact."),
        KERNEL.replace('"""A kernel."""', '"""A kernel that is read by nobody."""'),
        KERNEL.replace("return 2 * x", "return (2 * x)"),
        KERNEL.replace("def double", "\n\n# A new comment.\ndef double"),
    ],
)
def test_comments_docstrings_and_layout_change_nothing(package: Path, text: str) -> None:
    before = version()
    (package / "kernel.py").write_text(text, encoding="utf-8")
    (package / "other.py").write_text("x = 2\n", encoding="utf-8")
    (package / "notes.txt").write_text("no code", encoding="utf-8")
    assert version() == before


@pytest.mark.parametrize(
    "text",
    [
        KERNEL.replace("2 * x", "3 * x"),
        KERNEL.replace("2 * x", "2.0 * x"),
        KERNEL.replace("(x)", "(x, y=0)"),
        KERNEL + "double = abs\n",
        KERNEL.replace('"""Twice x."""', 'print("Twice x.")'),
    ],
)
def test_a_changed_kernel_changes_it(package: Path, text: str) -> None:
    before = version()
    (package / "kernel.py").write_text(text, encoding="utf-8")
    assert version() != before


def test_a_module_that_is_not_there_is_named(package: Path) -> None:
    with pytest.raises(ValueError, match=r"module \'toy_package\.nothing\' cannot be found"):
        code_version(["toy_package.nothing"])


def test_how_runs_are_stored_and_judged_is_no_part_of_what_they_compute() -> None:
    found = imported_modules(["simulators.experiments.k_sweep.cells", "simulators.sweep"])
    assert {
        "qae_theory.advantages",
        "qae_theory.checks",
        "simulators.engine",
        "simulators.methods.token_rules.gspo",
    } <= set(found)
    assert not [name for name in found if name.startswith(("qae_theory.runs", "qae_theory.claims"))]
    assert not [name for name in found if name.startswith("simulators.experiments.stale")]
