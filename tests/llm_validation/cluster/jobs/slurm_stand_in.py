"""Commands of Slurm and Ray that do on one machine what the batch script asks of them. No tests are here.

``sbatch`` takes the script and runs it in the background, with the variables that Slurm sets; the others act on what
it left in a folder. A run with the real Slurm is described in the documentation.
"""

from __future__ import annotations

import os
from pathlib import Path

SBATCH = r"""#!/bin/bash
[ -e "$STAND_IN/refuses" ] && { echo "sbatch: error: invalid partition" >&2; exit 1; }
script=${!#}
number=$(($(cat "$STAND_IN/number" 2>/dev/null || echo 100) + 1))
echo "$number" >"$STAND_IN/number"
echo "$*" >>"$STAND_IN/sbatch"
output=$(sed -n 's/^#SBATCH --output=//p' "$script")
export SLURM_JOB_ID=$number SLURM_JOB_NODELIST=${STAND_IN_NODES:-one} SLURM_CPUS_PER_TASK=2
setsid bash "$script" >"${output//%j/$number}" 2>&1 </dev/null &
echo $! >"$STAND_IN/job.$number"
echo "$number;cluster"
"""
SQUEUE = r"""#!/bin/bash
[ -e "$STAND_IN/squeue-fails" ] && { echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1; }
if [[ " $* " == *" --steps "* ]]; then
    echo "$SLURM_JOB_ID.0 head"
    echo "$SLURM_JOB_ID.1 job"
    exit
fi
shown=no
for file in "$STAND_IN"/job.*; do
    [ -e "$file" ] || continue
    number=${file##*.}
    [[ " $* " == *" --jobs "* && " $* " != *" $number "* ]] && continue
    shown=yes
    state=$(sed 's/.*) //; s/ .*//' "/proc/$(cat "$file")/stat" 2>/dev/null)
    [ "${state:-Z}" != Z ] && echo RUNNING
done
if [[ " $* " == *" --jobs "* && $shown = no ]]; then
    echo "slurm_load_jobs error: Invalid job id specified" >&2
    exit 1
fi
"""
SRUN = r"""#!/bin/bash
for word in "$@"; do
    case $word in
    --job-name=*) name=${word#*=} ;;
    --nodelist=*) node=${word#*=} ;;
    --*) ;;
    *) break ;;
    esac
    shift
done
echo "$node $name $*" >>"$STAND_IN/srun"
echo $$ >"$STAND_IN/step.$name"
exec "$@"
"""
SCONTROL = r"""#!/bin/bash
case $1 in
show) tr ',' '\n' <<<"$3" ;;
*) echo "$*" >>"$STAND_IN/scontrol" ;;
esac
"""
SCANCEL = r"""#!/bin/bash
echo "$*" >>"$STAND_IN/scancel"
kill -TERM "$(cat "$STAND_IN/step.job")"
"""
RAY = r"""#!/bin/bash
[ "$1" = start ] && exec sleep 120
# As Ray's own, a check of health finds nothing before the head is there, however late its step begins.
for ((i = 0; i < 1000; i++)); do
    [ -e "$STAND_IN/step.head" ] && exit 0
    sleep 0.01
done
exit 1
"""
COMMANDS = {"sbatch": SBATCH, "squeue": SQUEUE, "srun": SRUN, "scontrol": SCONTROL, "scancel": SCANCEL, "ray": RAY}


def install(folder: Path) -> dict[str, str]:
    """Write the commands; the variables with which a process finds them."""
    (folder / "bin").mkdir(parents=True)
    for name, text in COMMANDS.items():
        path = folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "STAND_IN": str(folder)}
