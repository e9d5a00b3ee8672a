"""Show requests and answers that work: OpenAPI prints them, and a test sends them."""

from typing import Any, Final

from fastapi.openapi.models import Example

_SCRIPT: Final = "#!/bin/bash\n#SBATCH --nodes=2 --time=10:00\nsrun hostname\n"

JOB_REQUESTS: Final[dict[str, Example]] = {
    "a batch script": Example(
        summary="A batch script, as one would hand to sbatch; `options` beat its own lines.",
        value={"script": _SCRIPT, "script_name": "hosts.sh", "options": ["--ntasks-per-node=2"]},
    ),
    "an MPI program": Example(
        summary="A described run.",
        value={
            "runtime": "mpi",
            "command": ["./heat", "--size", "4096"],
            "name": "heat",
            "nodes": 4,
            "tasks_per_node": 2,
            "memory": "2G",
            "time_limit": "30:00",
            "pool": "cpu",
        },
    ),
    "an array": Example(
        summary="A hundred tasks, ten at a time.",
        value={"runtime": "script", "command": "./fit $SLURM_ARRAY_TASK_ID", "array": "0-99%10", "time_limit": 15},
    ),
}
SIGNAL_REQUESTS: Final[dict[str, Example]] = {
    "checkpoint": Example(
        summary="What a script catches with `trap … USR1`.", value={"signal": "USR1", "target": "batch"}
    ),
}
TENANT_REQUESTS: Final[dict[str, Example]] = {
    "a tenant": Example(value={"id": "acme", "account": "acme", "display_name": "Acme Corporation"})
}
USER_REQUESTS: Final[dict[str, Example]] = {"a user": Example(value={"name": "ada", "unix_user": "acme-ada"})}
TOKEN_REQUESTS: Final[dict[str, Example]] = {
    "a token for a month": Example(
        value={"user": "ada", "role": "member", "label": "laptop", "expires_in_s": 2_592_000}
    )
}

JOB: Final[dict[str, Any]] = {
    "id": "36",
    "name": "heat",
    "tenant": "acme",
    "user": "ada",
    "unix_user": "acme-ada",
    "account": "acme",
    "state": "PENDING",
    "phase": "PENDING",
    "reason": "SUBMITTED",
    "message": None,
    "pool": "cpu",
    "cluster": "main",
    "runtime": "mpi",
    "placement": {
        "cluster": "main",
        "pool": "cpu",
        "partition": "cpu",
        "resources": {"nodes": 4, "tasks": 8, "cpus": 8, "memory_mb": 8192, "gpus": 0},
        "time_limit_s": 1800,
        "expected_runtime_s": None,
        "priority": 0,
    },
    "cost_estimate": None,
    "slurm_job_id": None,
    "node_list": None,
    "nodes_allocated": None,
    "attempt": 0,
    "array": None,
    "workdir": "/home/acme-ada/heat",
    "submitted_at": "2026-11-21T05:00:00Z",
    "started_at": None,
    "ended_at": None,
    "elapsed_s": None,
    "exit_code": None,
    "signal": None,
    "cancel_requested": False,
    "warnings": [],
}
TOKEN: Final[dict[str, Any]] = {
    "id": "0c9a51d2e7f4",
    "tenant": "acme",
    "user": "ada",
    "role": "member",
    "label": "laptop",
    "created_at": "2026-11-21T05:00:00Z",
    "expires_at": "2026-12-21T05:00:00Z",
    "revoked_at": None,
    "token": "sgw_0c9a51d2e7f4_shown-only-this-once",
}
