"""Measure how quickly a job is accepted: `POST /v1/jobs`, with the controller at work and without."""

import json
import secrets

from tests.bench.figures import Figure, Topic, spread
from tests.bench.load import Result
from tests.bench.world import World

HELD = json.dumps({"script": "#!/bin/bash\nsleep 60\n", "options": ["--hold", "--time=5", "--job-name=bench"]})
_AIMS = {1: "p50 <= 8 ms, p99 <= 50 ms", 8: "", 32: ">= 250/s"}
_RIVAL = {1: "p50 8.6, p99 15.8 ms; 101/s", 8: "p99 148 ms; 206/s", 32: "p99 296 ms; 178/s"}
_SLURM = {1: "sbatch once: p50 6.7 ms; 139/s", 8: "233/s", 32: "259/s"}
_SECONDS = 3.0


def measure(world: World) -> Topic:
    """Submit at 1, 8 and 32 clients, and at a steady 100 a second."""
    figures = []
    for clients in (1, 8, 32):
        result = _post(world, clients)
        numbers = spread(result.latencies) | {"jobs_per_s": result.rate}
        figures.append(
            Figure(what=f"{clients} clients, controller at work", numbers=numbers, aim=_AIMS[clients],
                   rival=_RIVAL[clients], raw=_SLURM[clients])
        )  # fmt: skip
        world.settle()
    steady = _post(world, 10, rate=10.0)
    figures.append(
        Figure(what="100 a second, controller at work", numbers=spread(steady.latencies) | {"jobs_per_s": steady.rate},
               aim="p50 <= 8 ms, p99 <= 50 ms")
    )  # fmt: skip
    world.settle()
    with world.without_controller():
        for clients in (1, 8, 32):
            result = _post(world, clients, seconds=1.5)
            numbers = spread(result.latencies) | {"jobs_per_s": result.rate}
            figures.append(Figure(what=f"{clients} clients, API alone", numbers=numbers))
    world.settle()
    note = "Held jobs, each with an Idempotency-Key, every answer durable. Raw: `sbatch`, measured with the rival's."
    return Topic(title="Submit: POST /v1/jobs", figures=figures, note=note)


def _post(world: World, clients: int, *, seconds: float = _SECONDS, rate: float = 0) -> Result:
    return world.send(
        "POST", "/v1/jobs", clients=clients, seconds=seconds, body=HELD, keys=secrets.token_hex(4), rate=rate
    )
