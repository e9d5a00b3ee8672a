#!/bin/bash
# Started by srun, once per task.
exec srun --kill-on-bad-exit=1 -- bash -c './rank $SLURM_PROCID > out.$SLURM_PROCID # mine'
