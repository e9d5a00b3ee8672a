"""Follow a job's log as server-sent events: replay, then live, through every attempt, to the end of the job."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.api import problem, sse
from gateway.api.log_sources import AttemptSource, OutputStream, sources_of, wanted_streams
from gateway.api.log_start import Start, TimeIndexes
from gateway.api.metrics import Metrics
from gateway.api.places import Places, WatchedJob
from gateway.api.seats import Seats
from gateway.api.validity import Validity
from gateway.api.waiting import Waiting
from gateway.auth.principal import Principal
from gateway.errors import Conflict, Detail, InvalidRequest
from gateway.ids import JobId
from gateway.jobs.read import LogPlace
from gateway.services import Services
from gateway.wire import LogEnd, Stream
from logs.chunk import Chunk, End, Gap, as_json
from logs.cursor import Cursor, CursorError, parse_position
from logs.follower import Follower
from logs.relay import Relay, RelayClosed, Target
from logs.source import SourceRefused

_HEARTBEAT_S: Final = 15.0
_READ_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a follower asked for."""

    job: JobId
    task: int | None
    stream: Stream
    start: Start
    last_id: sse.EventId | None
    """Where an earlier connection of the same follower ended; it beats `start`."""


class Streams:
    """All that the open streams of this process share."""

    def __init__(self, services: Services, metrics: Metrics) -> None:
        self.services = services
        self.relay = Relay()
        self.waiting = Waiting(services.notices)
        self.places = Places(services, self.relay, self.waiting)
        self.indexes = TimeIndexes(self.relay)
        self.seats = Seats(services.settings.max_followers, observe=metrics.followers.set)
        self.relayed = metrics.relayed

    def close(self) -> None:
        """Tell every client to come back: this process is about to end."""
        self.waiting.close()
        self.relay.close()


