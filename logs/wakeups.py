"""Wake everyone who waits for a log: threads by their event, coroutines with one call per event loop."""

import asyncio
import threading
from collections.abc import Iterable
from contextlib import suppress

Waiter = threading.Event | asyncio.Future[None]


def wake(waiters: Iterable[Waiter]) -> None:
    """Wake the waiters, from any thread.

    call_soon_threadsafe writes to the loop's self-pipe: one call for 500 followers instead of 500.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for waiter in waiters:
        if isinstance(waiter, threading.Event):
            waiter.set()
        else:
            by_loop.setdefault(waiter.get_loop(), []).append(waiter)
    for loop, futures in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed while its followers waited
            loop.call_soon_threadsafe(resolve, futures)


def resolve(futures: Iterable[asyncio.Future[None]]) -> None:
    """Let the futures be done; those that timed out or were cancelled meanwhile are left alone."""
    for future in futures:
        if not future.done():
            future.set_result(None)
