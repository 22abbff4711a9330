"""Say what pydantic refuses in this project's words: the argument, what is allowed, and the value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from qae_theory.runs.names import did_you_mean

_INTEGER, _NUMBER, _TEXT, _TRUTH = "an integer", "a number", "a text", "true or false"
# What is allowed, by pydantic's type of error; a function of the error's context where a limit belongs in it.
_ALLOWED: Mapping[str, str | Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        "int_type": _INTEGER,
        "int_parsing": _INTEGER,
        "int_from_float": _INTEGER,
        "int_parsing_size": "an integer of fewer digits",
        "float_type": _NUMBER,
        "float_parsing": _NUMBER,
        "finite_number": "a finite number",
        "bool_type": _TRUTH,
        "bool_parsing": _TRUTH,
        "string_type": _TEXT,
        "path_type": "a path",
        "list_type": "a list",
        "tuple_type": "a list",
        "dict_type": "a table",
        "mapping_type": "a table",
        "model_type": "a table",
        "model_attributes_type": "a table",
        "greater_than_equal": lambda limits: f">= {limits['ge']:g}",
        "greater_than": lambda limits: f"> {limits['gt']:g}",
        "less_than_equal": lambda limits: f"<= {limits['le']:g}",
        "less_than": lambda limits: f"< {limits['lt']:g}",
        "literal_error": lambda limits: str(limits["expected"]),
        "enum": lambda limits: str(limits["expected"]),
        "string_too_short": lambda limits: f"a text of at least {limits['min_length']} characters",
        "string_too_long": lambda limits: f"a text of at most {limits['max_length']} characters",
        "too_short": lambda limits: f"a list of at least {limits['min_length']}",
        "too_long": lambda limits: f"a list of at most {limits['max_length']}",
    }
)


def refused(error: ValidationError, model: type[BaseModel] | None = None, *, name: str = "") -> str:
    """Return the first thing that is wrong, as one line: ``ARGUMENT must be ALLOWED; got VALUE``.

    Args:
        error: from pydantic.
        model: the settings that were checked, whose fields may be what an unknown name meant.
        name: the argument, where the error itself does not place it.
    """
    first, *others = error.errors(include_url=False)
    place = ".".join(map(str, first["loc"])) or name
    more = f" (and {len(others)} more)" if others else ""
    return " ".join(f"{_sentence(first, place, model)}{more}".split())


def _sentence(error: Any, place: str, model: type[BaseModel] | None) -> str:
    kind, value = error["type"], error["input"]
    shown = "" if isinstance(value, Mapping) else f"; got {value!r}"
    if kind == "extra_forbidden":
        unknown = str(error["loc"][-1])
        meant = did_you_mean(unknown, (field for field in _fields(model) if field != unknown)) if model else ""
        return f"{place} is not a field of this configuration{shown}{meant}"
    if kind == "missing":
        return f"{place} must be given"
    if kind in _ALLOWED:
        allowed = _ALLOWED[kind]
        return f"{place} must be {allowed if isinstance(allowed, str) else allowed(error.get('ctx', {}))}{shown}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message.replace("Input should be", "must be", 1)
    # A check of this project's own names its argument and the value already.
    if message.startswith(f"{place} "):
        place = ""
    separator = " " if message.startswith("must be") else ": " if place else ""
    return f"{place}{separator}{message}{'' if '; got ' in message else shown}"


def _fields(model: type[BaseModel]) -> Iterator[str]:
    """Yield the names of the fields of a model, then those of the models inside it."""
    yield from model.model_fields
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            yield from _fields(inner)


def _models(annotation: Any) -> Sequence[type[BaseModel]]:
    """Return the models that an annotation names, inside lists and unions too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
