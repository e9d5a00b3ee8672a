#!/bin/bash
# An MPI program, one rank per task, wired up by Slurm itself (no mpirun, no hostfile).
exec srun --mpi=pmix --kill-on-bad-exit=1 -- ./heat --size 4096
