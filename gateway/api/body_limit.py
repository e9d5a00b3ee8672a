"""Refuse a body that is too large before it is read."""

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import problem
from gateway.errors import TooLarge


class BodyLimit:
    """ASGI: a declared length above the limit is refused at once, an undeclared one where it passes the limit."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > self._limit:
            error = TooLarge(self._sentence(), hint="Put large files on the cluster and name their paths.")
            response = problem.answer(error, request_id=problem.request_id_of(Request(scope)))
            await response(scope, receive, send)
            return
        await self._app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        got = 0

        async def receive_counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._limit:
                # FastAPI turns anything but its own exception into "400, error parsing the body".
                raise HTTPException(413, self._sentence())
            return message

        return receive_counted

    def _sentence(self) -> str:
        return f"The request's body is larger than {self._limit:,} bytes, the most that is read."
