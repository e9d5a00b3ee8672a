"""Read the job in a path: `36`, or `36_1` for one task of an array."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from gateway.errors import NotFound
from gateway.ids import JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A job, or one task of it."""

    job: JobId
    task: int | None = None


async def _job(job_id: str) -> JobId:
    return JobId(_number(job_id, job_id))


async def _address(job_id: str) -> Address:
    job, underscore, task = job_id.partition("_")
    return Address(job=JobId(_number(job, job_id)), task=_number(task, job_id) if underscore else None)


def _number(text: str, whole: str) -> int:
    # Eighteen digits stay below 2**63, where the database's integers end.
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound(f"There is no job {whole[:40]!r}.", hint="A job's id is a number, a task's address is 36_1.")
    return int(text)


JobHere = Annotated[JobId, Depends(_job)]
AddressHere = Annotated[Address, Depends(_address)]
