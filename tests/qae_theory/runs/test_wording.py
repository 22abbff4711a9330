"""Every refusal of settings is a sentence of this project: the argument, what is allowed, the value."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, field_validator

from qae_theory.runs.settings import Strict, checked, read_setting, read_table


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Inner(Strict):
    group_size: Annotated[int, Field(ge=2)] = 4


class Outer(Strict):
    steps: Annotated[int, Field(gt=0, le=9)] = 1
    rate: Annotated[float, Field(ge=0, lt=1)] = 0.5
    quick: bool = False
    name: Annotated[str, Field(min_length=2, max_length=4)] = "ab"
    kind: Literal["sgd", "adam"] = "sgd"
    colour: Colour = Colour.RED
    rules: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)] = ("qae",)
    inner: Inner = Inner()
    path: Path = Path()
    table: dict[str, int] = Field(default_factory=dict)

    @field_validator("rate")
    @classmethod
    def not_a_third(cls, value: float) -> float:
        if value == 0.33:
            raise ValueError("rate must be no third; got 0.33")
        if value == 0.66:
            raise ValueError("two thirds are too many")
        return value


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"steps": "x"}, "steps must be an integer; got 'x'"),
        ({"steps": 1.5}, "steps must be an integer; got 1.5"),
        ({"steps": [1]}, "steps must be an integer; got [1]"),
        ({"steps": 0}, "steps must be > 0; got 0"),
        ({"steps": 10}, "steps must be <= 9; got 10"),
        ({"rate": -1.0}, "rate must be >= 0; got -1.0"),
        ({"rate": 1.0}, "rate must be < 1; got 1.0"),
        ({"rate": "x"}, "rate must be a number; got 'x'"),
        ({"rate": 0.33}, "rate must be no third; got 0.33"),
        ({"rate": 0.66}, "rate: two thirds are too many; got 0.66"),
        ({"quick": "perhaps"}, "quick must be true or false; got 'perhaps'"),
        ({"quick": [1]}, "quick must be true or false; got [1]"),
        ({"name": 3}, "name must be a text; got 3"),
        ({"name": "a"}, "name must be a text of at least 2 characters; got 'a'"),
        ({"name": "abcde"}, "name must be a text of at most 4 characters; got 'abcde'"),
        ({"kind": "adm"}, "kind must be 'sgd' or 'adam'; got 'adm'"),
        ({"colour": "blue"}, "colour must be 'red' or 'green'; got 'blue'"),
        ({"rules": 3}, "rules must be a list; got 3"),
        ({"rules": []}, "rules must be a list of at least 1; got []"),
        ({"rules": ["a", "b", "c"]}, "rules must be a list of at most 2; got ['a', 'b', 'c']"),
        ({"rules": ["a", 2]}, "rules.1 must be a text; got 2"),
        ({"inner": 3}, "inner must be a table; got 3"),
        ({"table": 3}, "table must be a table; got 3"),
        ({"path": 3}, "path must be a path; got 3"),
        ({"inner": {"group_size": 1}}, "inner.group_size must be >= 2; got 1"),
        ({"stepz": 1}, "stepz is not a field of this configuration; got 1; did you mean steps?"),
        ({"inner": {"groupsize": 1}}, "inner.groupsize is not a field of this configuration; got 1; did you mean "),
        ({"nothing_like_it": 1}, "nothing_like_it is not a field of this configuration; got 1"),
        ({"steps": 0, "rate": -1.0}, "steps must be > 0; got 0 (and 1 more)"),
    ],
)
def test_a_refusal_names_argument_allowed_and_value(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r"must|not|many") as caught:
        checked(Outer, [given])
    line = str(caught.value)
    assert line == says or (says.endswith("mean ") and line == f"{says}group_size?")
    assert "Input" not in line


def test_the_same_words_from_a_file_and_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('steps = "x"\n', encoding="utf-8")
    for table in (read_table(path, quick=False), read_setting('steps="x"')):
        with pytest.raises(ValueError, match=r"^steps must be an integer; got 'x'$"):
            checked(Outer, [table])


def test_what_is_missing_must_be_given() -> None:
    class Needs(Strict):
        steps: int

    with pytest.raises(ValueError, match=r"^steps must be given$"):
        checked(Needs, [{}])
