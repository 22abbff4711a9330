"""What is released: one version everywhere, a wheel of the same bytes each time, a page that an index can show."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from tests import ROOT

EPOCH = "1767225600"  # any moment does: what counts is that it is given
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def built(folder: Path, **environment: str) -> Path:
    """Build the wheel into a folder, by the build system alone."""
    code = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    clean = {name: value for name, value in os.environ.items() if name != "QAE_PROJECT_URL"}
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT,
        env=clean | {"SOURCE_DATE_EPOCH": EPOCH} | environment,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("release") / "one")


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def relative_links(text: str) -> list[str]:
    return [target for target in re.findall(r"\]\(([^()\s]+)\)", text) if "://" not in target]


def test_one_version_everywhere(wheel: Path) -> None:
    version = PROJECT["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    date = re.search(r"^date-released: (\S+)$", citation, re.MULTILINE)
    released = re.search(r"^## \[(\d[^\]]*)\] - (\S+)$", changelog, re.MULTILINE)
    assert date is not None
    assert released is not None
    assert released.groups() == (version, date[1])
    assert changelog.index("## [Unreleased]") < released.start()
    assert metadata(wheel)["Version"] == version


def test_the_wheel_has_the_same_bytes_each_time(wheel: Path, tmp_path: Path) -> None:
    again = built(tmp_path / "two")
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()
    # The negative control: another moment is another file.
    other = built(tmp_path / "three", SOURCE_DATE_EPOCH="1600000000")
    assert hashlib.sha256(other.read_bytes()).digest() != hashlib.sha256(wheel.read_bytes()).digest()


def test_the_wheel_holds_the_packages_and_what_they_read(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"qae_theory", "simulators", "llm_validation", "paper_figures"}
    for needed in (
        "qae_theory/py.typed",
        "qae_theory/paper/facts.toml",
        "qae_theory/proofs/contract/reference/__init__.py",
        "llm_validation/study/sizes.toml",
        "paper_figures/qae.mplstyle",
    ):
        assert needed in names
    assert any(name.startswith("qae_theory/claims/catalogue/") for name in names)
    assert not any("__pycache__" in name for name in names)


def test_the_index_page_has_no_link_that_leads_nowhere(wheel: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert relative_links(readme)  # the negative control: it has links to other files
    page = metadata(wheel)
    text = page.get_payload()
    assert "# qae-verification" in text
    assert relative_links(text) == []
    assert "<!--" not in text
    assert page.get_all("Project-URL") == ["Paper, https://arxiv.org/abs/2509.22611"]


def test_a_public_repository_makes_every_link_absolute(tmp_path: Path) -> None:
    page = metadata(built(tmp_path / "public", QAE_PROJECT_URL="https://example.org/qae/"))
    text, version = page.get_payload(), PROJECT["version"]
    assert relative_links(text) == []
    for target in relative_links((ROOT / "README.md").read_text(encoding="utf-8")):
        kind = "raw" if target.endswith((".png", ".svg")) else "blob"
        assert f"https://example.org/qae/{kind}/v{version}/{target}" in text
    assert "Repository, https://example.org/qae" in page.get_all("Project-URL")
    assert f"Changelog, https://example.org/qae/blob/v{version}/CHANGELOG.md" in page.get_all("Project-URL")
