"""Offer a live gateway on the dev cluster: the demo's parts in a place of their own, so that no demo is disturbed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from gateway.client import GatewayClient
from gateway.demo import people, service
from gateway.demo.place import Place
from gateway.devcluster import processes
from gateway.devcluster.cluster import DevCluster
from gateway.devcluster.settings import DEFAULT_ROOT, DevSettings
from gateway.states import State
from gateway.wire import JobRequest, JobView

T = TypeVar("T")

SLOW = float(os.environ.get("SGW_TEST_SLOWNESS", "3"))
"""How much slower than promised this machine may be: floors are asserted times this."""


def find_dev_cluster() -> DevCluster:
    """Return the default dev cluster, whether it is up or not."""
    return DevCluster.at(Path(os.environ.get("SGW_DEV_ROOT", DEFAULT_ROOT)))


@pytest.fixture(scope="session")
def dev_cluster() -> DevCluster:
    """The dev cluster, brought up if it is not. Several test processes share it, so nobody here takes it down."""
    if os.getuid() != 0:
        pytest.skip("SKIPPED LOUDLY: the dev cluster needs root (run `make test`)")
    cluster = find_dev_cluster()
    cluster.up()
    return cluster


@contextmanager
def cluster_apart(name: str, *, subnet: str, base_port: int, **options: Any) -> Iterator[DevCluster]:
    """A fresh cluster of a test's own, for tests that break it or need another kind; gone afterwards."""
    root = Path(f"/var/lib/sgw-dev-{name}")
    settings = DevSettings(
        root=root, name=f"sgw{name}", subnet=subnet, base_port=base_port, user_prefix=f"sgw{name}-", **options
    )
    DevCluster.at(root).down()
    cluster = DevCluster(settings)
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def live(dev_cluster: DevCluster) -> Iterator["Live"]:
    """A gateway of this test process's own, fresh, with acme's ada and alan and globex's grace."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    offset = 110 + int(worker.removeprefix("gw")) if worker else 90
    with running(
        dev_cluster, Place(cluster=dev_cluster.settings, name=f"gateway-e2e{worker}", port_offset=offset)
    ) as live:
        yield live


@contextmanager
def running(cluster: DevCluster, place: Place) -> Iterator["Live"]:
    """Run a fresh gateway at `place`; nothing of it is left afterwards."""
    service.stop(place, cluster.ledger)
    service.remove(place)
    try:
        service.start(place, cluster.ledger)
        people.settle(place)
        yield Live(cluster=cluster, place=place)
    finally:
        service.stop(place, cluster.ledger)
        service.remove(place)


@dataclass(frozen=True)
class Live:
    """A running gateway and the ways to reach it."""

    cluster: DevCluster
    place: Place

    def client(self, user: str = "ada") -> GatewayClient:
        return GatewayClient(self.place.url, self.token(user))

    def token(self, user: str = "ada") -> str:
        return service.operator_token(self.place) if user == "operator" else people.token_of(self.place, user)

    def unix_user(self, user: str) -> str:
        return self.place.cluster.user_prefix + user

    def http(self, user: str | None = "ada") -> httpx.Client:
        headers = {} if user is None else {"Authorization": f"Bearer {self.token(user)}"}
        return httpx.Client(base_url=self.place.url, headers=headers, timeout=60)

    def submit(self, body: str, *options: str, user: str = "ada", **fields: object) -> JobView:
        """Submit a bash script's body."""
        request = JobRequest.model_validate({"script": f"#!/bin/bash\n{body}\n", "options": options, **fields})
        return self.client(user).submit(request, key=f"e2e-{time.monotonic_ns()}")

    def finish(self, job: JobView, *, within_s: float = 60, user: str = "ada") -> JobView:
        """Wait for a job's end."""
        until = time.monotonic() + within_s
        while (job := self.client(user).job(job.id, wait_s=5)).state not in _FINAL:
            assert time.monotonic() < until, f"job {job.id} is still {job.phase} ({job.message}) after {within_s} s"
        return job

    def run(self, body: str, *options: str, user: str = "ada", within_s: float = 60) -> JobView:
        """Submit and wait."""
        return self.finish(self.submit(body, *options, user=user), within_s=within_s, user=user)

    def output(self, job: JobView, *, task: int | None = None, user: str = "ada") -> str:
        """Read what a job wrote to stdout."""
        return self.client(user).logs(job.id, stream="stdout", task=task).decode()

    def pids(self, module: str) -> list[int]:
        """Find this gateway's own processes that run a module (`gateway.worker`)."""
        supervisor = processes.find(self.cluster.ledger, service.serve_name(self.place))
        assert supervisor is not None
        children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split()
        return [int(pid) for pid in children if module in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]

    def kill(self, module: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to this gateway's processes of a module."""
        for pid in eventually(lambda: self.pids(module), what=f"a process of {module}"):
            os.kill(pid, number)


_FINAL = {State.COMPLETED, State.FAILED, State.CANCELLED}


def eventually(look: Callable[[], T | None], *, within_s: float = 30, what: str = "it") -> T:
    """Wait until `look` finds something true and return it."""
    until = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < until, f"{what} did not happen within {within_s} s"
        time.sleep(0.05)
    return found
