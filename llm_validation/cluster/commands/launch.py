"""``qae cluster launch``: submit a run to a Ray or Slurm cluster; asked again, it goes on with the run.

What submitting means is in ``llm_validation.cluster.jobs``; this module reads arguments and prints.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_validation.cluster.commands.check import composed
from qae_theory.commands.ending import fail

if TYPE_CHECKING:
    from llm_validation.cluster.jobs.backends import Backend


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command(
        "launch",
        epilog="Examples: qae cluster launch smoke-qae cluster.data=/shared/data --root /shared/jobs "
        "--ray http://head:8265 | qae cluster launch qwen3-8b-clip-higher-qae --root /shared/jobs --slurm "
        "--sbatch partition=gpu --sbatch time=2-00:00:00 --dry-run",
    )(launch)


def launch(
    experiment: Annotated[str, typer.Argument(help="A row of the paper; `qae cluster plan` lists them.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Hydra overrides.")] = None,
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="Folder of jobs, on storage that every node sees.")
    ] = Path("jobs"),
    ray: Annotated[
        str | None, typer.Option("--ray", metavar="ADDRESS", help="Ray's job server, such as http://head:8265.")
    ] = None,
    slurm: Annotated[bool, typer.Option("--slurm", help="Submit with sbatch, from a login node.")] = False,
    nodes: Annotated[int | None, typer.Option("--nodes", min=1, help="Nodes; trainer.nnodes if not given.")] = None,
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="Starts of the trainer in one submission.")] = 3,
    python: Annotated[str, typer.Option("--python", help="The interpreter on the cluster.")] = "python",
    sbatch: Annotated[
        list[str] | None, typer.Option("--sbatch", metavar="OPTION", help="Slurm: partition=gpu; repeatable.")
    ] = None,
    setup: Annotated[
        list[str] | None, typer.Option("--setup", metavar="LINE", help="Slurm: a shell line before all; repeatable.")
    ] = None,
    container: Annotated[
        str, typer.Option("--container", metavar="WORDS", help="Slurm: words before every command on a node.")
    ] = "",
    cpus: Annotated[int | None, typer.Option("--cpus", min=1, help="Slurm: processors a node.")] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Check here first; the job checks anyway.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be submitted, and write nothing.")
    ] = False,
    extra: Annotated[str, typer.Option("--job-options", hidden=True)] = "",
) -> None:
    """Check a run and submit it. A run that died is submitted again and resumes from its newest checkpoint.

    Exit status: 0 when it is submitted, runs or is finished; 1 when a check failed or it was not taken; 2 for wrong
    usage, or where verl is not installed.
    """
    if (ray is None) != slurm:  # neither or both: `slurm` is a flag and `ray` an address
        fail("cluster launch", "give one of --ray ADDRESS and --slurm", 2)
    if not slurm and (sbatch or setup or container or cpus):
        fail("cluster launch", "--sbatch, --setup, --container and --cpus are for --slurm", 2)
    if root.exists() and not root.is_dir():
        fail("cluster launch", f"--root must be a folder; {str(root)!r} is a file", 2)
    wanted = [*(overrides or ()), *([] if nodes is None else [f"trainer.nnodes={nodes}"])]
    config = composed(experiment, wanted, "launch")
    try:
        backend = (
            _ray(ray)
            if ray is not None
            else _slurm(config, cpus=cpus, sbatch=sbatch or (), setup=setup or (), container=shlex.split(container))
        )
    except ValueError as error:
        fail("cluster launch", str(error), 2)
    job = {"attempts": attempts, "python": python, "extra": shlex.split(extra)}
    if dry_run:
        _show(experiment, wanted, root, backend, job)
        return
    if check:
        _check(experiment, config, wanted, root)
    _launch(experiment, wanted, config=config, root=root, backend=backend, job=job)


def _ray(address: str) -> Backend:
    """Return the job server of a Ray cluster."""
    from llm_validation.cluster.jobs.on_ray import RayJobs

    return RayJobs(address)


def _slurm(
    config: Any, *, cpus: int | None, sbatch: Sequence[str], setup: Sequence[str], container: Sequence[str]
) -> Backend:
    """Return Slurm with the run's own nodes and GPUs.

    Raises:
        ValueError: an option of ``sbatch`` is none.
    """
    from llm_validation.cluster.jobs.on_slurm import SlurmJobs
    from llm_validation.verl_engine.configuration.record import read

    trainer = read(config).trainer
    return SlurmJobs(
        nodes=trainer.nodes.value,
        gpus_per_node=trainer.gpus_per_node.value if trainer.device.value == "cuda" else 0,
        cpus_per_node=cpus,
        options=tuple(sbatch),
        setup=tuple(setup),
        container=tuple(container),
    )


def _show(experiment: str, overrides: Sequence[str], root: Path, backend: Backend, job: dict[str, Any]) -> None:
    """Print what would be submitted; the folder goes to stderr, so that the output is the script or command alone."""
    from llm_validation.cluster.jobs.backends import job_command
    from llm_validation.cluster.jobs.folder import job_folder

    # Absolute, because the job runs in another working directory and perhaps on another machine.
    folder = job_folder(root.absolute(), experiment, overrides)
    print(f"launch: the job's folder would be {folder.path}", file=sys.stderr)
    print(backend.shown(folder, job_command(folder, **job)), end="")


def _check(experiment: str, config: Any, overrides: Sequence[str], root: Path) -> None:
    """Check the run, print what is not in order, and end the command where a check failed."""
    from llm_validation.cluster.checks.all import checks
    from llm_validation.cluster.jobs.folder import job_folder

    results = checks(experiment, config, job_dir=job_folder(root.absolute(), experiment, overrides).path)
    for check in results:
        if check.state != "ok":
            print(f"launch: {check.state}: {check.name}: {check.sentence}")
    if not all(check.passed for check in results):
        fail("cluster launch", "a check failed: nothing was submitted", 1)


def _launch(
    experiment: str, overrides: Sequence[str], *, config: Any, root: Path, backend: Backend, job: dict[str, Any]
) -> None:
    """Submit the job and print what has been done; the configuration as it is composed here is kept beside it."""
    from omegaconf import OmegaConf

    from llm_validation.cluster.jobs.backends import BackendError
    from llm_validation.cluster.jobs.folder import JobFolderError
    from llm_validation.cluster.jobs.launch import launch as submit

    resolved = OmegaConf.to_yaml(config, resolve=True)
    try:
        launched = submit(experiment, overrides, root=root, backend=backend, resolved=resolved, **job)
    except (BackendError, JobFolderError, OSError) as error:
        fail("cluster launch", " ".join(str(error).split()), 1)
    print(f"launch: {launched.sentence}")
