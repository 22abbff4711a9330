"""Tell where each setting of an experiment comes from: the paper, a released script, or a choice with its reason.

The rules are in ``configs/sources.toml``. A setting that differs from verl's default is a fault if it has no rule, and
any setting is one if its value is not that of its rule. Values are compared here, never changed.
"""

from __future__ import annotations

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
    """State the source of one key, for the experiments whose names match.

    Attributes:
        key: dotted key of the composed configuration.
        where: the place of the value, as in :func:`look_up`, or ``"choice"``.
        experiments: patterns of the experiments' names, as in a shell.
        value: the value that the setting must have, given for a choice only; otherwise it is looked up at ``where``.
        form: text with ``{}`` where the value goes, for a setting that contains the value.
        note: the reason for a choice.
        open: what the paper does not say and this setting fills in.
    """

    key: str
    where: str
    experiments: tuple[str, ...] = ("*",)
    value: Any = None
    form: str = "{}"
    note: str = ""
    open: str = ""

    def expected(self, experiment: str) -> Any:
        """Return the value that the source gives for an experiment."""
        value = self.value if self.where == CHOICE else look_up(self.where)
        # A choice may be the name of the experiment itself, as for `trainer.experiment_name`.
        if value == "{experiment}":
            return experiment
        return value if self.form == "{}" else self.form.replace("{}", str(value))


@dataclass(frozen=True)
class Source:
    """Hold the rules of one key in the order of the file."""

    key: str
    rules: tuple[Rule, ...]

    def rule(self, experiment: str) -> Rule | None:
        """Return the first rule that matches the experiment, or None where none does."""
        for rule in self.rules:
            if any(fnmatchcase(experiment, pattern) for pattern in rule.experiments):
                return rule
        return None


@cache
def sources() -> Mapping[str, Source]:
    """Return the source of every key that has one, by key, in the order of ``sources.toml``."""
    rules_by_key: dict[str, list[Rule]] = {}
    for table in toml_file("sources.toml")["rule"]:
        rule = Rule.model_validate(table)
        rules_by_key.setdefault(rule.key, []).append(rule)
    return {key: Source(key, tuple(rules)) for key, rules in rules_by_key.items()}


def look_up(where: str) -> Any:
    """Return the value at a place in the paper's facts or in a released script.

    Args:
        where: ``paper_facts:<JSON pointer>``, or ``paper_facts:<JSON pointer>#name`` for the last name of the pointer
            itself; or ``<script>:<name>`` for a value in ``configs/scripts.toml``.

    Raises:
        LookupError: there is no such place.
    """
    document, _, place = where.partition(":")
    if document != "paper_facts":
        return toml_file("scripts.toml")[document]["values"][place]
    pointer, _, name = place.partition("#")
    value: Any = paper_facts()
    # A JSON pointer begins with a slash, so that the first part is empty.
    for step in pointer.split("/")[1:]:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return pointer.rpartition("/")[2] if name else value


def composed_numbers(config: Any) -> dict[str, Any]:
    """Return the leaves in which a configuration differs from verl's own, by dotted key, interpolations unresolved.

    Args:
        config: the result of :func:`llm_validation.cluster.recipes.compose.compose`.

    Raises:
        MissingVerl: verl is not installed.
    """
    ours, stock = leaves(_as_written(config)), _stock()
    return {key: value for key, value in ours.items() if key not in stock or stock[key] != value}


def config_faults(experiment: str, config: Any) -> list[str]:
    """Return the settings of a composed configuration that have no source or differ from it, one sentence each.

    Args:
        experiment: name of the experiment.
        config: the result of :func:`llm_validation.cluster.recipes.compose.compose`.

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
    """Return one sentence for each setting that has no source or another value than its source gives.

    Args:
        experiment: name of the experiment.
        settings: every leaf of its configuration, by dotted key.
        differing: the keys whose values are not verl's own; only these must have a source.
        table: the sources by key, by default those of ``sources.toml``.
    """
    table = sources() if table is None else table
    sentences = []
    for key in sorted({*differing, *table} & {*settings}):
        rule = table[key].rule(experiment) if key in table else None
        if rule is None:
            if key in differing:
                sentences.append(f"{key} = {settings[key]!r} has no source")
        # A setting that equals verl's default is compared as well: another default would change the run unseen.
        elif not same(expected := rule.expected(experiment), settings[key]):
            sentences.append(f"{key} = {settings[key]!r}, but {rule.where} has {expected!r}")
    return sentences


def unused(composed: Mapping[str, Collection[str]], table: Mapping[str, Source] | None = None) -> list[str]:
    """Return one sentence for each rule that no experiment uses.

    Args:
        composed: the keys of each experiment's configuration, by the experiment's name.
        table: the sources by key, by default those of ``sources.toml``.
    """
    table = sources() if table is None else table
    sentences = []
    for source in table.values():
        # Rules are compared by identity: two rules with equal fields are two, one of them superfluous.
        used = {id(source.rule(experiment)) for experiment in composed if source.key in composed[experiment]}
        for rule in source.rules:
            if id(rule) not in used:
                patterns = ", ".join(rule.experiments)
                sentences.append(f"{rule.key} from {rule.where} for {patterns} is used by no experiment")
    return sentences


def open_choices(experiment: str) -> list[str]:
    """Return what the paper leaves open about an experiment and how it is filled in, one sentence each.

    An experiment that repeats no table or figure of the paper has none.

    Raises:
        ValueError: no experiment has this name.
    """
    if not describe(experiment).startswith(("Table", "Figure")):
        return []
    return [rule.open for rule in _rules_of(experiment) if rule.open]


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by dotted key; a list or an empty mapping counts as a value.

    >>> leaves({"a": {"b": 1, "c": [2]}, "d": {}})
    {'a.b': 1, 'a.c': [2], 'd': {}}
    """
    if not isinstance(tree, Mapping) or not tree:
        return {path: tree}
    values: dict[str, Any] = {}
    for key, value in tree.items():
        values |= leaves(value, f"{path}.{key}" if path else str(key))
    return values


def same(expected: Any, found: Any) -> bool:
    """Return whether two settings are equal, as numbers where both read as numbers; True and False are no numbers.

    >>> same(0.4, "0.4"), same(1, 1.0), same(0, False)
    (True, True, False)
    """
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    try:
        # Fractions of the decimal text, because YAML reads `1e-6` as text and the float 0.4 is not exactly 4/10.
        return Fraction(str(expected)) == Fraction(str(found))
    except ValueError:
        return bool(expected == found)


def _rules_of(experiment: str) -> Iterable[Rule]:
    """Return the rules that apply to an experiment in the order of the file, those of keys that it lacks included."""
    rules = (source.rule(experiment) for source in sources().values())
    return [rule for rule in rules if rule is not None]


def _as_written(config: Any) -> Any:
    """Return a configuration as plain containers; interpolations such as ``${data.path}`` stay as written."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(config, resolve=False)


@cache
def _stock() -> Mapping[str, Any]:
    """Return the leaves of verl's own configuration, composed once per process."""
    return leaves(_as_written(compose_verl()))


@cache
def toml_file(name: str) -> Mapping[str, Any]:
    """Return what a TOML file beside the recipes holds."""
    return tomllib.loads((config_dir() / name).read_text(encoding="utf-8"))
