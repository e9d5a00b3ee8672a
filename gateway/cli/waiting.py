"""Wait for a job's end and turn it into an exit code."""

import math

from gateway.cli.environment import Environment
from gateway.client import GatewayClient
from gateway.states import FINAL, State
from gateway.wire import JobView

_LONG_POLL_S = 25
"""Shorter than the 30 s after which proxies commonly cut a silent connection."""


def wait_for_end(client: GatewayClient, job_id: str, env: Environment) -> JobView:
    """Wait until the job is final, through lost connections and restarts of the gateway."""
    try:
        while True:
            job = client.job(job_id, wait_s=_LONG_POLL_S, patience_s=math.inf)
            if job.phase in FINAL:
                return job
    except KeyboardInterrupt:
        env.warn(f"job {job_id} goes on; `sgw scancel {job_id}` ends it")
        raise


def exit_code_of(state: State, exit_code: int | None) -> int:
    """Choose the exit code that `sbatch --wait` ends with: the job's own, and 1 where it failed without one.

    A job that a signal, a limit or a cancel ended counts as 1, as in Slurm (sbatch(1), --wait).
    """
    if state is State.COMPLETED:
        return exit_code or 0
    return exit_code or 1
