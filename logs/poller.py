"""Call every feed's poll when it is due, on a few threads."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Hashable

Work = Callable[[], float | None]
"""Does one round and answers after how many seconds the next is due; None: never again."""


class Poller:
    """A timetable of work, each piece run by one thread at a time. Threads start with the first piece."""

    def __init__(self, *, threads: int, name: str) -> None:
        self._changed = threading.Condition()
        self._timetable: list[tuple[float, int, Hashable]] = []
        self._count = itertools.count()
        self._work: dict[Hashable, Work] = {}
        self._due: dict[Hashable, float] = {}  # absent while it is being run
        self._again: set[Hashable] = set()  # hurried while it was being run
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        self._started = self._closed = False

    def add(self, key: Hashable, work: Work) -> None:
        """Run `work` now, and again as it answers. The key is new to the poller."""
        with self._changed:
            self._work[key] = work
            self._schedule(key, 0.0)
            if not self._started:
                self._started = True
                for thread in self._threads:
                    thread.start()

    def hurry(self, key: Hashable) -> None:
        """Run the key's work now, or once more if it is running."""
        with self._changed:
            if key in self._due:
                self._schedule(key, 0.0)
            elif key in self._work:
                self._again.add(key)

    def close(self) -> None:
        """Stop the threads, waiting for those that are free to stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads if self._started else []:
            thread.join(timeout=1.0)  # one that hangs in a dead file system is a daemon and may stay

    def _schedule(self, key: Hashable, delay: float) -> None:
        due = time.monotonic() + delay
        self._due[key] = due
        heapq.heappush(self._timetable, (due, next(self._count), key))
        self._changed.notify()

    def _run(self) -> None:
        while (key := self._next()) is not None:
            delay = self._work[key]()
            with self._changed:
                hurried = key in self._again
                self._again.discard(key)
                if delay is None:
                    del self._work[key]
                else:
                    self._schedule(key, 0.0 if hurried else delay)

    def _next(self) -> Hashable | None:
        with self._changed:
            while not self._closed:
                if not self._timetable:
                    self._changed.wait()
                    continue
                due, _, key = self._timetable[0]
                wait = due - time.monotonic()
                if self._due.get(key) != due:
                    heapq.heappop(self._timetable)  # rescheduled since
                elif wait <= 0:
                    heapq.heappop(self._timetable)
                    del self._due[key]
                    return key
                else:
                    self._changed.wait(wait)
            return None
