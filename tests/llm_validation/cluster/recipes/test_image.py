"""The cluster's image: its versions are those that verl itself asks for. It is not built here: there is no registry."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import requires

import pytest

from llm_validation.cluster.checks.plugin import TESTED
from tests import ROOT

# Of verl's extras, those that the image has; flash-attn comes by itself, as it is built.
EXTRAS = ("", "vllm", "verl-core", "flash-attn-cu130torch211")


def pins(name: str = "constraints-image.txt") -> dict[str, str]:
    lines = (line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#"))
    return {canonical(package): version for package, version in (line.split("==") for line in lines)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def instructions() -> list[str]:
    """The Dockerfile's instructions, continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M)
    return [line for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]


def test_every_package_that_is_installed_by_name_is_pinned() -> None:
    words = [word for line in instructions() if "pip install" in line for word in line.split("pip install")[1:]]
    named = {name.strip("'").split("[")[0] for text in words for name in text.split("&&")[0].split()}
    named = {name for name in named if re.fullmatch(r"[a-z][\w-]*", name)}
    assert named == {"setuptools", "wheel", "hatchling", "editables", "verl", "flash-attn"}
    assert named <= pins().keys()
    assert any(
        line.startswith("ENV") and "PIP_CONSTRAINT=/opt/constraints-image.txt" in line for line in instructions()
    )


def test_the_base_install_of_this_package_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {canonical(re.split(r"[^\w.-]", dependency)[0]) for dependency in project["dependencies"]}
    assert len(wanted) > 10
    assert wanted <= pins().keys()


def test_the_base_image_is_named_by_its_tag() -> None:
    first = instructions()[0]
    assert re.fullmatch(r"FROM nvidia/cuda:13\.0\.\d+-cudnn-devel-ubuntu24\.04", first)


def test_no_address_is_in_the_files_of_the_image() -> None:
    for name in ("Dockerfile", "constraints-image.txt", ".dockerignore"):
        assert "://" not in (ROOT / name).read_text()


def test_what_is_copied_is_let_in_and_is_there() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for line in instructions() if line.startswith("COPY") for word in line.split()[1:-1]}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    assert set(packages) <= copied


def test_the_image_runs_as_no_root() -> None:
    users = [line for line in instructions() if line.startswith("USER")]
    assert users == ["USER 1001"]
    after = instructions()[instructions().index(users[0]) :]
    assert any("qae cluster check smoke-qae" in line for line in after)


def test_the_versions_are_those_of_the_tests_but_for_what_the_gpus_build_pins() -> None:
    tested, image = pins("constraints-verl.txt"), pins()
    assert image["verl"] == tested["verl"] == TESTED
    shared = {"ray", "tensordict", "transferqueue", "hydra-core", "omegaconf", "antlr4-python3-runtime", "torchdata"}
    assert {name: image[name] for name in shared} == {name: tested[name] for name in shared}


# Against verl's own metadata


def asked_for(extras: tuple[str, ...] = EXTRAS) -> Iterator[tuple[str, object]]:
    """What the installed verl requires with these extras, on the image's machine."""
    from packaging.requirements import Requirement

    for line in requires("verl") or ():
        requirement = Requirement(line)
        places = [{"extra": extra, "sys_platform": "linux", "python_version": "3.12"} for extra in extras]
        marker = requirement.marker
        if canonical(requirement.name) != "verl" and (
            marker is None or any(marker.evaluate(place) for place in places)
        ):
            yield canonical(requirement.name), requirement.specifier


def unmet(found: Mapping[str, str]) -> list[str]:
    from packaging.specifiers import SpecifierSet

    faults = []
    for name, specifier in asked_for():
        assert isinstance(specifier, SpecifierSet)
        if name not in found:
            faults.append(f"{name} is not pinned")
        elif not specifier.contains(found[name]):
            faults.append(f"{name} {found[name]} is not {specifier}")
    return faults


@pytest.mark.verl
def test_every_version_is_one_that_verl_asks_for() -> None:
    exact = {name: str(specifier) for name, specifier in asked_for() if str(specifier).startswith("==")}
    assert exact["torch"] == "==2.11.0"
    assert exact["vllm"] == "==0.24.0"
    assert exact["transformers"] == "==5.9.0"
    assert exact["flash-attn"] == "==2.8.3"
    assert unmet(pins()) == []


@pytest.mark.verl
def test_the_negative_control_of_the_versions() -> None:
    changed = pins() | {"torch": "2.11.1", "tensordict": "0.9.0"}
    del changed["vllm"]
    assert set(unmet(changed)) == {
        "torch 2.11.1 is not ==2.11.0",
        "tensordict 0.9.0 is not !=0.9.0,<=0.10.0,>=0.8.0",
        "vllm is not pinned",
    }
