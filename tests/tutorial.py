"""The tutorial as it goes: its commands run in order in a new folder, and what they say is stored beside the tests.

``python -m tests.tutorial`` runs them and stores the output; ``--check`` compares a new run with what is stored. It
takes some minutes and the extra `train`. That the page shows what is stored is a test of every run (`test_tutorial`).
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
STORED = ROOT / "tests" / "data" / "tutorial"
_FENCE = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
# What differs from run to run and says nothing: seconds, and names of runs, which hold the version of the code.
_CHANGING = ((re.compile(r"\b\d+\.\d s\b"), "0.0 s"), (re.compile(r"\b[0-9a-f]{12}\b"), "0123456789ab"))


class Shown(NamedTuple):
    """A command of the page, or a file that one of them wrote, and what the page shows of its output."""

    command: str
    file: str | None
    text: str

    @property
    def name(self) -> str:
        """Return the file's name under which the output is stored."""
        words = re.sub(r"[^\w]+", "-", self.file or " ".join(arguments(self.command))).strip("-")
        return f"{words}.txt"


def shown_on(page: str) -> Iterator[Shown]:
    """Yield what the page shows, in order: a block of text belongs to the command above it, or to the file named."""
    command = ""
    for block in _FENCE.finditer(page):
        if block["language"] == "":
            command = block["body"].strip()
        elif block["language"] == "text":
            yield Shown(command, block["file"], block["body"])


def arguments(command: str) -> list[str]:
    """Return the arguments of ``qae`` that a command of the page comes to: ``make verify ARGS=--quick`` is one too."""
    words = shlex.split(command)
    if words[0] == "make":
        return [words[1], *[word for text in words[2:] for word in text.removeprefix("ARGS=").split()]]
    return words[1:]


def plain(text: str) -> str:
    """Return an output without what changes from run to run."""
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    return text


def fits(page: str, output: str) -> str | None:
    """Return the first stretch of lines of the page that the output does not have, in order; None where it has all.

    A line ``...`` on the page stands for any lines, none included.
    """
    lines = plain(output).splitlines()
    parts = [part.strip("\n").splitlines() for part in re.split(r"^\.\.\.$", f"\n{plain(page)}", flags=re.MULTILINE)]
    at = 0
    for number, part in enumerate(parts):
        if not part:
            continue
        places = [i for i in range(at, len(lines) - len(part) + 1) if lines[i : i + len(part)] == part]
        if number == 0:
            places = [i for i in places if i == 0]
        if number == len(parts) - 1:
            places = [i for i in places if i + len(part) == len(lines)]
        if not places:
            return "\n".join(part)
        at = places[0] + len(part)
    return None


def outputs(folder: Path) -> Iterator[tuple[Shown, str]]:
    """Run the page's commands in a folder, and yield what each of them says."""
    ran = ""
    said = ""
    for shown in shown_on(PAGE.read_text(encoding="utf-8")):
        if shown.file is not None:
            (path,) = folder.glob(shown.file)
            yield shown, path.read_text(encoding="utf-8")
            continue
        if shown.command != ran:
            print(f"$ {shown.command}", file=sys.stderr)
            code = "from qae_theory.cli import main; main()"
            done = subprocess.run(
                [sys.executable, "-c", code, *arguments(shown.command)],
                cwd=folder,
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(f"{shown.command}: exit status {done.returncode}")
            ran, said = shown.command, done.stdout
        yield shown, said


def main(given: Sequence[str] | None = None) -> int:
    """Run the tutorial, and store what it says or compare it with what is stored."""
    parser = argparse.ArgumentParser(prog="python -m tests.tutorial", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is stored; write nothing")
    check = parser.parse_args(given).check
    differing = []
    with tempfile.TemporaryDirectory() as folder:
        for shown, output in outputs(Path(folder)):
            stored = STORED / shown.name
            if not check:
                STORED.mkdir(parents=True, exist_ok=True)
                stored.write_text(plain(output), encoding="utf-8")
            elif fits(shown.text, output) is not None:
                differing.append(shown.command)
    for command in differing:
        print(f"the page does not show what `{command}` says", file=sys.stderr)
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
