"""Tell every process that something about a job changed, so that nobody has to poll for it.

Notices are hints over Redis pub/sub: who waits re-reads the database when one comes, and from time to time when none
does. With Redis gone everything goes on, slower.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gateway import redis
from gateway.ids import JobId
from gateway.states import Phase

log = structlog.get_logger()

CHANNEL: Final = "sgw:notices"
UNHEARD_POLL_S: Final = 0.5
"""How often waiters look for themselves while notices cannot arrive."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something happened to a job."""

    job: JobId
    phase: Phase | None
    kind: str


Listener = Callable[[Notice], None]


class Notices:
    """This process's ear and voice. `start` it once; publishing works without."""

    def __init__(self, client: redis.Client) -> None:
        self._client = client
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._everything: set[Listener] = set()
        self._by_job: dict[JobId, set[Listener]] = {}
        self._quiet_until_success = False
        self.connected = False
        """Whether notices arrive at the moment."""

    def publish(self, events: Sequence[dict[str, Any]]) -> None:
        """Announce committed events; a failure is logged once and forgotten."""
        notices = [(e["job_id"], e.get("to_phase"), e["kind"]) for e in events if e.get("job_id") is not None]
        if not notices:
            return
        try:
            self._client.publish(CHANNEL, json.dumps(notices))
            self._quiet_until_success = False
        except redis.Unreachable as error:
            self._deliver([Notice(JobId(job), Phase(to) if to else None, kind) for job, to, kind in notices])
            if not self._quiet_until_success:
                log.warning("notices.unpublished", error=str(error))
            self._quiet_until_success = True

    def start(self) -> None:
        """Begin to listen, on a thread of its own."""
        self._thread = threading.Thread(target=self._listen, name="notices", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @contextmanager
    def listening(self, listener: Listener, *, job: JobId | None = None) -> Iterator[None]:
        """Call `listener`, from the notices thread, for one job or for all; it must be quick and must not raise."""
        with self._lock:
            listeners = self._everything if job is None else self._by_job.setdefault(job, set())
            listeners.add(listener)
        try:
            yield
        finally:
            with self._lock:
                listeners.discard(listener)
                if job is not None and not listeners and self._by_job.get(job) is listeners:
                    del self._by_job[job]

    def patience(self, timeout_s: float) -> float:
        """Return how long to wait for a notice before looking for oneself."""
        return timeout_s if self.connected else min(timeout_s, UNHEARD_POLL_S)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with redis.pubsub(self._client) as channel:
                    channel.subscribe(CHANNEL)
                    self._hear(channel)
            except redis.Unreachable as error:
                if self.connected:
                    log.warning("notices.unheard", error=str(error))
                self.connected = False
                self._stop.wait(UNHEARD_POLL_S)

    def _hear(self, channel: Any) -> None:
        while not self._stop.is_set():
            message = channel.get_message(timeout=0.5)
            if message is None:
                continue
            if message["type"] == "subscribe":
                self.connected = True
            elif message["type"] == "message":
                rows = json.loads(message["data"])
                self._deliver([Notice(JobId(job), Phase(to) if to else None, kind) for job, to, kind in rows])

    def _deliver(self, notices: Sequence[Notice]) -> None:
        with self._lock:
            calls = [
                (listener, notice)
                for notice in notices
                for listener in (*self._everything, *self._by_job.get(notice.job, ()))
            ]
        for listener, notice in calls:
            listener(notice)
