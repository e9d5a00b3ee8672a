#!/bin/sh
# Job 42 (evil?name #SBATCH --uid=0), attempt 00c0ffee, made by slurm-gateway 0.1.0.
# The tenant's own script is the file `script` beside this one. Its wrapper first makes sure that this attempt
# runs at most once, then starts it, passes signals on and records how it ended.
if ! command -v python3 >/dev/null 2>&1; then
    echo "slurm-gateway: there is no python3 on $(uname -n); compute nodes need Python 3.6 or newer" >&2
    exit 75
fi
exec python3 -I '/shared/it'"'"'s here/ada/00c0ffee'/wrapper.py
