"""Run the API on a socket, and end it without keeping anybody waiting."""

from socket import socket
from typing import Final

import uvicorn
from fastapi import FastAPI

from gateway.api.stream import Streams

_GRACE_S: Final = 10
_KEEP_ALIVE_S: Final = 75
"""Longer than clients and proxies keep idle connections, so that it is they who close: a request that meets a
connection just being closed is lost, and a client cannot know whether it arrived."""


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
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._streams.close()
        await super().shutdown(sockets)
