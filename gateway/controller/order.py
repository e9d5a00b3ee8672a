"""Turn a job and its attempt into the order that a transport can carry out."""

import json
from dataclasses import asdict
from importlib import metadata, resources
from typing import Final

from gateway.ids import AttemptId, JobId, UnixUser
from gateway.jobs.spec import JobSpec
from gateway.settings import ClusterSettings
from gateway.slurm.transport import SubmitOrder
from slurm_templates.render import render

GATEWAY_VERSION: Final = metadata.version("slurm-gateway")
_WRAPPER: Final = (resources.files("gateway.agent") / "wrapper.py").read_bytes()


def make_order(
    *,
    job: JobId,
    attempt: AttemptId,
    number: int,
    user: UnixUser,
    uid: int,
    spec: JobSpec,
    script: bytes,
    cluster: ClusterSettings,
    deadline: float,
) -> SubmitOrder:
    """Render everything one sbatch needs. Pure: the same arguments give the same bytes."""
    directory = cluster.attempts_root / user / attempt
    batch = render(
        "base.sbatch.j2",
        {"job": job, "name": spec.name, "attempt": attempt, "version": GATEWAY_VERSION, "directory": str(directory)},
    )
    wrapper_facts = {
        "version": 1,
        "job": str(job),
        "attempt": attempt,
        "number": number,
        "workdir": spec.workdir,
        "args": list(spec.args),
        "env": dict(spec.env),
        "outputs": [asdict(output) for output in spec.outputs],
        "wake_dir": str(cluster.wake_dir),
    }
    return SubmitOrder(
        attempt=attempt,
        user=user,
        uid=uid,
        options=spec.options,
        merged=spec.merged,
        array=spec.array is not None,
        batch=batch,
        files={"script": script, "attempt.json": json.dumps(wrapper_facts).encode(), "wrapper.py": _WRAPPER},
        deadline=deadline,
    )
