"""Measure how quickly one job, and a page of them, are read out of 100,000."""

import random

from tests.bench.figures import Figure, Topic, spread
from tests.bench.world import World

_RIVAL_ONE = {1: "p50 96.6, p99 109.6 ms", 32: "92/s"}
_RIVAL_PAGE = {1: "181 ms (all 560 jobs, no paging)", 32: "10.5/s, p50 3.1 s"}


def measure(world: World) -> Topic:
    """Read at 1 and 32 clients as fast as answers come, and at 100 a second."""
    first, last = world.history
    chance = random.Random(1)
    ids = [chance.randint(first + 100, last) for _ in range(2000)]
    jobs, pages = [f"/v1/jobs/{each}" for each in ids], [f"/v1/jobs?limit=50&cursor={each}" for each in ids]
    figures = []
    for what, targets, rival in (("one job", jobs, _RIVAL_ONE), ("a page of 50", pages, _RIVAL_PAGE)):
        for clients in (1, 32):
            result = world.send("GET", *targets, clients=clients, seconds=3)
            numbers = spread(result.latencies) | {"answers_per_s": result.rate}
            figures.append(
                Figure(what=f"{what}, {clients} clients", numbers=numbers, aim="p99 <= 20 ms", rival=rival[clients])
            )
        steady = world.send("GET", *targets, clients=32, seconds=3, rate=100 / 32)
        numbers = spread(steady.latencies) | {"answers_per_s": steady.rate}
        figures.append(Figure(what=f"{what}, 32 clients, 100 a second in all", numbers=numbers, aim="p99 <= 20 ms"))
    figures.append(_first_page(world))
    raw = "squeue 6.9 ms, sacct + squeue 100 ms, list of 560 jobs 114 ms (measured with the rival's)"
    return Topic(title="Read out of 100,000 jobs", figures=figures, note=f"Raw Slurm: {raw}.")


def _first_page(world: World) -> Figure:
    filters = "/v1/jobs?limit=50&state=FAILED", "/v1/jobs?limit=50&active=true", "/v1/jobs?limit=50"
    result = world.send("GET", *filters, clients=1, seconds=2)
    return Figure(what="newest 50, filtered or not, 1 client", numbers=spread(result.latencies), aim="p99 <= 20 ms")
