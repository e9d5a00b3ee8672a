"""Publish what the gateway asks of Slurm, as Prometheus metrics: the load we are is a figure anyone can check."""

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.slurm.transport import Transport
from gateway.slurm.transports.command import Cost


@runtime_checkable
class _Costed(Protocol):
    """A transport that counts what its commands cost; not all have commands."""

    @property
    def costs(self) -> Mapping[str, Cost]: ...


class Spent(Collector):
    """What this process has asked of each cluster since it started, whoever was looking on."""

    def __init__(self, transports: Mapping[str, Transport]) -> None:
        self._transports = transports

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: the commands are known when they were run."""
        return ()

    def collect(self) -> Iterable[Metric]:
        by = ("cluster", "command")
        calls = CounterMetricFamily("sgw_slurm_calls", "Commands run.", labels=by)
        failed = CounterMetricFamily("sgw_slurm_failed_calls", "Commands that gave no good answer.", labels=by)
        seconds = CounterMetricFamily("sgw_slurm_call_seconds", "Time waited for commands.", labels=by)
        for cluster, transport in self._transports.items():
            for command, cost in transport.costs.items() if isinstance(transport, _Costed) else ():
                calls.add_metric([cluster, command], cost.calls)
                failed.add_metric([cluster, command], cost.failed)
                seconds.add_metric([cluster, command], cost.seconds)
        return [calls, failed, seconds]
