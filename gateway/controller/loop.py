"""Run the controllers of all clusters: a few threads, each repeating one small act until told to stop."""

import contextlib
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from gateway.controller.collector import Collector, tick_pause
from gateway.controller.dispatch import Dispatcher
from gateway.controller.doubt import Doubter
from gateway.controller.finalize import Finalizer
from gateway.controller.leases import LeaseKeeper, holder_name
from gateway.notices import Notice
from gateway.services import Services
from gateway.settings import ClusterSettings
from gateway.states import Phase

log = structlog.get_logger()

SWEEP_S: Final = 1.0
"""How long an act may be overdue when no notice came: the sweep is the guarantee, notices only hurry it."""
_AFTER_ERROR_S: Final = 2.0
_DISPATCH_REST_S: Final = 0.05
"""At 50 jobs a second a job then costs 3.7 ms of CPU and 22 writes instead of 6.8 ms and 53 (measured). A lone job does
not wait for it, and sbatch never idles: more intents are on record than can land in this time."""
_WAKE_POLL_S: Final = 0.05
_HURRY_S: Final = (0.1, 0.2, 0.4, 0.8)
"""Looks after a job left its exit record: slurmctld notices the end a moment later."""


@dataclass(slots=True, kw_only=True)
class Act:
    """Something to repeat: at once while it finds work, else after a pause or when woken."""

    name: str
    once: Callable[[], bool]
    pause: Callable[[], float] = lambda: SWEEP_S
    rest_s: float = 0.0
    """Least time between two rounds: what comes meanwhile is done together, in one transaction."""
    wake: threading.Event = field(default_factory=threading.Event)

    def run(self, stop: threading.Event) -> None:
        """Repeat until `stop`; an error is logged and tried again, it never ends the thread."""
        while not stop.is_set():
            try:
                self.wake.clear()
                busy = self.once()
            except Exception:
                log.exception("controller.error", act=self.name)
                stop.wait(_AFTER_ERROR_S)
                continue
            stop.wait(self.rest_s)
            if not busy:
                self.wake.wait(self.pause())


class ControllerLoop:
    """All controllers of this process. `start`, then `stop`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        holder = holder_name()
        settings = services.settings
        self._keeper = LeaseKeeper(
            services.database, holder=holder, lease_s=settings.lease_s, every_s=settings.lease_renew_s
        )
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._closing = ExitStack()
        self._acts: list[Act] = []
        self._watchers: list[Hurry] = []
        self._on_pending: list[threading.Event] = []
        self._on_ending: list[threading.Event] = []
        self._on_cancel: list[threading.Event] = []
        for name, cluster in settings.clusters.items():
            self._add_cluster(name, cluster, holder)

    def start(self) -> None:
        """Begin to act."""
        self._closing.enter_context(self._services.notices.listening(self._hear))
        for act in self._acts:
            self._spawn(act.name, act.run, self._stop)
        for watcher in self._watchers:
            self._spawn("wake", watcher.watch_directory, self._stop)
        self._spawn("leases", self._keeper.run)

    def stop(self) -> None:
        """Finish the acts under way, give nothing half done back, and end."""
        self._stop.set()
        self._keeper.stop()
        for act in self._acts:
            act.wake.set()
        for thread in self._threads:
            thread.join()
        self._closing.close()

    def _add_cluster(self, name: str, cluster: ClusterSettings, holder: str) -> None:
        dispatcher = Dispatcher(self._services, name, self._keeper)
        collector = Collector(self._services, name, holder=holder)
        doubter = Doubter(self._services, name, self._keeper)
        finalizer = Finalizer(self._services, name, self._keeper)
        hurry = Hurry(cluster)
        watch = Act(name=f"collect-{name}", once=collector.run_once, pause=lambda: hurry.pause(collector.cost_s))
        hurry.wake = watch.wake
        finish = Act(name=f"finalize-{name}", once=finalizer.run_once)
        self._acts += [
            Act(name=f"dispatch-{name}", once=dispatcher.run_once, wake=dispatcher.wake, rest_s=_DISPATCH_REST_S),
            Act(name=f"doubt-{name}", once=doubter.run_once),
            watch,
            finish,
        ]
        self._on_pending.append(dispatcher.wake)
        self._on_cancel.append(watch.wake)
        self._on_ending.append(finish.wake)
        self._watchers.append(hurry)
        self._closing.callback(dispatcher.close)

    def _hear(self, notice: Notice) -> None:
        if notice.kind == "job.cancel_requested":
            events = self._on_cancel
        elif notice.phase is Phase.PENDING:
            events = self._on_pending
        elif notice.phase is Phase.FINALIZING:
            events = self._on_ending
        else:
            return
        for event in events:
            event.set()

    def _spawn(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)


class Hurry:
    """Choose the collector's pace: its cost sets the pause, a fresh exit record cuts it short.

    Ended jobs leave a file named after their attempt in the wake directory. It is world-writable, so a file there
    means nothing but "look now", and what it is called is not even read.
    """

    def __init__(self, cluster: ClusterSettings) -> None:
        self._cluster = cluster
        self._left: list[float] = []
        self.wake = threading.Event()

    def pause(self, cost_s: float) -> float:
        """Return how long to wait before the next look."""
        usual = tick_pause(cost_s, least_s=self._cluster.tick_s, most_s=self._cluster.tick_max_s)
        return min(usual, max(self._left.pop(0), cost_s * 4)) if self._left else usual

    def watch_directory(self, stop: threading.Event) -> None:
        """Empty the wake directory whenever something is in it (polling works on network file systems too)."""
        directory = Path(self._cluster.wake_dir)
        seen = -1
        while not stop.wait(_WAKE_POLL_S):
            with contextlib.suppress(OSError):
                changed = directory.stat().st_mtime_ns
                if changed == seen:
                    continue
                seen = changed
                if _empty(directory):
                    self._hint()

    def _hint(self) -> None:
        """Begin a series of looks; one under way goes on, with at least its last two looks still to come.

        Anybody can write into the directory, and 95 hints a second made ten looks of it (seen), every one a load on
        slurmctld: hints alone never make more than two.
        """
        if not self._left:
            self._left = list(_HURRY_S)
            self.wake.set()
        elif len(self._left) < 2:
            self._left = list(_HURRY_S[-2:])


def _empty(directory: Path) -> bool:
    found = False
    with os.scandir(directory) as entries:
        for entry in entries:
            found = True
            with contextlib.suppress(OSError):
                Path(entry.path).unlink()
    return found
