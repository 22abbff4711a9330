"""Find Coq and run its programs: ``coqc`` on one file, ``coqchk`` on compiled modules."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from qae_theory.formal.tools.layout import COMPILED

INSTALL = "apt-get install --no-install-recommends coq libcoq-interval libcoq-mathcomp-fingroup"
LIBRARIES = ("mathcomp", "Coquelicot", "Flocq", "Interval")
# The two warnings are about notations that MathComp and the standard library both define.
FLAGS = ("-q", "-w", "-notation-overridden,-ambiguous-paths", "-R", str(COMPILED), "QAE")


class CheckError(Exception):
    """Report that a check of the proofs found something wrong; the message says what, and what to do."""


@dataclass(frozen=True)
class Answer:
    """Hold what a program of Coq printed, and whether it succeeded.

    Attributes:
        passed: whether its exit status was 0 and it answered in time.
        output: what it printed.
        errors: what it printed on standard error.
    """

    passed: bool
    output: str
    errors: str


def missing() -> str | None:
    """Return what is missing for checking the proofs and how to install it; None if nothing is."""
    if not (shutil.which("coqc") and shutil.which("coqchk")):
        return f"Coq is not installed: {INSTALL}"
    # Asked of Coq itself, as distributions install libraries in different places.
    library_folder = Path(_run(["coqc", "-where"]).output.strip()) / "user-contrib"
    absent = [name for name in LIBRARIES if not (library_folder / name).is_dir()]
    return f"Coq lacks the libraries {', '.join(absent)}: {INSTALL}" if absent else None


def version() -> str:
    """Return Coq's version, for example ``8.16.1``."""
    return _run(["coqc", "--print-version"]).output.split()[0]


def coqc(file: Path, *, timeout: float = 600, print_refusals: bool = False) -> Answer:
    """Compile one file against the compiled theories, and return what Coq answered.

    Args:
        file: the source.
        timeout: seconds.
        print_refusals: whether to print the message of each ``Fail``, which Coq otherwise keeps to itself.
    """
    return _run(["coqc", *(["-test-mode"] if print_refusals else []), *FLAGS, str(file)], timeout=timeout)


def coqchk(modules: list[str], *, timeout: float = 600) -> Answer:
    """Let Coq's independent checker read compiled modules, and admit what they require beside one another.

    The virtual machine evaluates what the proofs by interval arithmetic evaluate, as it does in ``coqc``: without it
    they take minutes.

    Args:
        modules: full names, for example ``QAE.Gate`` or ``Coq.Reals.Rdefinitions``.
        timeout: seconds.
    """
    # Without -norec coqchk would read everything that a module requires.
    named = [word for module in modules for word in ("-norec", module)]
    return _run(["coqchk", "-silent", "-bytecode-compiler", "yes", "-R", str(COMPILED), "QAE", *named], timeout=timeout)


def required(modules: list[str]) -> list[str]:
    """Return the full names of all modules of libraries that compiled modules require, directly or not.

    Args:
        modules: full names.

    Raises:
        CheckError: if Coq cannot load one of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "required.v"
        file.write_text("".join(f"Require {module}.\n" for module in modules) + "Print Libraries.\n")
        answer = coqc(file)
    if not answer.passed:
        raise CheckError(f"the compiled modules do not load: {first_error(answer)}")
    loaded = re.findall(r"^  (\S+)$", answer.output, flags=re.MULTILINE)
    return [name for name in loaded if name not in modules]


def first_error(answer: Answer) -> str:
    """Return the error of a failed run in a few lines."""
    text = answer.errors.strip() or answer.output.strip()
    # Coq names the file and line before the error; warnings may stand above.
    located = re.search(r"^File .*", text, flags=re.MULTILINE | re.DOTALL)
    return (located.group(0) if located else text)[:1500]


def _run(command: list[str], *, timeout: float = 60) -> Answer:
    """Run a command, and return its answer; no answer in time is a failed one."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Answer(passed=False, output="", errors=f"no answer within {timeout:g} s: {' '.join(command[:1])}")
    return Answer(passed=done.returncode == 0, output=done.stdout, errors=done.stderr)
