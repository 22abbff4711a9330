"""math-verify behind its wall: right and wrong mathematics, and the wall itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_validation.verifiers import VerifierError, mathematics, self_test
from llm_validation.verifiers.mathematics import MOST_CHARACTERS, MathVerifier
from llm_validation.verifiers.worker import numeral
from tests.llm_validation.verifiers.hostile import programs

pytestmark = pytest.mark.train

EQUAL = [
    (r"\frac{1}{2}", "50\\%"),
    ("(x-1)(x+1)", "x^2-1"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
    (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt 2}{2}"),
    ("x=3", "3"),
    ("3", "x=3"),
    ("2x+y=3", "4x+2y=6"),
    ("1<x<2", "(1,2)"),
    (r"\{1,2\}", r"\{2,1\}"),
    ("[0,1)", "[0,1)"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    (r"\binom{5}{2}", "10"),
    ("5!", "120"),
    (r"\log_2 8", "3"),
    (r"\sin^2 x+\cos^2 x", "1"),
    (r"\int_0^1 x dx", r"\frac{1}{2}"),
    (r"\frac{d}{dx} x^2", "2x"),
    ("10^{5}", "100000"),
    (r"17\frac12", "17.5"),
    (r"\text{(A)}", "A"),
]
UNEQUAL = [
    (r"\frac{1}{2}", r"\frac{1}{3}"),
    ("x^2-1", "x^2+1"),
    (r"\sqrt{8}", r"3\sqrt{2}"),
    ("x=3", "4"),
    ("(1,2)", "(1,3)"),
    (r"\{1,2\}", r"\{1,2,3\}"),
    ("x+1", "I do not know"),
    ("x+1", ""),
    ("x", "y"),
    ("7", r"\boxed{3} or \boxed{7x}"),
]


@pytest.fixture(scope="module")
def verifier() -> Iterator[MathVerifier]:
    with MathVerifier(workers=1, seconds=60.0) as made:  # nothing here takes a second, unless the machine is busy
        yield made


def test_equal_mathematics_is_right(verifier: MathVerifier) -> None:
    lost = verifier.lost
    for before, after in ((r"\boxed{", "}"), ("$", "$"), ("So the final answer is $", "$.")):
        scores = verifier([f"{before}{response}{after}" for _, response in EQUAL], [answer for answer, _ in EQUAL])
        assert [pair for pair, score in zip(EQUAL, scores, strict=True) if score != 1.0] == []
    assert verifier.lost == lost  # nothing of it ran into the wall


def test_unequal_mathematics_is_wrong(verifier: MathVerifier) -> None:
    scores = verifier([response for _, response in UNEQUAL], [answer for answer, _ in UNEQUAL])
    assert scores == [0.0] * len(UNEQUAL)


def test_an_answer_that_cannot_be_read_is_unscorable(verifier: MathVerifier) -> None:
    unreadable = r"\frac{"
    assert verifier([unreadable, "7", "x", "x"], [unreadable, unreadable, "", "x"]) == [None, None, None, 1.0]


def test_scores_do_not_depend_on_order_or_repetition(verifier: MathVerifier) -> None:
    pairs = [*EQUAL[:6], *UNEQUAL[:4], *EQUAL[:6]]
    forward = verifier([response for _, response in pairs], [answer for answer, _ in pairs])
    backward = verifier([response for _, response in pairs[::-1]], [answer for answer, _ in pairs[::-1]])
    assert forward == backward[::-1] == [1.0] * 6 + [0.0] * 4 + [1.0] * 6


def test_only_the_end_of_a_response_is_read(verifier: MathVerifier) -> None:
    box = r"\boxed{\sqrt{2}}"
    filler = "x " * MOST_CHARACTERS
    assert verifier([filler + box, box + filler], [r"\sqrt{2}"] * 2) == [1.0, 0.0]


def test_it_passes_the_test_of_verifiers(verifier: MathVerifier) -> None:
    answers = ["34", "0", r"\frac{1}{2}", "0.5", "(1,2)", "x=3", r"\sqrt{2}", r"\{1,2\}", "1/2", "-7", "7919"]
    self_test(verifier, answers=answers)
    with pytest.raises(VerifierError, match="cannot be scored"):
        self_test(verifier, answers=["34", r"\frac{"])


def test_without_math_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mathematics, "find_spec", lambda name: None)
    with MathVerifier() as missing:
        assert missing(["7"], ["7"]) == [1.0]
        with pytest.raises(
            VerifierError, match=r"needs the package math-verify; pip install 'qae-verification\[train\]'"
        ):
            missing(["$x$"], ["x"])


# The two walls, in a process of their own, since they stay.


def run(code: str) -> subprocess.CompletedProcess[str]:
    start = "from llm_validation.verifiers import worker\n"
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("safe", [True, False])
def test_the_first_wall_is_that_sympy_reads_numerals_only(safe: bool, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    result = run(
        f"""
import sympy
if {safe}: worker.replace_evaluation()
print(sympy.sympify("12"), sympy.Number("0.5"), sympy.sympify("-3/4"))
sympy.sympify({programs(target)["os.system"]!r})
"""
    )
    assert result.stdout.split()[:3] == ["12", "0.500000000000000", "-3/4"], result.stderr
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
if {safe}: worker.Wall().close()
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
wall = worker.Wall()
compiled = [compile(source, "/a/module.py", "eval") for source in {sources!r}]
wall.close()
for program in compiled:
    try: eval(program)
    except PermissionError: print(wall.refusals)
"""
    )
    assert result.stdout.split() == ["1", "2", "3", "4"], result.stderr


def test_memory_is_limited() -> None:
    result = run("worker.Wall().close()\nbytearray(3 << 30)")
    assert "MemoryError" in result.stderr


@pytest.mark.parametrize("text", ["12", "+12", "-0", "1/2", "0.5", ".5", "5.", "1e5", "1.5E-3"])
def test_numerals_are_what_sympy_makes_of_them(text: str) -> None:
    import sympy

    assert numeral(text) == sympy.sympify(text)


@pytest.mark.parametrize("text", ["", "x", "1+1", "1/", "e5", "0x10", "1_000", "__import__('os')", "٧", "1e", "oo"])
def test_what_is_no_numeral_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="only numerals are read"):
        numeral(text)
