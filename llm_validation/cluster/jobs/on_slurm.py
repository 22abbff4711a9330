"""Submit jobs to Slurm: a batch script starts Ray on its nodes and runs the job on the first of them.

Two minutes before the time limit Slurm signals the script, which ends the job and puts it back into the queue; the job
resumes from its newest checkpoint. A job that a person cancels is not queued again.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from llm_validation.cluster.jobs.backends import BackendError
from llm_validation.cluster.jobs.folder import JobFolder
from qae_theory.checks import refuse
from qae_theory.runs.files import write_atomically

WARNING_SECONDS = 120  # before the time limit; the trainer has half of it (`job.GRACE`) before it is killed
SCRIPT = "job.sbatch"
_OPTION = re.compile(r"[a-z][a-z-]*(=\S.*)?")


@dataclass(frozen=True)
class SlurmJobs:
    """Submit to the Slurm cluster of this machine.

    Attributes:
        nodes: number of nodes of the run.
        gpus_per_node: GPUs of each node; 0 asks for none.
        cpus_per_node: processors of each node for Ray; None takes what Slurm gives the task.
        options: options of ``sbatch`` without their dashes: ``partition=gpu``, ``time=2-00:00:00``, ``account=x``.
        setup: shell lines that make ``ray`` and the package available, such as ``source /shared/venv/bin/activate``.
        container: words before every command on a node: ``apptainer exec --nv image.sif``, or options of ``srun`` such
            as ``--container-image=image.sqsh --container-mounts=/shared``.
        name: by which a job's folder records this scheduler.

    Raises:
        ValueError: one of ``options`` is no long option.
    """

    nodes: int
    gpus_per_node: int
    cpus_per_node: int | None = None
    options: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    container: tuple[str, ...] = ()
    name: str = "slurm"

    def __post_init__(self) -> None:
        for option in self.options:
            if not _OPTION.fullmatch(option):
                refuse("sbatch option", option, "a long option of sbatch without dashes, such as partition=gpu")

    def submission_id(self, folder: JobFolder, number: int) -> None:
        """Return None: Slurm numbers its jobs itself."""

    def submit(self, folder: JobFolder, submission: str | None, arguments: Sequence[str]) -> str:
        """Write the script into the job's folder, hand it to ``sbatch``, and return the number of the Slurm job."""
        path = folder.path / SCRIPT
        folder.logs.mkdir(parents=True, exist_ok=True)  # Slurm opens its output there, and makes no folder
        write_atomically(path, self.shown(folder, arguments))
        # With --parsable the last line is "number" or "number;cluster"; a site's own sbatch may print lines before it.
        answer = _asked(["sbatch", "--parsable", str(path)]).strip().splitlines()
        number = answer[-1].partition(";")[0] if answer else ""
        if not number.isdecimal():
            raise BackendError(f"sbatch answered {' '.join(answer)!r}, which is no job id")
        return number

    def state(self, folder: JobFolder, submission: str | None) -> str | None:
        """Return Slurm's word for a job in its queue (``pending``, ``running``, ...), or None where it has no such job.

        A job whose number is not known yet is found by its name among the user's own.
        """
        asked = ["--jobs", submission] if submission else ["--me", "--name", folder.name]
        try:
            answer = _asked(["squeue", "--noheader", "--format", "%T", *asked])
        except BackendError as error:
            if "Invalid job id" in str(error):  # squeue forgets a job some minutes after its end
                return None
            raise
        states = answer.split()
        return states[0].lower() if states else None

    def shown(self, folder: JobFolder, arguments: Sequence[str]) -> str:
        """Return the batch script."""
        directives = [
            f"job-name={folder.name}",
            f"nodes={self.nodes}",
            "ntasks-per-node=1",
            *([f"gpus-per-node={self.gpus_per_node}"] if self.gpus_per_node else []),
            *([f"cpus-per-task={self.cpus_per_node}"] if self.cpus_per_node else []),
            f"output={folder.logs}/slurm-%j.out",
            "open-mode=append",
            "requeue",
            f"signal=B:USR1@{WARNING_SECONDS}",
            *self.options,
        ]
        container = " ".join(map(shlex.quote, self.container))
        return _TEMPLATE.format(
            directives="\n".join(f"#SBATCH --{directive}" for directive in directives),
            setup="\n".join(self.setup) or ":",
            container=f" {container}" if container else "",
            job_dir=shlex.quote(str(folder.path)),
            gpus=self.gpus_per_node,
            job=shlex.join(arguments),
        )


def _asked(arguments: Sequence[str]) -> str:
    """Return what a command of Slurm prints.

    Raises:
        BackendError: the command is missing, fails, or does not answer within two minutes.
    """
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        raise BackendError(f"{arguments[0]} is not on this machine: launch from a login node of the cluster") from None
    except subprocess.TimeoutExpired:
        raise BackendError(f"{arguments[0]} did not answer within 120 s") from None
    if done.returncode:
        raise BackendError(f"{arguments[0]} failed: {' '.join(done.stderr.split())}")
    return done.stdout


# One Ray head on the first node, one worker on each of the others, the job beside the head.
_TEMPLATE = """\
#!/bin/bash
{directives}

set -uo pipefail
{setup}

job_dir={job_dir}
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="$job_dir/.ray-token-$SLURM_JOB_ID"
(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' >"$RAY_AUTH_TOKEN_PATH")

on_node() {{ # NODE NAME COMMAND...
    local node=$1 name=$2
    shift 2
    srun --overlap --nodes=1 --ntasks=1 --nodelist="$node" --job-name="$name"{container} "$@"
}}

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${{nodes[0]}}
address=$(on_node "$head" address hostname --all-ip-addresses | awk '{{print $1; exit}}')
port=$((20000 + SLURM_JOB_ID % 20000))
export RAY_ADDRESS="$address:$port"
ray=(--disable-usage-stats --num-gpus={gpus})
if [ -n "${{SLURM_CPUS_PER_TASK:-}}" ]; then
    ray+=(--num-cpus="$SLURM_CPUS_PER_TASK")
fi

on_node "$head" head ray start --head --node-ip-address="$address" --port="$port" --include-dashboard=false \\
    "${{ray[@]}}" --block &
for ((i = 0; i < 60; i++)); do
    on_node "$head" health ray health-check --address "$RAY_ADDRESS" >/dev/null 2>&1 && break
    sleep 2
done
for node in "${{nodes[@]:1}}"; do
    on_node "$node" worker ray start --address="$RAY_ADDRESS" "${{ray[@]}}" --block &
done

on_node "$head" job {job} &
job=$!

# srun would kill the job's process on a signal of its own; scancel passes one on.
stop() {{
    local step
    step=$(squeue --noheader --steps --jobs "$SLURM_JOB_ID" --format "%i %j" | awk '$2 == "job" {{print $1; exit}}')
    [ -n "$step" ] && scancel --signal=TERM "$step"
}}
again=no
trap 'again=yes; stop' USR1 # the time limit is near
trap stop TERM
wait "$job"
status=$?
while kill -0 "$job" 2>/dev/null; do # a signal ends the wait, not the job
    wait "$job"
    status=$?
done

rm -f "$RAY_AUTH_TOKEN_PATH"
if [ "$again" = yes ] && [ "$status" -ne 0 ]; then
    echo "the time limit is near: back into the queue"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status" # Slurm ends what still runs on the nodes
"""
