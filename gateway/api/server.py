"""Run the API on a socket, and end it without keeping anybody waiting."""

from socket import socket
from types import FrameType
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

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        # uvicorn would note the signal and raise it again in the end, which kills the process before its services
        # are closed. A second signal does not wait for anybody.
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._streams.close()
        await super().shutdown(sockets)
