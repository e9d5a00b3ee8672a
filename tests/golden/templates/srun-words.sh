#!/bin/bash
# Started by srun, once per task.
exec srun --kill-on-bad-exit=1 -- ./heat --size 4096
