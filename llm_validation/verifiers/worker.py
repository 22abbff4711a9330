"""The process in which math-verify reads untrusted text.

math-verify is kept to its LaTeX parser: its parser of plain expressions calls SymPy's ``parse_expr``, which evaluates
its input. The LaTeX parser calls it too, for numerals, so that here ``parse_expr`` reads numerals and nothing else.
That is the first wall. The second: this process refuses to compile text, to open files for writing, to start programs
and to connect, and its memory is limited. It may be killed at any moment.
"""

from __future__ import annotations

import logging
import os
import re
import resource
import signal
import sys
from functools import lru_cache
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from llm_validation.verifiers.boxes import claimed_answer

MEMORY_BYTES = 2 << 30  # of address space; math-verify with SymPy takes a quarter of that

# One byte each, so that the parent unpickles nothing that comes from here.
READY, RIGHT, WRONG, UNREADABLE, REFUSED = b"r", b"1", b"0", b"g", b"!"

# What SymPy imports late, and its modules compile as they are imported, must be there before the wall stands: modules
# by name, and expressions whose comparison imports the rest.
_LATE_MODULES = ("sympy.integrals.manualintegrate", "sympy.physics.units", "sympy.solvers.solveset")
_WARM_UP = (
    (r"\frac{1}{2}", "0.5"),
    ("(x-1)(x+1)", "x^2-1"),
    ("2x+y=3", "4x+2y=6"),
    (r"\sin^2 x+\cos^2 x", "1"),
    ("1<x<2", "(1,2)"),
    (r"\{1,\sqrt{8}\}", r"\{2\sqrt{2},1\}"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    (r"\binom{5}{2}", r"\sum_{k=1}^{4} k"),
    (r"\log_2 8", "e^x"),
)

_REFUSED = (
    "ctypes.",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.putenv",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.spawn",
    "os.symlink",
    "os.system",
    "os.truncate",
    "pty.",
    "shutil.",
    "socket.",
    "subprocess.",
)
_NUMERAL = re.compile(
    r"(?P<integer>[+-]?[0-9]+)(?:/(?P<below>[0-9]+))?"
    r"|[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?"
)
_MONOMIAL_CODE = re.compile(
    rb"def monomial_[a-z]+\([ABk, ]+\):\n"
    rb"(?:\b(?:[abr][0-9]+|0|k|A|B|if|else|return|None)\b|[ (),:+*<>=\n-])*"
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def serve(jobs: Connection, item_seconds: int) -> None:
    """Answer jobs, (completion or None, answer), until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which kills this process
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)  # it logs the text that it could not read
    judge = _Judge(item_seconds)
    for module in _LATE_MODULES:
        import_module(module)
    for response, answer in _WARM_UP:
        judge(response, answer)
    replace_evaluation()  # after the imports: modules of SymPy pass names of their own through parse_expr
    wall = Wall()
    wall.close()
    jobs.send_bytes(READY)
    while True:
        try:
            completion, answer = jobs.recv()
        except EOFError:
            return
        before = wall.refusals
        reply = judge(completion, answer)
        jobs.send_bytes(REFUSED if wall.refusals > before else reply)


class _Judge:
    def __init__(self, seconds: int) -> None:
        from math_verify import LatexExtractionConfig, parse, verify

        self._parse, self._verify, self._seconds = parse, verify, seconds
        self._config = (LatexExtractionConfig(boxed_match_priority=0),)
        self._gold = lru_cache(maxsize=1024)(self._read_answer)

    def __call__(self, completion: str | None, answer: str) -> bytes:
        """The score; without a completion, whether the answer can be read."""
        try:
            gold = self._gold(answer)
            if not gold:
                return UNREADABLE
            if completion is None:
                return RIGHT
            response = self._read(completion) or self._read(f"${claimed_answer(completion)}$")
            equal = bool(response) and self._verify(gold, response, timeout_seconds=self._seconds)
        except (Exception, RecursionError, MemoryError):
            equal = False
        return RIGHT if equal else WRONG

    def _read_answer(self, answer: str) -> list[Any]:
        return self._read(answer) or self._read(f"\\boxed{{{answer}}}")

    def _read(self, text: str) -> list[Any]:
        parsed: list[Any] = self._parse(
            text, extraction_config=self._config, fallback_mode="no_fallback", parsing_timeout=self._seconds
        )
        return parsed


def replace_evaluation() -> None:
    """Put :func:`numeral` wherever ``parse_expr`` is reached from."""
    for name in ("sympy.parsing.sympy_parser", "math_verify.parser", "latex2sympy2_extended.latex2sympy2"):
        vars(import_module(name))["parse_expr"] = numeral


def numeral(text: str, *_: object, **__: object) -> Any:
    """What ``parse_expr`` makes of a numeral, without evaluation."""
    from sympy import Float, Integer, Rational

    found = _NUMERAL.fullmatch(text.strip())
    if found is None:
        raise ValueError("only numerals are read")
    above, below = found["integer"], found["below"]
    if above is None:
        return Float(text)
    return Integer(int(above)) if below is None else Rational(int(above), int(below))


class Wall:
    """What this process may no longer do; it stands until the process ends.

    SymPy writes code for some of its work. That of its functions on monomials follows from the number of variables
    alone and is let through. What it would write from the expression itself (to sum a series numerically) is refused.
    """

    def __init__(self) -> None:
        self.refusals = 0

    def close(self) -> None:
        """Limit memory, leave no core files, refuse side effects and compilation."""
        sys.dont_write_bytecode = True
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.addaudithook(self._check)

    def _check(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            refused = bool(arguments[2] & _WRITING)
        elif event == "compile":
            refused = not _is_module_or_monomial(*arguments)
        else:
            refused = event.startswith(_REFUSED)
        if refused:
            self.refusals += 1
            raise PermissionError(f"a verifier's process may not do this: {event}")


def _is_module_or_monomial(source: Any, filename: Any) -> bool:
    if isinstance(filename, str) and os.path.isabs(filename):
        return True
    return filename == "<string>" and isinstance(source, bytes) and _MONOMIAL_CODE.fullmatch(source) is not None
