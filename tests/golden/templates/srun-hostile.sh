#!/bin/bash
# Started by srun, once per task.
exec srun --kill-on-bad-exit=1 -- ./heat 'it'"'"'s' 'a "quoted" word' '$(touch /tmp/x) `id` ${HOME} \' $'first\012second\015\012#SBATCH --uid=0' '' -n '*' 'Grüße 🐍' '�'
