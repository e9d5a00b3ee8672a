"""Measure the gateway on the dev cluster: `python -m tests.bench [--json FILE] [TOPIC …]`. Nothing is asserted."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import arriving, ending, following, memory, reading, refreshing, submitting
from tests.bench.figures import Topic, as_json, as_text
from tests.bench.world import World, bench_world

# Reading first: it fills the database with 100,000 jobs, and everything after it is measured with them there.
TOPICS: dict[str, Callable[[World], Topic]] = {
    "reading": reading.measure,
    "submitting": submitting.measure,
    "arriving": arriving.measure,
    "following": following.measure,
    "ending": ending.measure,
    "refreshing": refreshing.measure,
    "memory": memory.measure,
}


def main() -> int:
    """Measure the topics named, or all, and print one table each."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=", ".join(TOPICS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    wanted = parser.parse_args()
    if unknown := [name for name in wanted.topics if name not in TOPICS]:
        parser.error(f"there is no topic {unknown[0]!r}; there are {', '.join(TOPICS)}")
    found = []
    with bench_world() as world:
        for name in wanted.topics or TOPICS:
            started = time.monotonic()
            found.append(TOPICS[name](world))
            print(as_text(found[-1]))
            print(f"  ({name}: {time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
    if wanted.json:
        wanted.json.write_text(as_json(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
