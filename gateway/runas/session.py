"""Serve one connection as the tenant, until the peer hangs up."""

import os
import socket

from gateway.runas.frames import Frame, FrameError, receive, send
from gateway.runas.verbs import Tenant, perform


def serve(connection: socket.socket, tenant: Tenant) -> None:
    """Answer requests one after the other; returns when the peer is gone or no longer makes sense."""
    try:
        while request := receive(connection):
            reply = _attempt(tenant, request)
            send(connection, reply)
            for descriptor in reply.fds:
                os.close(descriptor)
            _reap()
    except (FrameError, ConnectionError):
        return


def _attempt(tenant: Tenant, request: Frame) -> Frame:
    try:
        return perform(tenant, request)
    except Exception as error:  # noqa: BLE001 - a bug in one verb must not end the session; its client logs it
        return Frame(header={"ok": False, "error": "bug", "message": repr(error)})


def _reap() -> None:
    """Collect launchers that have ended; those still running go on without us."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
