"""Where every setting of an experiment comes from: the paper, a released script, or a choice of ours with its reason.

The rules stand in ``configs/sources.toml``. A setting that has none, or another value than its source, is a
fault.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import cache
from typing import Any

from llm_validation.cluster.recipes.compose import compose_verl, config_dir, describe
from qae_theory.paper import paper_facts
from qae_theory.runs.settings import Strict

CHOICE = "choice"


class Rule(Strict):
    """The source of one key, for the experiments whose names match."""

    key: str
    where: str
    experiments: tuple[str, ...] = ("*",)
    value: Any = None
    """What it must be: given for a choice, else looked up at ``where``."""
    form: str = "{}"
    note: str = ""
    open: str = ""
    """What the paper does not say and this fills in."""

    def expected(self, experiment: str) -> Any:
        """The value that the source gives."""
        value = self.value if self.where == CHOICE else look_up(self.where)
        if value == "{experiment}":
            return experiment
        return value if self.form == "{}" else self.form.replace("{}", str(value))


@dataclass(frozen=True)
class Source:
    """The rules of one key, in the order of the file."""

    key: str
    rules: tuple[Rule, ...]

    def rule(self, experiment: str) -> Rule | None:
        """The first rule that matches the experiment."""
        matching = (rule for rule in self.rules if any(fnmatchcase(experiment, name) for name in rule.experiments))
        return next(matching, None)


@cache
def sources() -> Mapping[str, Source]:
    """Every key that has a source."""
    rules = [Rule.model_validate(table) for table in toml_file("sources.toml")["rule"]]
    return {key: Source(key, tuple(rule for rule in rules if rule.key == key)) for key in {r.key: None for r in rules}}


def look_up(where: str) -> Any:
    """The value at a place.

    Args:
        where: ``paper_facts:<JSON pointer>``, with ``#name`` behind it for the pointer's own last name; or
            ``<script>:<name>``.

    Raises:
        LookupError: nothing stands there.
    """
    document, _, place = where.partition(":")
    if document != "paper_facts":
        return toml_file("scripts.toml")[document]["values"][place]
    pointer, _, name = place.partition("#")
    value: Any = paper_facts()
    for step in pointer.split("/")[1:]:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return pointer.rpartition("/")[2] if name else value


def composed_numbers(config: Any) -> dict[str, Any]:
    """The leaves in which a configuration differs from verl's own, interpolations as written.

    Args:
        config: of :func:`llm_validation.cluster.recipes.compose.compose`.

    Raises:
        MissingVerl: verl is not installed.
    """
    ours, stock = leaves(_as_written(config)), _stock()
    return {key: value for key, value in ours.items() if key not in stock or stock[key] != value}


def config_faults(experiment: str, config: Any) -> list[str]:
    """Settings of a composed configuration that have no source, or another value than it; one sentence each.

    Raises:
        MissingVerl: verl is not installed.
    """
    return faults(experiment, leaves(_as_written(config)), composed_numbers(config))


def faults(
    experiment: str,
    settings: Mapping[str, Any],
    differing: Collection[str],
    table: Mapping[str, Source] | None = None,
) -> list[str]:
    """Settings without a source, or with another value than it.

    Args:
        experiment: its name.
        settings: every leaf of its configuration.
        differing: the leaves that are not verl's own; they need a source.
        table: the sources, by default those of the file.
    """
    table = sources() if table is None else table
    found = []
    for key in sorted({*differing, *table} & {*settings}):
        rule = table[key].rule(experiment) if key in table else None
        if rule is None:
            if key in differing:
                found.append(f"{key} = {settings[key]!r} has no source")
        elif not same(expected := rule.expected(experiment), settings[key]):
            found.append(f"{key} = {settings[key]!r}, but {rule.where} has {expected!r}")
    return found


def unused(composed: Mapping[str, Collection[str]], table: Mapping[str, Source] | None = None) -> list[str]:
    """Rules that no experiment uses.

    Args:
        composed: the keys that each experiment's configuration has, by its name.
        table: the sources, by default those of the file.
    """
    table = sources() if table is None else table
    used = {
        id(source.rule(experiment))
        for source in table.values()
        for experiment in composed
        if source.key in composed[experiment]
    }
    return [
        f"{rule.key} from {rule.where} for {', '.join(rule.experiments)} is used by no experiment"
        for source in table.values()
        for rule in source.rules
        if id(rule) not in used
    ]


def open_choices(experiment: str) -> list[str]:
    """What the paper leaves open about an experiment and how it is filled in; nothing for one that is not the paper's.

    Raises:
        ValueError: an unknown experiment.
    """
    if not describe(experiment).startswith(("Table", "Figure")):
        return []
    return [rule.open for rule in _rules_of(experiment) if rule.open]


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """The values of nested mappings by dotted key; lists and empty mappings are values.

    >>> leaves({"a": {"b": 1, "c": [2]}, "d": {}})
    {'a.b': 1, 'a.c': [2], 'd': {}}
    """
    if not isinstance(tree, Mapping) or not tree:
        return {path: tree}
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= leaves(value, f"{path}.{key}" if path else str(key))
    return found


def same(expected: Any, found: Any) -> bool:
    """Equal as numbers where both are, text that reads as a number included; a truth value is no number.

    >>> same(0.4, "0.4"), same(1, 1.0), same(0, False)
    (True, True, False)
    """
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    try:
        return Fraction(str(expected)) == Fraction(str(found))
    except ValueError:
        return bool(expected == found)


def _rules_of(experiment: str) -> Iterable[Rule]:
    """The rules that count for an experiment, in the order of the file; also those of keys that it may not have."""
    rules = (source.rule(experiment) for source in sources().values())
    return [rule for rule in rules if rule is not None]


def _as_written(config: Any) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.to_container(config, resolve=False)


@cache
def _stock() -> Mapping[str, Any]:
    return leaves(_as_written(compose_verl()))


@cache
def toml_file(name: str) -> Mapping[str, Any]:
    """Return what a TOML file beside the recipes holds."""
    return tomllib.loads((config_dir() / name).read_text(encoding="utf-8"))


@cache
def _paper_facts() -> Any:
    return json.loads((config_dir().parent / "paper_facts.json").read_text(encoding="utf-8"))