class FollowResponse(StreamingResponse):
    """The events of one follower. Holds its seat exactly as long as it is being sent."""

    def __init__(self, streams: Streams, principal: Principal, place: LogPlace, wish: Wish) -> None:
        _check_last_id(place, wish)
        streams.seats.demand(principal.tenant)
        self._streams, self._principal, self._place, self._wish = streams, principal, place, wish
        self._body = self._frames()
        super().__init__(self._body, headers=sse.HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A generator that is left while it waits for its reader is closed by nobody else, or much later.
        with self._streams.seats.taken(self._principal.tenant):
            async with aclosing(self._body):
                await super().__call__(scope, receive, send)

    async def _frames(self) -> AsyncGenerator[bytes, None]:
        wish, life_s = self._wish, self._streams.services.settings.stream_life_s
        if (expires := self._principal.expires_at) is not None:
            life_s = min(life_s, _seconds_until(expires, self._streams.services.clock.now()))
        validity = Validity(self._streams.services, self._principal)
        with self._streams.places.watching(self._place, wish.job, wish.task, self._principal.visible) as watched:
            following = _Following(self._streams, watched, wish, ends_at=time.monotonic() + life_s)
            async with aclosing(following.frames()) as frames:
                async for frame in frames:
                    if await validity.is_over():
                        yield sse.event("reconnect", "{}")  # and then 401 says what happened
                        return
                    yield frame


class _Following:
    """One follower's way through the attempts of a job."""

    def __init__(self, streams: Streams, watched: WatchedJob, wish: Wish, *, ends_at: float) -> None:
        self._streams = streams
        self._watched = watched
        self._wish = wish
        self._ends_at = ends_at
        self._done: object = None
        """The attempt whose end was delivered."""

    async def frames(self) -> AsyncGenerator[bytes, None]:
        yield sse.RETRY
        with suppress(RelayClosed):
            while self._left() > 0 and not self._streams.waiting.closing:
                place = self._watched.place
                if self._has_more(place):
                    async with aclosing(self._attempt(place)) as frames:
                        async for frame in frames:
                            yield frame
                elif place.final:
                    end = LogEnd(state=place.state, exit_code=place.exit_code, signal=place.signal)
                    yield sse.event("end", end.model_dump_json())
                    return
                elif not await _told(self._watched, min(_HEARTBEAT_S, self._left())):
                    yield sse.HEARTBEAT
        yield sse.event("reconnect", "{}")

    def _has_more(self, place: LogPlace) -> bool:
        if not wanted_streams(place, self._wish.stream):  # stderr of a job that writes everything to stdout
            return False
        return place.attempt is not None and place.attempt != self._done

    async def _attempt(self, place: LogPlace) -> AsyncGenerator[bytes, None]:
        """Deliver an attempt's output up to its end, or as long as this stream lives."""
        sources = sources_of(place, self._wish.stream, self._wish.task, self._streams.services.transports)
        try:
            targets = await run_in_threadpool(self._targets, place, sources)
            with self._streams.relay.follow(*targets) as follower:
                if place.attempt in self._watched.complete:
                    for target in targets:
                        self._streams.relay.finish(target.key)
                async with aclosing(self._items(follower, place)) as frames:
                    async for frame in frames:
                        yield frame
        except SourceRefused as refused:
            # Coming back would not help, so the stream says so and goes on as if the log were delivered.
            document = problem.problem_of(Conflict(str(refused)), request_id=None)
            yield sse.event("problem", document.model_dump_json(exclude_none=True))
            self._done = place.attempt
        except OSError:  # the cluster did not answer when the start was looked for
            yield sse.HEARTBEAT
            await asyncio.sleep(_READ_AGAIN_S)

    async def _items(self, follower: Follower, place: LogPlace) -> AsyncGenerator[bytes, None]:
        prefix = sse.prefix(place.step, place.number, self._wish.task)
        while (left := self._left()) > 0:
            try:
                item = await follower.next(min(_HEARTBEAT_S, left))
            except OSError:  # the cluster did not answer just now; the follower stands where it stood
                await asyncio.sleep(_READ_AGAIN_S)
                item = None
            match item:
                case Chunk():
                    self._streams.relayed.inc(len(item.data))
                    yield sse.event("chunk", as_json(item), event_id=prefix + follower.position)
                case Gap():
                    yield sse.event("gap", as_json(item), event_id=prefix + follower.position)
                case End():
                    self._done = place.attempt
                    return
                case None:
                    yield sse.HEARTBEAT

    def _targets(self, place: LogPlace, sources: dict[OutputStream, AttemptSource]) -> list[Target]:
        resumed = self._resumed(place)
        return [
            Target(key=source.key, source=source, stream=stream, start=start)
            for stream, source in sources.items()
            for start in [resumed[stream] if resumed else self._first(place, stream, source)]
        ]

    def _resumed(self, place: LogPlace) -> dict[str, Cursor]:
        """Return where an earlier connection stood in this attempt; nothing if it stood in another."""
        last = self._wish.last_id
        if last is None or (last.step, last.attempt) != (place.step, place.number):
            return {}
        return parse_position(last.position, wanted_streams(place, self._wish.stream))

    def _first(self, place: LogPlace, stream: OutputStream, source: AttemptSource) -> int:
        """Return where a first connection begins: `tail` and `offset` are about the attempt that is found first."""
        if self._done is not None or self._wish.last_id is not None:
            return 0
        return self._streams.indexes.first_offset(self._wish.start, source, stream, live=not place.final)

    def _left(self) -> float:
        return self._ends_at - time.monotonic()


def _check_last_id(place: LogPlace, wish: Wish) -> None:
    """Refuse an id that no stream like this one can have given; raises InvalidRequest."""
    if wish.last_id is None:
        return
    try:
        if wish.last_id.task != wish.task:
            raise CursorError("it belongs to another task of the array")  # noqa: TRY301 - both are told the same way
        parse_position(wish.last_id.position, wanted_streams(place, wish.stream))
    except CursorError as error:
        detail = Detail(where="header.Last-Event-ID", message=str(error), hint="Leave it out to begin anew.")
        raise InvalidRequest(f"Last-Event-ID: {error}", details=(detail,)) from None


async def _told(watched: WatchedJob, timeout_s: float) -> bool:
    """Wait for news of the job; False when there was none in time."""
    news = watched.news
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await news.wait()
    return news.is_set()


def _seconds_until(end: datetime, now: datetime) -> float:
    return max(0.0, (end - now).total_seconds())
