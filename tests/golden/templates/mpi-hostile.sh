#!/bin/bash
# An MPI program, one rank per task, wired up by Slurm itself (no mpirun, no hostfile).
exec srun --mpi='pmix; id' --kill-on-bad-exit=1 -- 'it'"'"'s' 'it'"'"'s' 'a "quoted" word' '$(touch /tmp/x) `id` ${HOME} \' $'first\012second\015\012#SBATCH --uid=0' '' -n '*' 'Grüße 🐍' '�'
