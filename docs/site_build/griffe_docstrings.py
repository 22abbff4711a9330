"""The extension of Griffe that turns docstrings into Markdown while it reads them; nothing is imported."""

from __future__ import annotations

from typing import Any

from griffe import Extension, Object

from docs.site_build.docstrings import as_markdown


class Docstrings(Extension):
    """Rewrite every docstring as it is found."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute before Griffe parses it."""
        if obj.docstring is not None:
            module = obj.module.path
            obj.docstring.value = as_markdown(obj.docstring.value, lambda name: _full(name, module))


def _full(name: str, module: str) -> str:
    return name if "." in name else f"{module}.{name}"
