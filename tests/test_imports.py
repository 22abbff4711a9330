"""Imports run one way, read from the source, and ``import qae_theory`` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import qae_theory
from tests import ROOT

PACKAGES = ("qae_theory", "simulators", "llm_validation", "paper_figures", "tests")

# What each package may import of the project, besides itself. Paper figures read result files.
ALLOWED: Mapping[str, frozenset[str]] = {
    "qae_theory": frozenset(),
    "simulators": frozenset({"qae_theory"}),
    "llm_validation": frozenset({"qae_theory"}),
    "paper_figures": frozenset({"qae_theory"}),
}
# Never at the top of a module: torch lives inside functions of llm_validation and of the GPU back end of simulators.
HEAVY = frozenset({"torch", "transformers", "trl", "accelerate", "vllm", "verl", "ray", "hydra", "omegaconf"})
# Loaded by verl itself: what it needs of torch and verl may stand at the top.
PLUG_IN = frozenset({"llm_validation/verl_engine/plugin.py", "llm_validation/verl_engine/trainer.py"})
# Calls verl's own estimator in verl's environment, inside a function. Nothing else imports verl.
CALLS_VERL = frozenset({"llm_validation/claims/phantom_advantage.py"})
NEVER: Mapping[str, frozenset[str]] = {
    "qae_theory": HEAVY,
    "simulators": HEAVY - {"torch", "ray"},
    "llm_validation": frozenset(),
    "paper_figures": HEAVY,
}

# The layers of qae_theory, lowest first: a module or folder imports from layers below its own only.
LAYERS = (
    ("numerics",),
    ("arrays",),
    ("array_arguments",),
    ("checks",),
    ("baselines", "softmax"),
    ("advantages", "objective", "updates"),
    ("entropy_change",),
    ("group_expectation",),
    ("__init__",),
)
MATHEMATICS = frozenset(name for layer in LAYERS for name in layer)
FOLDERS = frozenset({"numerics"})  # layers that are folders of kernels
# Claims meet proofs by entry points only, so that any package can bring evidence.
BENEATH = {
    "numerics": {"numerics"},
    "runs": {"arrays", "checks", "runs"},
    "paper": {"runs", "paper"},
    "claims": MATHEMATICS | {"claims", "runs"},
    "curves": MATHEMATICS | {"claims", "curves", "runs"},
    "proofs": MATHEMATICS | {"claims", "formal", "objective", "proofs", *qae_theory.__all__},
    "testing": MATHEMATICS | {"testing"},
    "commands": MATHEMATICS | {"claims", "runs", "testing", "commands", "cli"},
}


def modules(root: Path, package: str) -> list[Path]:
    return sorted((root / package).rglob("*.py"))


def dotted(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(root: Path, path: Path, *, inside_functions: bool = True) -> Iterator[str]:
    """Full names of what a file imports, ``from a import b`` as ``a.b``, relative ones resolved."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = dotted(root, path).split(".") if path.name == "__init__.py" else dotted(root, path).split(".")[:-1]
    for node in ast.walk(tree) if inside_functions else at_the_top(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            start = ".".join(part for part in (base, node.module) if part)
            yield from (f"{start}.{alias.name}" for alias in node.names)


def at_the_top(tree: ast.AST) -> Iterator[ast.AST]:
    """Statements that run on import, those of classes, ``if`` and ``try`` included."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node
            yield from at_the_top(node)


def package_faults(root: Path) -> list[str]:
    """Imports that run against the direction of the design."""
    faults = []
    for package, allowed in ALLOWED.items():
        for path in modules(root, package):
            where = path.relative_to(root).as_posix()
            for name in imports(root, path):
                top = name.split(".")[0]
                if top in PACKAGES and top != package and top not in allowed:
                    faults.append(f"{where} imports {name}")
                if top in NEVER[package] or (top == "verl" and where not in PLUG_IN | CALLS_VERL):
                    faults.append(f"{where} imports {name}")
            faults += [
                f"{where} imports {name} at the top"
                for name in imports(root, path, inside_functions=False)
                if name.split(".")[0] in HEAVY - NEVER[package] and where not in PLUG_IN
            ]
    return faults


def layer_faults(root: Path) -> list[str]:
    """Imports inside qae_theory that do not run downward."""
    faults = []
    level = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    for path in modules(root, "qae_theory"):
        where = path.relative_to(root).as_posix()
        inner = path.relative_to(root / "qae_theory").with_suffix("").parts
        for name in imports(root, path):
            if not name.startswith("qae_theory."):
                continue
            target = name.split(".")[1]
            if len(inner) == 1 and inner[0] in level:  # `from qae_theory import baselines` names a module
                upward = target not in level or level[target] >= level[inner[0]]
            else:
                upward = target not in BENEATH.get(inner[0], {target})
            if upward:
                faults.append(f"{where} imports {name}")
    return faults


def test_packages_import_in_one_direction() -> None:
    assert package_faults(ROOT) == []


def test_modules_of_the_theory_import_downward() -> None:
    assert layer_faults(ROOT) == []


def test_every_module_of_the_mathematics_has_a_layer() -> None:
    beside = {"cli"}
    assert {path.stem for path in (ROOT / "qae_theory").glob("*.py")} - beside == MATHEMATICS - FOLDERS


def test_the_theory_stands_on_its_declared_libraries() -> None:
    known = {
        "numpy",
        "scipy",
        "sympy",
        "z3",
        "flint",
        "mpmath",
        "hypothesis",
        "pyarrow",
        "qae_theory",
        *sys.stdlib_module_names,
    }
    shown = {"typer", "rich", "click", "markdown_it", "mdit_py_plugins", "latex2mathml", "joblib", "pydantic"}
    used = {name.split(".")[0] for path in modules(ROOT, "qae_theory") for name in imports(ROOT, path)}
    used -= {"mutmut"}  # what mutation testing adds
    assert used - {"pytest"} <= known | shown
    # pytest loads the fixture of qae_theory.testing itself, and is needed by nothing else.
    plugin = ROOT / "qae_theory/testing/plugin.py"
    on_pytest = [path for path in modules(ROOT, "qae_theory") if "pytest" in imports(ROOT, path)]
    assert on_pytest == [plugin]
    files = [
        path
        for path in modules(ROOT, "qae_theory")
        if path.relative_to(ROOT).parts[1].removesuffix(".py") in MATHEMATICS
    ]
    light = {name.split(".")[0] for path in files for name in imports(ROOT, path)}
    assert light - {"mutmut"} <= {"numpy", "scipy", "sympy", "qae_theory", *sys.stdlib_module_names}


# Negative controls: the readers find what is planted.


@pytest.mark.parametrize(
    ("file", "line", "finds"),
    [
        ("qae_theory/updates.py", "import torch", "imports torch"),
        ("qae_theory/updates.py", "def f():\n    import torch.nn", "imports torch.nn"),
        ("qae_theory/updates.py", "from simulators import bandit", "imports simulators.bandit"),
        ("qae_theory/claims/run.py", "import tests.oracles", "imports tests.oracles"),
        (
            "simulators/bandit.py",
            "from llm_validation.tasks import arithmetic",
            "imports llm_validation.tasks.arithmetic",
        ),
        ("simulators/bandit.py", "import torch", "imports torch at the top"),
        (
            "simulators/bandit.py",
            "try:\n    import torch\nexcept ImportError:\n    torch = None",
            "imports torch at the top",
        ),
        ("llm_validation/train.py", "import simulators", "imports simulators"),
        ("llm_validation/train.py", "from paper_figures import figure_1", "imports paper_figures.figure_1"),
        ("llm_validation/train.py", "class A:\n    import torch", "imports torch at the top"),
        ("llm_validation/train.py", "def f():\n    import verl", "imports verl"),
        ("llm_validation/cluster/checks/all.py", "def f():\n    from verl import utils", "imports verl.utils"),
        ("llm_validation/claims/phantom_advantage.py", "from verl import utils", "imports verl.utils at the top"),
        ("paper_figures/figure_1.py", "import llm_validation", "imports llm_validation"),
    ],
)
def test_a_planted_import_between_packages_is_found(tmp_path: Path, file: str, line: str, finds: str) -> None:
    plant(tmp_path, file, line)
    assert package_faults(tmp_path) == [f"{file} {finds}"]


@pytest.mark.parametrize(
    ("file", "line", "finds"),
    [
        ("qae_theory/baselines.py", "from qae_theory import advantages", "imports qae_theory.advantages"),
        ("qae_theory/baselines.py", "from . import softmax", "imports qae_theory.softmax"),
        ("qae_theory/softmax.py", "from qae_theory.updates import uncentred", "imports qae_theory.updates.uncentred"),
        ("qae_theory/numerics/row_moments.py", "from qae_theory import checks", "imports qae_theory.checks"),
        (
            "qae_theory/numerics/stepped.py",
            "from qae_theory.softmax import centred",
            "imports qae_theory.softmax.centred",
        ),
        ("qae_theory/arrays.py", "from .checks import refuse", "imports qae_theory.checks.refuse"),
        ("qae_theory/updates.py", "from qae_theory.claims.model import Kind", "imports qae_theory.claims.model.Kind"),
        ("qae_theory/claims/run.py", "from qae_theory.proofs import register", "imports qae_theory.proofs.register"),
        ("qae_theory/proofs/gate/gate.py", "from ...cli import main", "imports qae_theory.cli.main"),
    ],
)
def test_a_planted_import_upwards_is_found(tmp_path: Path, file: str, line: str, finds: str) -> None:
    plant(tmp_path, file, line)
    assert layer_faults(tmp_path) == [f"{file} {finds}"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("simulators/bandit.py", "from qae_theory import advantages"),
        ("simulators/bandit.py", "def f():\n    import torch"),
        ("llm_validation/train.py", "def f():\n    from torch import nn"),
        ("llm_validation/verl_engine/plugin.py", "import torch\nfrom verl import DataProto"),
        ("qae_theory/advantages.py", "from qae_theory import baselines"),
        ("qae_theory/proofs/gate/gate.py", "from qae_theory.claims.model import Step"),
        ("qae_theory/claims/run.py", "from importlib.metadata import entry_points"),
        ("paper_figures/figure_1.py", "from qae_theory import entropy"),
    ],
)
def test_an_import_that_is_allowed_is_not_found(tmp_path: Path, file: str, line: str) -> None:
    plant(tmp_path, file, line)
    assert package_faults(tmp_path) == layer_faults(tmp_path) == []


def plant(root: Path, file: str, line: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True)
    path.write_text(f"{line}\n")


# What an import loads


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    # -S -E would hide the installation; the working directory gives the package where it is not installed.
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_theory_loads_nothing_heavy() -> None:
    loaded = loaded_by("import qae_theory")
    assert "numpy" in loaded
    # SciPy's special functions and distributions take most of a second; what needs them imports them when it runs.
    assert not loaded & {*HEAVY, "scipy", "sympy", "z3", "flint", "matplotlib", "hypothesis", "typer", *PACKAGES[1:]}


@pytest.mark.parametrize("module", ["objective", "group_expectation", "claims.verdict", "claims.ledger", "proofs"])
def test_importing_a_module_loads_no_torch_and_no_prover(module: str) -> None:
    loaded = loaded_by(f"import qae_theory.{module}")
    assert not loaded & {*HEAVY, "sympy", "z3", "flint", *PACKAGES[1:]}


def test_registering_the_commands_loads_no_more_than_the_theory() -> None:
    """``qae --help`` starts in a third of a second: Numba alone would take a fifth of one more, matplotlib another."""
    loaded = loaded_by("from qae_theory.cli import build_app; build_app()")
    assert "typer" in loaded
    assert {"llm_validation", "paper_figures", "simulators"} <= loaded
    assert not loaded & {*HEAVY, "scipy", "sympy", "z3", "flint", "matplotlib", "hypothesis", "numba", "pydantic"}


def test_the_negative_control_of_what_an_import_loads() -> None:
    assert "sympy" in loaded_by("import qae_theory, sympy")
    assert "scipy" in loaded_by("import qae_theory; qae_theory.expected_gain(0.5, 4, 'qae')")
    assert "numba" in loaded_by("import simulators; simulators.update_once")
