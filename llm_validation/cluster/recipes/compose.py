"""Compose the paper's rows as verl configurations: experiment files, put by Hydra over the installed verl's defaults.

``python -m verl.trainer.main_ppo --config-dir <config_dir()> +experiment=<name>`` composes the same configuration,
because the files hold every setting; this module only adds the names of the experiments and errors of one line. It
looks verl up and never imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qae_theory.checks import refuse

# verl's own primary configuration, on which every experiment stands.
PRIMARY = "ppo_trainer"
INSTALL = "pip install 'qae-verification[verl]' -c constraints-verl.txt"


class MissingVerl(RuntimeError):  # noqa: N818  # a state of this machine, not a fault
    """Raised where verl, or the Hydra that verl brings, is not installed on this machine."""


def config_dir() -> Path:
    """Return the folder to give to Hydra's ``--config-dir``."""
    return Path(__file__).with_name("configs")


def experiments() -> tuple[str, ...]:
    """Return the names of the experiments in alphabetical order; each has a file of its own."""
    return tuple(sorted(path.stem for path in (config_dir() / "experiment").glob("*.yaml")))


def describe(experiment: str) -> str:
    """Return what an experiment is for, such as the row of the paper that it repeats.

    The sentence is the comment in the second line of the experiment's file, below the package header that Hydra needs.

    Raises:
        ValueError: no experiment has this name.
    """
    # The first line is Hydra's `# @package _global_`; the description stands in the second.
    return _file_of(experiment).read_text(encoding="utf-8").splitlines()[1].removeprefix("#").strip()


def compose(experiment: str, overrides: Sequence[str] = ()) -> Any:
    """Return the configuration (a ``DictConfig``) that verl gets for an experiment.

    Args:
        experiment: one of :func:`experiments`.
        overrides: further Hydra overrides, which win over the experiment's file.

    Raises:
        ValueError: no experiment has this name, or an override does not parse or names no key.
        MissingVerl: verl or Hydra is not installed.
    """
    # The name is looked up first, so that a wrong one is reported as such and not as a missing Hydra file.
    _file_of(experiment)
    return compose_verl([f"+experiment={experiment}", *overrides])


def compose_verl(overrides: Sequence[str] = ()) -> Any:
    """Return verl's own configuration (a ``DictConfig``) with overrides.

    Args:
        overrides: Hydra overrides; ``part/<kind>=<name>`` and ``+experiment=<name>`` name files of :func:`config_dir`.

    Raises:
        ValueError: an override does not parse or names no key.
        MissingVerl: verl or Hydra is not installed.
    """
    source = _verl_configs()
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    # The same two places in the same order as on the command line: verl's own, then --config-dir.
    ours = f"hydra.searchpath=[file://{config_dir()}]"
    try:
        # Without `version_base=None` Hydra would warn that no version of its defaults was chosen.
        with initialize_config_dir(config_dir=str(source), version_base=None):
            return hydra_compose(config_name=PRIMARY, overrides=[ours, *overrides])
    except (HydraException, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())  # Hydra's messages have several lines, an error here has one
        refuse("overrides", list(overrides), f"Hydra overrides of the composed configuration ({reason})")


def _file_of(experiment: str) -> Path:
    """Return the file of an experiment, which must exist."""
    if experiment not in experiments():
        refuse("experiment", experiment, f"one of {', '.join(experiments())}")
    return config_dir() / "experiment" / f"{experiment}.yaml"


def _verl_configs() -> Path:
    """Return the folder of verl's configurations without importing verl, which takes seconds and loads plug-ins."""
    verl, hydra = find_spec("verl"), find_spec("hydra")
    if verl is None or hydra is None or not verl.submodule_search_locations:
        raise MissingVerl(f"composing a configuration needs verl and Hydra; install them with: {INSTALL}")
    return Path(verl.submodule_search_locations[0]) / "trainer" / "config"
