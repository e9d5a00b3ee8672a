"""Ask the gateway for the jobs a listing command wants, and sort out here what the server cannot."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.client import GatewayClient
from gateway.wire import JobView

_IDS_A_REQUEST = 100
"""A thousand ids make a URL that proxies refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which jobs are meant; an empty set matches everything."""

    users: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()

    def has(self, job: JobView) -> bool:
        """Say whether the job matches every set."""
        return (
            (not self.users or not self.users.isdisjoint({job.user, job.unix_user}))
            and (not self.names or job.name in self.names)
            and (not self.pools or not self.pools.isdisjoint({job.pool, job.placement.partition}))
            and (not self.accounts or job.account in self.accounts)
        )


def names_of(values: Iterable[str] | None) -> frozenset[str]:
    """Join a repeatable comma list into one set."""
    return frozenset(part.strip() for value in values or () for part in value.split(",") if part.strip())


def find_jobs(
    client: GatewayClient,
    choice: Choice,
    *,
    ids: Collection[str] = (),
    owner: str | None = None,
    active: bool = False,
    submitted_before: datetime | None = None,
    ended_after: datetime | None = None,
) -> Iterator[JobView]:
    """Yield the jobs of the choice; without ids all that the time and `active` leave, newest first.

    The server narrows by id, owner (a user's name in the gateway), activity and time. The choice is made here: a list
    takes several of each, and people mean either a user's name in the gateway or the Unix user.
    """
    query: dict[str, str] = {"active": "true"} if active else {}
    if owner is not None:
        query["user"] = owner
    if submitted_before is not None:
        query["submitted_before"] = submitted_before.isoformat()
    if ended_after is not None:
        query["ended_after"] = ended_after.isoformat()
    found = _by_ids(client, query, sorted(set(ids), key=int)) if ids else client.jobs(query)
    return (job for job in found if choice.has(job) and owner in {None, job.user})


def _by_ids(client: GatewayClient, query: dict[str, str], ids: Sequence[str]) -> Iterator[JobView]:
    for start in range(0, len(ids), _IDS_A_REQUEST):
        yield from client.jobs({**query, "id": list(ids[start : start + _IDS_A_REQUEST])})
