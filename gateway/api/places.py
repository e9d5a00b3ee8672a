"""Know where a followed job's output is, once for all who follow it, and say when it is complete."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog
from fastapi.concurrency import run_in_threadpool

from gateway.api.log_sources import AttemptSource, sources_of
from gateway.api.waiting import Waiting
from gateway.auth.principal import VisibleTenants
from gateway.ids import AttemptId, JobId
from gateway.jobs import read
from gateway.jobs.read import LogPlace
from gateway.services import Services
from logs.relay import Relay
from logs.source import SourceRefused

_log = structlog.get_logger(__name__)

_STABLE_S: Final = 0.025
_STABLE_TRIES: Final = 40
"""An ended attempt's file is complete when two looks, this far apart, show the same size.

Slurm says that a job ended after its step daemon closed the file, and closing is what sends it to the NFS server; the
second look is for what the server had still to settle.
"""


@dataclass(slots=True, kw_only=True, eq=False)
class WatchedJob:
    """A job, or one task of an array, that somebody follows. Read by its followers, written by `Places` only."""

    job: JobId
    task: int | None
    visible: VisibleTenants
    place: LogPlace
    complete: set[AttemptId] = field(default_factory=set)
    """Attempts of which every byte is in the file."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once, when anything of the above changes; a new one then takes its place."""
    viewers: int = 0

    def tell(self) -> None:
        """Wake everyone who waits for news."""
        told, self.news = self.news, asyncio.Event()
        told.set()


class Places:
    """All jobs that are followed in this process. For the event loop's thread."""

    def __init__(self, services: Services, relay: Relay, waiting: Waiting) -> None:
        self._services = services
        self._relay = relay
        self._waiting = waiting
        self._jobs: dict[tuple[JobId, int | None], WatchedJob] = {}
        self._watchers: dict[WatchedJob, asyncio.Task[None]] = {}

    @contextmanager
    def watching(self, place: LogPlace, job: JobId, task: int | None, visible: VisibleTenants) -> Iterator[WatchedJob]:
        """Keep an eye on a job whose `place` the viewer was just allowed to read."""
        watched = self._jobs.get((job, task))
        if watched is None:
            watched = WatchedJob(job=job, task=task, visible=visible, place=place)
            self._jobs[job, task] = watched
            self._watchers[watched] = asyncio.create_task(self._watch(watched))
        watched.viewers += 1
        try:
            yield watched
        finally:
            watched.viewers -= 1
            if not watched.viewers:
                del self._jobs[job, task]
                self._watchers.pop(watched).cancel()

    async def _watch(self, watched: WatchedJob) -> None:
        with self._waiting.bell(watched.job) as bell:
            while not self._waiting.closing:
                try:
                    place = await run_in_threadpool(
                        read.log_place, self._services, watched.visible, watched.job, task=watched.task
                    )
                    await self._learn(watched, place)
                    if place.final:
                        return
                except Exception as error:  # noqa: BLE001 - followers must not go blind for one failed look
                    _log.error("log.place_unread", job=watched.job, exc_info=error)
                await bell.wait()
        watched.tell()

    async def _learn(self, watched: WatchedJob, place: LogPlace) -> None:
        """Take in a new place: the attempts that it shows to be over are complete once their files are."""
        before = watched.place
        over = [before] if before.attempt != place.attempt else []
        over += [place] if place.final else []
        ended = [
            source
            for each in over
            for source in sources_of(each, "both", watched.task, self._services.transports).values()
        ]
        await asyncio.gather(*(_stable(source) for source in ended))
        # No await from here on: a follower that hears of an attempt's end must find the next place already there.
        watched.place = place
        for source in ended:
            watched.complete.add(source.attempt)
            self._relay.finish(source.key)
        watched.tell()


async def _stable(source: AttemptSource) -> None:
    """Return when the file's size stands still, or cannot be asked."""
    size = -1
    for _ in range(_STABLE_TRIES):
        try:
            seen = (await run_in_threadpool(source.read, 0, 0)).size
        except (OSError, SourceRefused):
            return
        if seen == size:
            return
        size = seen
        await asyncio.sleep(_STABLE_S)
