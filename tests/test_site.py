"""The documentation's pages: in the navigation, with commands that exist and code that prints what the page says.

What MkDocs makes of them is checked by `make site`, which builds strictly; how they look, by `make test-pages`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from docs.site_build import built, claim_links, commands, generated, markers
from docs.site_build.readme import PAGES
from qae_theory.claims.readme import cited_verdicts
from tests import ROOT

DOCS = ROOT / "docs"
EVERY = (path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
WRITTEN = sorted(name for name in EVERY if not name.startswith("figures/"))  # tables, drawn from results
TEXTS = [*(f"docs/{name}" for name in WRITTEN), *PAGES]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
RUN = """
import contextlib, io, json, sys
from tests import ROOT
from tests import ROOT
printed, names = [], {}
for block in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(block, names)
    printed.append(out.getvalue())
json.dump(printed, sys.stdout)
"""


@cache
def configuration() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


@cache
def pages() -> dict[str, str]:
    return generated.pages()


def in_navigation(items: Any) -> Iterator[str]:
    """Pages of the navigation, in order."""
    if isinstance(items, str):
        yield items
    for item in items.values() if isinstance(items, dict) else items if isinstance(items, list) else ():
        yield from in_navigation(item)


# Navigation and links


def test_navigation_has_every_page_once_and_no_other() -> None:
    listed = list(in_navigation(configuration()["nav"]))
    assert sorted(listed) == sorted([*WRITTEN, *pages()])


@pytest.mark.parametrize("name", TEXTS)
def test_relative_links_lead_to_a_file(name: str) -> None:
    text = FENCE.sub("", (ROOT / name).read_text(encoding="utf-8"))
    made = {f"docs/{page}" for page in pages()}
    for target in re.findall(r"\]\(([^()\s]+)\)", text):
        path = target.partition("#")[0]
        if path and "://" not in path:
            found = os.path.normpath(os.path.join(os.path.dirname(name), path))
            assert found in made or (ROOT / found).is_file(), target


@pytest.mark.parametrize("name", [*TEXTS, "mkdocs.yml", "docs/stylesheets/site.css"])
def test_no_place_of_a_machine_and_nothing_from_elsewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp|Users)/", text)
    assert not built.loaded_from_elsewhere(text)
    assert not re.search(r"!\[[^\]]*\]\(\w+://", text)


def test_the_theme_loads_no_font_and_no_script_is_added_to_every_page() -> None:
    assert configuration()["theme"]["font"] is False
    assert "extra_javascript" not in configuration()
    assert configuration()["strict"] is True


# Is my run affected?


def test_the_five_questions_are_answered_from_the_ledger() -> None:
    """Each question names claims, each with its verdict, and the verdicts are those of the stored ledger."""
    text = (DOCS / "how-to" / "is-my-run-affected.md").read_text(encoding="utf-8")
    verdicts = {record["id"]: record["verdict"] for record in json.loads(generated.LEDGER.read_text(encoding="utf-8"))}
    questions = re.findall(r"^## \d\. .+?\?$(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    assert len(questions) == 5
    for question in questions:
        cited = cited_verdicts(question)
        assert len(cited) >= 3
        assert cited == [(claim, verdicts.get(claim)) for claim, _ in cited]


def test_every_claim_of_the_five_questions_is_a_link() -> None:
    text = (DOCS / "how-to" / "is-my-run-affected.md").read_text(encoding="utf-8")
    places = claim_links.places()
    assert [claim for claim, _ in cited_verdicts(text) if claim not in places] == []


# Code


def blocks(text: str) -> list[tuple[str, str]]:
    """Python blocks of a page, each with the output that is shown right after it."""
    found = re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", text, re.MULTILINE | re.DOTALL)
    assert len(found) == len(re.findall(r"^ *```python", text, re.MULTILINE)), "a block that is not run"
    return found


def printed(code: list[str]) -> list[str]:
    """What each block prints, one after the other in one new interpreter: registries are global."""
    ran = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(code), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("name", [name for name in TEXTS if "```python" in (ROOT / name).read_text(encoding="utf-8")])
def test_code_prints_what_the_page_shows(name: str) -> None:
    found = blocks((ROOT / name).read_text(encoding="utf-8"))
    assert printed([code for code, _ in found]) == [shown for _, shown in found]


def test_another_output_would_be_noticed() -> None:
    [(code, shown)] = blocks("```python\nprint(1)\n```\n\n```text\n2\n```\n")
    assert printed([code]) != [shown]


# Commands


def command_lines(text: str) -> Iterator[list[str]]:
    """Every `qae ...` of a page, in blocks of code and in line, as words."""
    lines = [line for _, language, body in FENCE.findall(text) if language in ("", "sh") for line in body.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    for line in lines:
        command = line.strip().removeprefix(".venv/bin/")
        if command.startswith("qae "):
            yield shlex.split(command, comments=True)


def complaint(words: list[str]) -> str:
    """Why the command line cannot be: no such command, or no such option. Empty where it can."""
    if set(words[1:]) <= {"--help", "--version"}:
        return ""
    known = dict(commands.leaves(commands.command_tree()))
    length = max((n for n in range(1, len(words) + 1) if " ".join(words[:n]) in known), default=0)
    if not length:
        groups = {name.rpartition(" ")[0] for name in known}
        return "" if " ".join(words) in groups else "no such command"
    command = known[" ".join(words[:length])]
    context = command.make_context(words[length - 1], [], resilient_parsing=True)
    options = {spelled for one in command.get_params(context) for spelled in (*one.opts, *one.secondary_opts)}
    named = {word.partition("=")[0] for word in words[length:] if word.startswith("-")}
    return ", ".join(sorted(named - options))


@pytest.mark.parametrize("name", TEXTS)
def test_commands_exist_with_their_options(name: str) -> None:
    wrong = {
        " ".join(words): said
        for words in command_lines((ROOT / name).read_text(encoding="utf-8"))
        if (said := complaint(words))
    }
    assert not wrong


def test_commands_are_found() -> None:
    found = [" ".join(words[:2]) for words in command_lines((DOCS / "tutorial.md").read_text(encoding="utf-8"))]
    assert {"qae verify", "qae simulate", "qae figures", "qae report"} <= set(found)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("qae verify --quick", ""),
        ("qae cluster", ""),
        ("qae verfy", "no such command"),
        ("qae verify --quik", "--quik"),
        ("qae cluster plan --json plan.json --hour 3", "--hour"),
    ],
)
def test_a_misspelt_command_is_noticed(line: str, said: str) -> None:
    assert complaint(shlex.split(line)) == said


# Reference


@pytest.mark.parametrize("name", [name for name in WRITTEN if name.startswith("reference/")])
def test_documented_modules_exist_and_public_names_are_among_them(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    modules = re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)
    assert len(modules) == len(set(modules)) > 0
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), module
    for package in re.findall(r"<!-- public: (\w+) -->", text):
        exported = markers.public_names(ROOT / package).values()
        assert {path.rpartition(".")[0] for path in exported} <= set(modules)
