"""Be `make demo` and `make demo-down`: bring everything up, show one job, say what to try next."""

import argparse
import os
import sys
import time
from pathlib import Path

from gateway.demo import example, people, service
from gateway.demo.place import CLUSTER, Place
from gateway.devcluster.cluster import DevCluster
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.settings import DEFAULT_ROOT


def main() -> int:
    """Run the demo; 0 if the example completed."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("up", "down", "gateway"), default="up")
    what = parser.parse_args().what
    cluster = DevCluster.at(Path(os.environ.get("SGW_DEV_ROOT") or DEFAULT_ROOT))
    try:
        if what == "down":
            return _down(cluster)
        _bring_up(cluster)
        return _show(Place(cluster=cluster.settings)) if what == "up" else 0
    except DevClusterError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1


def _bring_up(cluster: DevCluster) -> None:
    began = time.monotonic()
    _say("Starting a Slurm cluster: 4 nodes, slurmctld, slurmdbd, slurmrestd, munge, MariaDB, sshd …")
    cluster.up()
    place = Place(cluster=cluster.settings)
    _say("Starting the gateway: API and controller as an unprivileged user, one small helper as root …")
    service.start(place, cluster.ledger)
    people.settle(place)
    _say(f"Ready after {time.monotonic() - began:.0f} s: {place.url}, tenants {' and '.join(cluster.settings.tenants)}")


def _show(place: Place) -> int:
    _say("\nAn MPI program on four nodes, submitted by acme's user ada:")
    completed = example.show(place)
    token = people.token_of(place, example.USER)
    _say(
        f"""
Everything is still running. Try this next:

  eval "$(.venv/bin/sgw dev env --tenant acme)"     # sets SGW_URL={place.url}
                                           # and SGW_TOKEN={token[:12]}… (ada of acme)
  .venv/bin/sgw squeue
  .venv/bin/sgw sbatch --wrap 'srun hostname' -N 3
  .venv/bin/sgw logs -f 1
  .venv/bin/sgw sinfo
  curl -H "Authorization: Bearer $SGW_TOKEN" {place.url}/v1/jobs

API documentation: {place.url}/docs      Cluster: sgw dev status      End of it all: make demo-down"""
    )
    return 0 if completed else 1


def _down(cluster: DevCluster) -> int:
    cluster.down()
    _say(f"The demo ({CLUSTER} cluster and gateway) is gone.")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
