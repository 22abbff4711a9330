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
from multiprocessing.connection import Connection
from typing import Any

from llm_validation.verifiers.boxes import claimed_answer

MEMORY_BYTES = 2 << 30  # of address space; math-verify with SymPy takes a quarter of that

# One byte each, so that the parent unpickles nothing that comes from here.
READY, RIGHT, WRONG, UNREADABLE = b"r", b"1", b"0", b"g"

_REFUSED = (
    "ctypes.",
    "ftplib.",
    "http.",
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
    "smtplib.",
    "socket.",
    "subprocess.",
    "urllib.",
)
_NUMERAL = re.compile(r"[+-]?(?:[0-9]+|((?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?))")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def serve(jobs: Connection, item_seconds: int) -> None:
    """Answer jobs, (completion or None, answer), until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which kills this process
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)  # it logs the text that it could not read
    judge = _Judge(item_seconds)
    judge(r"\boxed{\frac{1}{2}}", "0.5")  # what is imported late is imported now
    _wall_in()
    jobs.send_bytes(READY)
    while True:
        try:
            completion, answer = jobs.recv()
        except EOFError:
            return
        jobs.send_bytes(judge(completion, answer))


class _Judge:
    def __init__(self, seconds: int) -> None:
        from math_verify import LatexExtractionConfig, parse, verify

        _replace_evaluation()
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


def _replace_evaluation() -> None:
    """Put :func:`_numeral` wherever ``parse_expr`` is reached from."""
    import latex2sympy2_extended.latex2sympy2 as latex_parser
    import math_verify.parser
    import sympy.parsing.sympy_parser

    for module in (sympy.parsing.sympy_parser, math_verify.parser, latex_parser):
        module.parse_expr = _numeral


def _numeral(text: str, *_: object, **__: object) -> Any:
    """What ``parse_expr`` makes of a numeral, without evaluation."""
    from sympy import Float, Integer

    found = _NUMERAL.fullmatch(text.strip())
    if found is None:
        raise ValueError("only numerals are read")
    return Integer(int(text)) if found[1] is None else Float(text)


def _wall_in() -> None:
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(_refuse_side_effects)


def _refuse_side_effects(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        refused = bool(arguments[2] & _WRITING)
    elif event == "compile":
        refused = arguments[1] == "<string>"  # eval and exec of text
    elif event == "exec":
        refused = arguments[0].co_filename == "<string>"
    else:
        refused = event.startswith(_REFUSED)
    if refused:
        raise PermissionError(f"a verifier's process may not do this: {event}")
