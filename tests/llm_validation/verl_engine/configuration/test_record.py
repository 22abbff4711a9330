"""The record of a configuration: what is stated, what is not, and the same from every source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import pytest

from llm_validation.cluster.recipes.sources import leaves
from llm_validation.verl_engine.configuration.record import Configuration, read, read_flat
from llm_validation.verl_engine.configuration.setting import Setting
from tests.llm_validation.cluster.collect.settings_of_runs import tree


def settings(run: Configuration) -> Iterator[Setting[Any]]:
    """Every setting of the record."""
    for part in fields(run):
        values = getattr(run, part.name)
        yield from (getattr(values, one.name) for one in fields(values))


def put(key: str, value: Any) -> dict[str, Any]:
    """Nested mappings that state one key."""
    node: Any = value
    for name in reversed(key.split(".")):
        node = {name: node}
    return dict(node)


def test_no_key_is_read_twice() -> None:
    keys = [setting.key for setting in settings(read({}))]
    assert len(keys) == len(set(keys)) > 70


@pytest.mark.parametrize("key", [setting.key for setting in settings(read({}))])
def test_each_setting_reads_its_own_key_and_no_other(key: str) -> None:
    told = object()
    stated = {setting.key for setting in settings(read(put(key, told))) if setting.value is told}
    assert stated == {key}


def test_what_is_missing_is_apart_from_what_is_null_and_from_a_default() -> None:
    missing, null, given = read({}).trainer.nodes, read(put("trainer.nnodes", None)).trainer.nodes, run_of(3).nodes
    assert (missing.missing, null.missing, given.missing) == (True, False, False)
    assert (missing.stated, null.stated, given.stated) == (False, False, True)
    assert (missing.value, null.value, given.value) == (None, None, 3)
    assert (missing.checked(), null.checked(), given.checked()) == (1, 1, 3)
    assert (missing.checked(default=2), given.checked(default=2)) == (2, 3)
    assert (missing.or_else("x"), null.or_else("x"), given.or_else("x")) == ("x", "x", 3)
    assert (missing.unless_missing("x"), null.unless_missing("x"), given.unless_missing("x")) == ("x", None, 3)


def run_of(nodes: Any) -> Any:
    return read(put("trainer.nnodes", nodes)).trainer


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "2", [2]])
def test_a_value_of_another_kind_is_refused_by_its_key_where_it_is_asked_for(value: Any) -> None:
    setting = run_of(value).nodes  # reading alone refuses nothing
    with pytest.raises(ValueError, match=r"trainer\.nnodes must be an integer >= 1; got") as caught:
        setting.checked()
    assert "\n" not in str(caught.value)
    assert setting.or_else(1) is value


def test_a_setting_without_value_and_default_is_refused() -> None:
    with pytest.raises(ValueError, match=r"trainer\.total_training_steps must be an integer >= 1; got None"):
        read({}).trainer.steps.checked()


@pytest.mark.parametrize("config", [None, 3, "trainer.nnodes=1", ["trainer.nnodes=1"]])
def test_what_is_no_configuration_is_refused(config: Any) -> None:
    with pytest.raises(ValueError, match="config must be a configuration: nested mappings"):
        read(config)


def test_a_scalar_where_a_table_should_be_states_nothing_below_it() -> None:
    assert not read({"trainer": 3}).trainer.nodes.stated


def test_flat_settings_read_as_nested_ones_but_for_whole_tables() -> None:
    nested = read(tree())
    flat = read_flat(leaves(tree()))
    for one, other in zip(settings(nested), settings(flat), strict=True):
        assert one == other or isinstance(one.value, Mapping)
    assert not flat.algorithm.table.stated
    assert nested.algorithm.table.value == tree()["algorithm"]


def test_the_name_is_the_keys_last_word() -> None:
    assert read({}).rollout.group_size.name == "n"


# Keys that verl's own configuration leaves out: some verl reads when they are there, some are of our plug-in.
LEFT_OUT = {
    "actor_rollout_ref.actor.fsdp_config.mixed_precision.param_dtype",
    "actor_rollout_ref.actor.fsdp_config.mixed_precision.reduce_dtype",
    "actor_rollout_ref.model.override_config.attn_implementation",
    "algorithm.advantage_eps",
    "algorithm.advantage_gate",
    "algorithm.advantage_std",
    "algorithm.correct_above",
    "algorithm.quantile_k",
    "cluster.models",
    "reward.custom_reward_function.reward_kwargs",
    "reward.reward_kwargs.max_resp_len",
    "reward.reward_kwargs.overlong_buffer_cfg.enable",
    "reward.reward_kwargs.overlong_buffer_cfg.len",
    "reward.reward_kwargs.overlong_buffer_cfg.penalty_factor",
    "trainer.probe.counterfactual_arms",
    "trainer.probe.counterfactual_every",
    "trainer.probe.every",
}


@pytest.mark.verl
def test_verl_has_every_other_key_and_our_defaults() -> None:
    """A key that verl renames, and a default that it changes, are found here."""
    from tests.llm_validation.cluster.composed import stock

    run = read(stock())
    assert {setting.key for setting in settings(run) if setting.missing} == LEFT_OUT
    for setting in settings(run):
        has_both = setting.stated and setting.default is not None
        if has_both and setting.value != "???":  # which verl leaves to the user
            assert setting.checked() == setting.default, setting.key


@pytest.mark.verl
def test_an_interpolation_that_does_not_resolve_is_one_line() -> None:
    from omegaconf import OmegaConf

    with pytest.raises(ValueError, match="the configuration does not resolve") as caught:
        read(OmegaConf.create({"trainer": {"nnodes": "${nowhere}"}}))
    assert "\n" not in str(caught.value)


@pytest.mark.verl
def test_omegaconf_reads_as_the_mapping_that_it_holds() -> None:
    from omegaconf import OmegaConf

    assert read(OmegaConf.create(tree())) == read(tree())
