"""The paper's rows as verl configurations: experiment files composed with Hydra over the installed verl's own defaults.

``python -m verl.trainer.main_ppo --config-dir <config_dir()> +experiment=<name>`` composes the same configuration: the
files hold everything, this module adds only the names and errors of one line. verl is found, never imported.
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
    """verl, or the Hydra that it brings, is not installed here."""


def config_dir() -> Path:
    """The folder to give to ``--config-dir``."""
    return Path(__file__).with_name("configs")


def experiments() -> tuple[str, ...]:
    """The names of the experiments, in alphabetical order; one file each."""
    return tuple(sorted(path.stem for path in (config_dir() / "experiment").glob("*.yaml")))


def describe(experiment: str) -> str:
    """What an experiment is for, such as the row of the paper: the comment below its file's package header.

    Raises:
        ValueError: an unknown experiment.
    """
    return _file_of(experiment).read_text(encoding="utf-8").splitlines()[1].removeprefix("#").strip()


def compose(experiment: str, overrides: Sequence[str] = ()) -> Any:
    """The configuration (``DictConfig``) that verl gets, from an experiment and further Hydra overrides.

    Raises:
        ValueError: an unknown experiment, or an override that does not parse or names no key.
        MissingVerl: verl or Hydra is not installed.
    """
    _file_of(experiment)
    return compose_verl([f"+experiment={experiment}", *overrides])


def compose_verl(overrides: Sequence[str] = ()) -> Any:
    """verl's own configuration with overrides; ``part/<kind>=<name>`` and ``+experiment=<name>`` name files of ours.

    Raises:
        ValueError: an override that does not parse or names no key.
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
        with initialize_config_dir(config_dir=str(source), version_base=None):
            return hydra_compose(config_name=PRIMARY, overrides=[ours, *overrides])
    except (HydraException, OmegaConfBaseException) as error:
        says = " ".join(str(error).split())
        refuse("overrides", list(overrides), f"Hydra overrides of the composed configuration ({says})")


def _file_of(experiment: str) -> Path:
    if experiment not in experiments():
        refuse("experiment", experiment, f"one of {', '.join(experiments())}")
    return config_dir() / "experiment" / f"{experiment}.yaml"


def _verl_configs() -> Path:
    """The folder of verl's configurations; found without an import, which would take seconds and load plug-ins."""
    verl, hydra = find_spec("verl"), find_spec("hydra")
    if verl is None or hydra is None or not verl.submodule_search_locations:
        raise MissingVerl(f"composing a configuration needs verl and Hydra; install them with: {INSTALL}")
    return Path(verl.submodule_search_locations[0]) / "trainer" / "config"
