#!/bin/bash
# Run once, on the first node of the allocation.
./fit "$SLURM_ARRAY_TASK_ID" > out && echo finished
