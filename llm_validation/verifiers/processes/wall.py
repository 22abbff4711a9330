"""What a worker may no longer do: the second wall, behind that of parsers which evaluate nothing.

SymPy writes code for some of its work. That of its functions on monomials follows from the number of variables alone
and is let through. What it would write from the expression itself (to sum a series numerically) is refused.
"""

from __future__ import annotations

import os
import re
import resource
import sys
from typing import Any

MEMORY_BYTES = 2 << 30  # of address space; SymPy takes a quarter of that
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
_MONOMIAL_CODE = re.compile(
    rb"def monomial_[a-z]+\([ABk, ]+\):\n"
    rb"(?:\b(?:[abr][0-9]+|0|k|A|B|if|else|return|None)\b|[ (),:+*<>=\n-])*"
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Wall:
    """It stands until the process ends, and counts what it refused."""

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
