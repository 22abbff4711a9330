"""What every package needs is defined in one place: a second definition of these names fails."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from qae_theory.baselines import DEFAULT_K
from qae_theory.checks import quantile_level
from qae_theory.paper import paper_facts
from tests import ROOT
from tests.meta.house import modules

ONCE = {
    "DEFAULT_K": "qae_theory.baselines",
    "INTERRUPTED": "qae_theory.commands.ending",
    "fail": "qae_theory.commands.ending",
    "plain": "qae_theory.runs.plain",
    "finite_or_none": "qae_theory.runs.plain",
    "RUNGS": "qae_theory.curves.rungs",
    "overlong_penalty": "qae_theory.paper.overlong",
    "Array": "qae_theory.numerics.arithmetic",
}
# Another thing of the same name: what a configuration may take from rewards at most, not the penalty of a response.
ALSO = {"overlong_penalty": "llm_validation.cluster.checks.rewards"}


def definitions(root: Path) -> dict[str, list[str]]:
    """Return the modules that define each name at their top, imports left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for module, path in modules(root).items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found[node.name].append(module)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        found[target.id].append(module)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id].append(module)
    return found


@pytest.fixture(scope="module")
def defined() -> dict[str, list[str]]:
    """Every name that the packages define at the top of a module."""
    return definitions(ROOT)


@pytest.mark.parametrize("name", ONCE)
def test_a_shared_name_is_defined_once(name: str, defined: dict[str, list[str]]) -> None:
    assert [module for module in defined[name] if module != ALSO.get(name)] == [ONCE[name]]


def test_the_default_level_is_the_papers() -> None:
    assert quantile_level(DEFAULT_K) == quantile_level(paper_facts()["training"]["k_default"])


def test_a_second_definition_is_found(tmp_path: Path) -> None:
    for package, text in (
        ("qae_theory", "K = 1\n"),
        ("simulators", "K: int = 2\n"),
        ("llm_validation", "def K(): ...\n"),
    ):
        (tmp_path / package).mkdir()
        (tmp_path / package / "a.py").write_text(text, encoding="utf-8")
    assert sorted(definitions(tmp_path)["K"]) == ["llm_validation.a", "qae_theory.a", "simulators.a"]
