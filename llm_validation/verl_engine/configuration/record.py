"""Hold the record of a run's settings, and read it from a composed configuration or from a logged one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_validation.verl_engine.configuration.actor import Actor
from llm_validation.verl_engine.configuration.algorithm import Algorithm
from llm_validation.verl_engine.configuration.data import Data
from llm_validation.verl_engine.configuration.model import Model
from llm_validation.verl_engine.configuration.probe import Probe
from llm_validation.verl_engine.configuration.reward import Reward
from llm_validation.verl_engine.configuration.rollout import Rollout
from llm_validation.verl_engine.configuration.setting import Lookup, Missing, read_part
from llm_validation.verl_engine.configuration.trainer import Trainer
from qae_theory.checks import refuse


@dataclass(frozen=True)
class Configuration:
    """The settings of one run that this suite looks at, by topic.

    Reading checks nothing: a setting holds what was stated, of whatever type, so that one bad value does not keep
    another from being looked at. Each is checked by who uses it.
    """

    algorithm: Algorithm
    data: Data
    model: Model
    actor: Actor
    rollout: Rollout
    reward: Reward
    trainer: Trainer
    probe: Probe


def read(config: Any) -> Configuration:
    """Return the settings of a composed configuration.

    Args:
        config: a ``DictConfig``, or nested mappings with verl's keys.

    Raises:
        ValueError: it is no configuration, or an interpolation in it does not resolve.
    """
    tree = nested(config)

    # A key whose parent is null or no mapping is missing too: Hydra allows `table: null`.
    def lookup(key: str) -> Any:
        node: Any = tree
        for name in key.split("."):
            if not isinstance(node, Mapping) or name not in node:
                return Missing.KEY
            node = node[name]
        return node

    return _from(lookup)


def read_flat(flat: Mapping[str, Any]) -> Configuration:
    """Return the settings that a logged run left behind as scalars by dotted key.

    A table as a whole, such as ``Algorithm.table``, is not among them.

    Args:
        flat: the result of :func:`llm_validation.verl_engine.configuration.flat_yaml.flat_scalars`.
    """
    return _from(lambda key: flat.get(key, Missing.KEY))


def nested(config: Any) -> Mapping[str, Any]:
    """Return a configuration as nested mappings with its interpolations resolved.

    Args:
        config: a ``DictConfig``, or nested mappings.

    Raises:
        ValueError: it is no configuration, or an interpolation in it does not resolve.
    """
    # OmegaConf is not part of the base install, and a plain mapping does not need it.
    if type(config).__module__.startswith("omegaconf"):
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        try:
            config = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
        except OmegaConfBaseException as error:
            raise ValueError(f"the configuration does not resolve: {' '.join(str(error).split())}") from error
    if not isinstance(config, Mapping):
        refuse("config", config, "a configuration: nested mappings")
    return config


def _from(lookup: Lookup) -> Configuration:
    """Return the record whose every setting is looked up by its dotted key."""
    return Configuration(
        algorithm=read_part(Algorithm, lookup),
        data=read_part(Data, lookup),
        model=read_part(Model, lookup),
        actor=read_part(Actor, lookup),
        rollout=read_part(Rollout, lookup),
        reward=read_part(Reward, lookup),
        trainer=read_part(Trainer, lookup),
        probe=read_part(Probe, lookup),
    )
