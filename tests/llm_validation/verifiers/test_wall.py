"""The two walls around a worker, each in a process of its own, since they stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llm_validation.verifiers.processes.worker import numeral
from tests.llm_validation.verifiers.hostile import programs


def run(code: str) -> subprocess.CompletedProcess[str]:
    start = "from llm_validation.verifiers.processes import wall, worker\n"
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("safe", [True, False])
def test_the_first_wall_is_that_sympy_reads_numerals_only(safe: bool, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    result = run(
        f"""
import sympy
if {safe}: worker.replace_evaluation()
print(sympy.sympify("12"), sympy.sympify("-3/4"))
sympy.sympify({programs(target)["os.system"]!r})
"""
    )
    assert result.stdout.split()[:2] == ["12", "-3/4"], result.stderr
    assert target.exists() is not safe
    assert ("SympifyError" in result.stderr or "only numerals" in result.stderr) is safe


@pytest.mark.parametrize("safe", [True, False])
def test_the_second_wall_stops_what_is_evaluated(safe: bool, tmp_path: Path) -> None:
    kinds = list(programs(Path()))
    targets = [tmp_path / str(number) for number in range(len(kinds))]
    sources = [programs(target)[kind] for kind, target in zip(kinds, targets, strict=True)]
    result = run(
        f"""
import os, pathlib, subprocess
compiled = [compile(source, "/a/module.py", "eval") for source in {sources!r}]
if {safe}: wall.Wall().close()
for program in compiled:
    try: eval(program)
    except PermissionError as error: print(error)
"""
    )
    assert [target.exists() is not safe for target in targets] == [True] * len(kinds), result.stderr
    assert result.stdout.count("may not do this") == (len(kinds) if safe else 0)


def test_the_second_wall_refuses_to_compile_text() -> None:
    sources = ["eval('1')", "exec('x = 1')", "compile('1', '<x>', 'eval')", "__import__('ast').parse('1')"]
    result = run(
        f"""
stood = wall.Wall()
compiled = [compile(source, "/a/module.py", "eval") for source in {sources!r}]
stood.close()
for program in compiled:
    try: eval(program)
    except PermissionError: print(stood.refusals)
"""
    )
    assert result.stdout.split() == ["1", "2", "3", "4"], result.stderr


def test_memory_is_limited() -> None:
    result = run("wall.Wall().close()\nbytearray(3 << 30)")
    assert "MemoryError" in result.stderr


@pytest.mark.parametrize("text", ["12", "+12", "-0", "1/2", "-3/4"])
def test_numerals_are_what_sympy_makes_of_them(text: str) -> None:
    import sympy

    assert numeral(text) == sympy.sympify(text)


@pytest.mark.parametrize("text", ["", "x", "1+1", "1/", "e5", "0x1", "1_0", "__import__('os')", "٧", "1e", "oo", "0.5"])
def test_what_is_no_numeral_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="only numerals are read"):
        numeral(text)
