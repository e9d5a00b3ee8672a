"""What the README promises of `make demo`: an MPI program on four nodes, watched as it runs, as often as one likes."""

import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from gateway.demo import example, service
from gateway.demo.place import Place
from gateway.devcluster import processes
from gateway.devcluster.cluster import DevCluster
from tests.live import SLOW, Live

pytestmark = pytest.mark.cluster

PROGRESS = re.compile(r"  \[[# ]{30}\] +\d+%  after \d+ steps the error is \S+")
END = re.compile(r"Job \d+ COMPLETED  4 nodes c\[1-4\]  elapsed \d+ s  exit code 0")
AGAIN_S = 30


@pytest.fixture
def demo(dev_cluster: DevCluster) -> Iterator[Place]:
    """The demo's own place. A demo that was found goes on; one that these tests start is gone afterwards."""
    place = Place(cluster=dev_cluster.settings)
    found = processes.find(dev_cluster.ledger, service.serve_name(place)) is not None
    kept = place.home.exists()
    yield place
    if not found:
        service.stop(place, dev_cluster.ledger)
    if not kept:
        service.remove(place)


def test_the_example_reports_its_progress_and_its_end(live: Live):
    out = io.StringIO()
    assert example.show(live.place, out=out)
    first, *seen, last = out.getvalue().splitlines()
    assert re.fullmatch(r"Submitted batch job \d+ as acme/ada \(4 nodes, \d+ ms\)", first)
    assert END.fullmatch(last)
    bars = [line for line in seen if PROGRESS.fullmatch(line)]
    assert len(bars) > 1
    assert "100%" in bars[-1]


@pytest.mark.timeout(300)
def test_the_demo_can_be_called_again_while_it_runs(dev_cluster: DevCluster, demo: Place):
    first = run_demo(demo)
    supervisor = processes.find(dev_cluster.ledger, service.serve_name(demo))
    assert supervisor is not None
    began = time.monotonic()
    again = run_demo(demo)
    assert time.monotonic() - began < AGAIN_S * SLOW
    assert processes.find(dev_cluster.ledger, service.serve_name(demo)) == supervisor
    for said in (first, again):
        assert re.search(rf"^Ready after \d+ s: {demo.url}, tenants acme and globex$", said, re.MULTILINE)
        assert [line for line in said.splitlines() if END.fullmatch(line)]


def run_demo(place: Place) -> str:
    """Do what `make demo` does."""
    argv = [sys.executable, "-m", "gateway.demo", "up"]
    environment = {**os.environ, "SGW_DEV_ROOT": str(place.cluster.root)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
