"""Count what the service does, for Prometheus. No label holds anything a client can choose."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.db import tables
from gateway.db.database import Database
from gateway.services import Services
from gateway.slurm.spending import Spent
from gateway.states import FINAL

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_LATENCY_S: Final = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.0, 5.0)
_METHODS: Final = frozenset({"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"})
_CACHE_S: Final = 5.0


class Metrics:
    """A registry of our own: two apps in one process (tests do that) do not count into each other."""

    def __init__(self, services: Services) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sgw_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._latency = Histogram(
            "sgw_request_seconds",
            "Time to the end of the answer; streams and waits count in full.",
            ("method", "route"),
            buckets=_LATENCY_S,
            registry=self._registry,
        )
        self.admissions = Counter(
            "sgw_admissions", "Submissions, by what became of them.", ("outcome",), registry=self._registry
        )
        self.followers = Gauge("sgw_log_followers", "Log streams open now.", registry=self._registry)
        self.relayed = Counter(
            "sgw_log_relayed_bytes", "Bytes of logs sent to followers, as written.", registry=self._registry
        )
        self._registry.register(_Stored(services.database))
        self._registry.register(Spent(services.transports))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the template of its path."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, status).inc()
        self._latency.labels(method, route).observe(seconds)

    def exposition(self) -> bytes:
        """Render everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _Stored(Collector):
    """Figures that live in the database, read at most every few seconds however many scrape."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._families: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if self._monotonic() - self._read_at >= _CACHE_S:
                self._families = self._read()
                self._read_at = self._monotonic()
            return self._families

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering must not query the database."""
        return ()

    def _read(self) -> list[Metric]:
        active = GaugeMetricFamily("sgw_jobs_active", "Jobs not final, by phase.", labels=["phase"])
        seen = GaugeMetricFamily("sgw_cluster_seen_time_seconds", "When the last look succeeded.", labels=["cluster"])
        cost = GaugeMetricFamily("sgw_cluster_look_seconds", "What the last look cost.", labels=["cluster"])
        failing = GaugeMetricFamily("sgw_cluster_failing", "1 while looks at the cluster fail.", labels=["cluster"])
        phase = tables.steps.c.phase
        # Written with literals, so that the partial index of unfinished steps is used: final jobs are never counted.
        unfinished = phase.not_in([sa.literal_column(f"'{each}'") for each in sorted(FINAL)])
        with self._database.read() as connection:
            for name, count in connection.execute(
                sa.select(phase, sa.func.count()).where(unfinished).group_by(phase)
            ).all():
                active.add_metric([name], count)
            for watch in connection.execute(sa.select(tables.cluster_watches)):
                seen.add_metric([watch.cluster], watch.seen_at.timestamp() if watch.seen_at else 0.0)
                cost.add_metric([watch.cluster], watch.tick_cost_s)
                failing.add_metric([watch.cluster], 1.0 if watch.error else 0.0)
        return [active, seen, cost, failing]
