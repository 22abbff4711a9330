"""What a default run leaves out is run before a merge."""

from __future__ import annotations

import re
import tomllib

from tests import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def recipe(target: str) -> str:
    """The commands of a target of the Makefile."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found is not None, target
    return found[1]


def test_long_tests_are_left_out_by_default_alone() -> None:
    """A target that names its own marker runs the long tests of that marker too."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert "-m not slow" in options["addopts"]
    assert " -m " not in recipe("test").replace("-m pytest", "")
    for marker in ("torch", "train", "vllm", "verl", "ray"):
        assert f" -m {marker} " in recipe(f"test-{marker}")


def test_the_long_tests_are_run_before_a_merge() -> None:
    assert "-m 'slow and not train'" in recipe("test-slow")
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for target in ("test", "test-slow", "test-torch", "test-train", "test-vllm", "test-verl", "test-ray"):
        assert any(line.split()[-2:] == ["make", target] for line in commands), target
