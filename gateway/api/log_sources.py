"""Read an attempt's output for the logs library, as the tenant it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.errors import ClusterUnreachable, GatewayFault
from gateway.ids import AttemptId, UnixUser
from gateway.jobs.read import LogPlace
from gateway.slurm.runner import ReadRequest
from gateway.slurm.transport import Transport
from gateway.wire import Stream
from logs.source import Slice, SourceRefused

OutputStream = Literal["stdout", "stderr"]
LogKey = tuple[AttemptId, str]
"""Attempt and file name: what tells one log from all others, for as long as the gateway lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSource:
    """One file of an attempt directory, opened anew at each read as NFS wants it."""

    transport: Transport
    user: UnixUser
    attempt: AttemptId
    name: str

    @property
    def key(self) -> LogKey:
        """Return what names this file."""
        return self.attempt, self.name

    def read(self, offset: int, limit: int) -> Slice:
        """Read as `logs.source.Source` says; a cluster that does not answer is worth another try (OSError)."""
        request = ReadRequest(attempt=self.attempt, name=self.name, offset=offset, limit=limit)
        try:
            seen = self.transport.read_many(self.user, [request])[0]
        except ClusterUnreachable as error:
            raise OSError(str(error)) from error
        except GatewayFault as error:
            raise SourceRefused(str(error)) from error
        if seen.refused is not None:
            raise SourceRefused(f"{self.name} cannot be read as a log: {seen.refused}")
        return Slice(data=seen.data, size=seen.size, identity=seen.identity)


def wanted_streams(place: LogPlace, stream: Stream) -> tuple[OutputStream, ...]:
    """Return which files a reader of `stream` reads.

    A job that writes both streams into one file has it all in stdout, as with sbatch, and nothing in stderr.
    """
    wanted: tuple[OutputStream, ...] = ("stdout", "stderr") if stream == "both" else (stream,)
    return tuple(each for each in wanted if not (each == "stderr" and place.merged))


def sources_of(
    place: LogPlace, stream: Stream, task: int | None, transports: Mapping[str, Transport]
) -> dict[OutputStream, AttemptSource]:
    """Return the files that hold the wanted streams of the attempt: none while there is no attempt."""
    if place.attempt is None:
        return {}
    return {
        each: AttemptSource(
            transport=transports[place.cluster],
            user=place.user,
            attempt=place.attempt,
            name=each if task is None else f"{each}.{task}",
        )
        for each in wanted_streams(place, stream)
    }
