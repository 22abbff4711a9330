"""The house has no folder cycle, no arrow back up and no private import across packages; planted ones are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import ROOT
from tests.meta.house import arrows_back_up, arrows_between_folders, cycles, main, private_imports, style_of

pytestmark = pytest.mark.xdist_group("house")  # they parse the same sources


def test_no_folder_imports_in_a_circle() -> None:
    assert cycles(arrows_between_folders(ROOT)) == []


def test_no_arrow_runs_back_up() -> None:
    assert arrows_back_up(arrows_between_folders(ROOT)) == []


def test_no_private_name_is_imported_across_packages() -> None:
    assert private_imports(ROOT) == []


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A house in which everything is wrong once."""
    files = {
        "qae_theory/__init__.py": "",
        "qae_theory/a/one.py": "def f():\n    from qae_theory.b import two\n",
        "qae_theory/b/two.py": "import qae_theory.c.three\n",
        "qae_theory/c/three.py": "from qae_theory.a.one import f\n",
        "qae_theory/d/four.py": "from simulators.engine import run\n",
        "simulators/engine.py": "from qae_theory.a.one import f, _hidden\n",
        "llm_validation/x.py": "from simulators import engine\n",
        "tests/test_x.py": "from qae_theory._private import g\n",
        "qae_theory/_private.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_planted_faults_are_found(planted: Path) -> None:
    arrows = arrows_between_folders(planted)
    assert cycles(arrows) == [
        ["qae_theory/a", "qae_theory/b", "qae_theory/c"],
    ]
    assert arrows_back_up(arrows) == ["llm_validation -> simulators", "qae_theory/d -> simulators"]
    assert private_imports(planted) == [
        "simulators.engine imports _hidden from qae_theory.a.one",
        "tests.test_x imports _private from qae_theory._private",
    ]


def test_style_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(
        '# A licence.\n\n"""A module."""\n\n# Why.\ndef f(x: int, y):\n    """Return one."""\n'
        "    z = [i for i in x]  # because\n    return z\n"
        '\n\ndef g():\n    """Return two.\n\n    At length.\n    """\n    return 2\n',
        encoding="utf-8",
    )
    style = style_of([path])
    assert style.function_lines == 2.5  # 3 and 2 lines without their docstrings
    assert style.comments == pytest.approx(100 * 2 / 5)
    assert style.comprehensions == pytest.approx(1000 / 5)
    assert (style.one_line_docstrings, style.annotated) == (50, 50)


@pytest.mark.slow
def test_the_picture_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--anchor", "no_such_package"]) == 2
    assert "no_such_package" in capsys.readouterr().err
    assert main(["--anchor", "mdit_py_plugins"]) == 0
    shown = capsys.readouterr().out
    assert "folder cycles: 0" in shown
    assert "mdit_py_plugins " in shown
