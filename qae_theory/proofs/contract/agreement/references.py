"""Find the references: in ``tests/reference`` of a checkout, or beside this package in a wheel.

They import nothing from this package. Their folder is loaded by its path, under a name of its own.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

NAME = "qae_reference"
_CHECKOUT = Path(__file__).parents[4] / "tests" / "reference"
_WHEEL = Path(__file__).parents[1] / "reference"


def missing(effort: object = None) -> str | None:
    """Return what evidence lacks without the references, None where they are there."""
    del effort
    return None if _folder() else "no references: run from a checkout, whose tests/reference has them"


def reference(topic: str) -> Any:
    """Return the references of one topic.

    Args:
        topic: a module of the folder, such as ``groups``.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    _package()
    return import_module(f"{NAME}.{topic}")


@cache
def _package() -> Any:
    folder = _folder()
    if folder is None:
        raise FileNotFoundError(missing())
    spec = spec_from_file_location(NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None  # the file is there
    assert spec.loader is not None
    package = module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)
    return package


def _folder() -> Path | None:
    return next((folder for folder in (_CHECKOUT, _WHEEL) if (folder / "groups.py").is_file()), None)
