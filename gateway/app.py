"""Be the process that serves the API."""

from socket import socket
from typing import Final

import uvicorn
from fastapi import FastAPI

from gateway import wiring
from gateway.api.assembly import create_app
from gateway.api.stream import Streams
from gateway.logging import configure
from gateway.settings import Settings, load

_GRACE_S: Final = 10


class Server(uvicorn.Server):
    """A server that sends its followers away before it waits for them to go."""

    def __init__(self, app: FastAPI, *, host: str, port: int) -> None:
        self._streams: Streams = app.state.streams
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                loop="uvloop",
                http="httptools",
                ws="none",
                access_log=False,
                server_header=False,
                log_config=None,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._streams.close()
        await super().shutdown(sockets)


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
