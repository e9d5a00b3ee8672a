"""Be the process that serves the API."""

from gateway import wiring
from gateway.api.assembly import create_app
from gateway.api.server import Server
from gateway.logging import configure
from gateway.settings import Settings, load


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    with wiring.services(settings) as services:
        Server(create_app(services), host=settings.host, port=settings.port).run()


def main() -> None:
    """Be the process `python -m gateway.app`."""
    configure("api")
    run(load())


if __name__ == "__main__":
    main()
