"""Ask the gateway for the jobs a listing command wants, and sort out here what the server cannot."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from gateway.client import GatewayClient
from gateway.wire import JobView

_IDS_A_REQUEST = 100
"""A thousand ids make a URL that proxies refuse."""


def names_of(values: Iterable[str] | None) -> set[str]:
    """Join a repeatable comma list into one set."""
    return {part.strip() for value in values or () for part in value.split(",") if part.strip()}


def find_jobs(
    client: GatewayClient,
    *,
    ids: Collection[str] = (),
    users: Collection[str] = (),
    names: Collection[str] = (),
    pools: Collection[str] = (),
    accounts: Collection[str] = (),
    active: bool = False,
    submitted_after: datetime | None = None,
    submitted_before: datetime | None = None,
) -> Iterator[JobView]:
    """Yield the jobs that match every given list; an empty list matches everything.

    The server narrows by id, activity and time; names are compared here, because a listing takes several of each and
    people mean either their name in the gateway or their Unix user.
    """
    query: dict[str, str] = {"active": "true"} if active else {}
    if submitted_after is not None:
        query["submitted_after"] = submitted_after.isoformat()
    if submitted_before is not None:
        query["submitted_before"] = submitted_before.isoformat()
    for job in _by_ids(client, query, sorted(set(ids), key=int)) if ids else client.jobs(query):
        if (
            (not users or job.user in users or job.unix_user in users)
            and (not names or job.name in names)
            and (not pools or job.pool in pools or job.placement.partition in pools)
            and (not accounts or job.account in accounts)
        ):
            yield job


def _by_ids(client: GatewayClient, query: dict[str, str], ids: Sequence[str]) -> Iterator[JobView]:
    for start in range(0, len(ids), _IDS_A_REQUEST):
        yield from client.jobs({**query, "id": list(ids[start : start + _IDS_A_REQUEST])})
