"""Command line of the mutation tests; see the package."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents

from tests import ROOT
from tests.mutation.bends.bend import COUNT

TREE = ROOT / "mutants"
COPIED = ("qae_theory", "simulators", "llm_validation", "paper_figures", "tests", "docs", "pyproject.toml", "README.md")


def main() -> int:
    """Write the mutants, run the killers, store what survived."""
    arguments = _parser().parse_args()
    if arguments.bends is not None:
        return run_bends(arguments)
    mutants = write_tree(arguments.only)
    if arguments.again:
        earlier = set(json.loads(arguments.again.read_text())["survivors"])
        mutants = [mutant for mutant in mutants if mutant in earlier]
    print(f"{len(mutants)} mutants", flush=True)
    (TREE / "mutants.json").write_text(json.dumps(mutants))
    for killer in arguments.killer:
        run_killer(killer, arguments)
    return 0


def run_bends(arguments: argparse.Namespace) -> int:
    """Show conditional bends to the killers, in this tree as it is."""
    for killer in arguments.killer:
        command = [killer, str(arguments.jobs), arguments.bends, str(arguments.out.resolve())]
        environment = {**os.environ, "CI": "true"}
        subprocess.run(
            [sys.executable, "-m", "tests.mutation.bends.run", *command], cwd=ROOT, env=environment, check=True
        )
    return 0


def write_tree(only: list[str]) -> list[str]:
    """Copy the project to ``mutants/`` with every mutant behind a switch; return the mutants' names."""
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, TREE / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        elif source.exists():
            shutil.copy2(source, TREE / name)
    paths = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"]
    names = []
    for path in paths:
        if only and Path(path).stem not in only:
            continue
        mutated = mutate_file_contents(path, (ROOT / path).read_text())
        (TREE / path).write_text(mutated.code)
        module = path.removesuffix(".py").replace("/", ".")
        names += [f"{module}.{name}" for name in mutated.mutant_names]
    return names


def run_killer(killer: str, arguments: argparse.Namespace) -> None:
    """Run one killer in the mutated tree and store its result as JSON."""
    environment = {**os.environ, "PYTHONPATH": str(TREE), "CI": "true"}
    result = arguments.out.resolve() / f"{killer}.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    options = [f"--{name}={getattr(arguments, name)}" for name in ("jobs", "minutes", "budget")]
    command = [sys.executable, "-m", "tests.mutation.killers", killer, str(result), *options]
    subprocess.run(command, cwd=TREE, env=environment, check=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--killer", nargs="+", choices=("verify", "pytest"), default=["verify", "pytest"])
    parser.add_argument("--only", nargs="*", default=[], help="stems of modules, e.g. baselines")
    parser.add_argument("--again", type=Path, help="an earlier result: try its survivors only")
    parser.add_argument(
        "--bends",
        nargs="?",
        const=str(COUNT),
        metavar="COUNT",
        help=f"conditional bends in place of mutants: how many, {COUNT} if left out, or `all` that there are",
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="take no mutant after so long; per killer")
    parser.add_argument(
        "--budget",
        type=float,
        default=float("inf"),
        help="seconds of checks that a mutant is shown beside the agreement",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "mutation")
    return parser


if __name__ == "__main__":
    sys.exit(main())
