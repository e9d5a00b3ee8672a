"""Run the controllers in a process: dispatch, settle doubts, watch, finalize."""

import signal
import threading

import structlog
from prometheus_client import CollectorRegistry, start_http_server

from gateway import wiring
from gateway.controller.loop import ControllerLoop
from gateway.logging import configure
from gateway.settings import Settings, load
from gateway.slurm.spending import Spent

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; what is under way is finished, what is not done is left to others."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with wiring.services(settings) as services:
        if settings.controller_metrics_port:
            registry = CollectorRegistry()
            registry.register(Spent(services.transports))
            try:
                start_http_server(settings.controller_metrics_port, settings.host, registry)
            except OSError as error:  # another controller on this machine, say: figures are no reason not to work
                log.warning("metrics.unpublished", port=settings.controller_metrics_port, error=str(error))
        loop = ControllerLoop(services)
        loop.start()
        stop.wait()
        loop.stop()


def main() -> None:
    """Be the process `python -m gateway.worker`."""
    configure("controller")
    run(load())


if __name__ == "__main__":
    main()
