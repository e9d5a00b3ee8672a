"""Submit, read, list and cancel jobs."""

import time
from typing import Annotated, Final

from fastapi import APIRouter, Body, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime, Field

from gateway.api.addresses import AddressHere, JobHere
from gateway.api.answers import as_json
from gateway.api.caller import Caller, ServicesHere, SignedInRoute, metrics_of, streams_of
from gateway.api.examples import JOB, JOB_REQUESTS, SIGNAL_REQUESTS
from gateway.api.openapi import problems, success
from gateway.errors import CallerError
from gateway.ids import JobId
from gateway.jobs import cancel, read, signal, submit
from gateway.notices import Notice
from gateway.states import FINAL, State
from gateway.wire import EventPage, JobCheck, JobPage, JobRequest, JobView, SignalRequest, TaskPage

router = APIRouter(route_class=SignedInRoute, tags=["jobs"])

_MAX_WAIT_S: Final = 60.0
_MAX_IDS: Final = 500

Number = Annotated[int, Field(ge=0, lt=2**63, description="What the database can compare with an id.")]
Limit = Annotated[int, Query(ge=1, le=read.MAX_PAGE, description="Items a page holds at most.")]
After = Annotated[str | None, Query(max_length=40, alias="cursor", description="`next_cursor` of the page before.")]


@router.post(
    "/v1/jobs",
    status_code=201,
    response_model=JobView,
    responses=problems(403, 404, 409, 503, body=True)
    | success(201, "The job is accepted and durable.", JOB)
    | {200: {"model": JobCheck, "description": "With `test_only`: it would be accepted, as this."}},
    summary="Submit a job, or only check it",
)
def submit_job(
    http: Request,
    request: Annotated[JobRequest, Body(openapi_examples=JOB_REQUESTS)],
    services: ServicesHere,
    principal: Caller,
    idempotency_key: Annotated[str | None, Header(description="The same key and body again is the same job.")] = None,
    test_only: Annotated[bool, Query(description="Check it as a submission, create nothing.")] = False,  # noqa: FBT002 - a query
) -> Response:
    if test_only:
        return as_json(submit.check(services, principal, request))
    admissions = metrics_of(http).admissions
    try:
        submitted = submit.submit(services, principal, request, key=idempotency_key)
    except CallerError as error:
        admissions.labels(error.problem).inc()
        raise
    admissions.labels("replayed" if submitted.replayed else "accepted").inc()
    headers = {"Location": f"/v1/jobs/{submitted.view.id}"}
    if submitted.replayed:
        headers["Idempotency-Replayed"] = "true"
    return as_json(submitted.view, 201, headers)


@router.get("/v1/jobs", response_model=JobPage, responses=problems(), summary="List jobs, newest first")
def list_jobs(
    services: ServicesHere,
    principal: Caller,
    state: Annotated[list[State], Query(description="Any of these.")] = [],  # noqa: B006 - FastAPI copies defaults
    active: Annotated[bool | None, Query(description="True: jobs that are not final. False: those that are.")] = None,
    user: Annotated[str | None, Query(max_length=31)] = None,
    name: Annotated[str | None, Query(max_length=200)] = None,
    pool: Annotated[str | None, Query(max_length=64)] = None,
    tenant: Annotated[str | None, Query(max_length=31, description="For operators.")] = None,
    id: Annotated[list[Number], Query(max_length=_MAX_IDS, description="Any of these.")] = [],  # noqa: A002, B006
    submitted_after: AwareDatetime | None = None,
    submitted_before: AwareDatetime | None = None,
    ended_after: Annotated[AwareDatetime | None, Query(description="Only jobs that have ended.")] = None,
    ended_before: Annotated[AwareDatetime | None, Query(description="Only jobs that have ended.")] = None,
    limit: Limit = 50,
    cursor: After = None,
) -> Response:
    wanted = read.JobFilter(
        states=tuple(state),
        active=active,
        user=user,
        name=name,
        pool=pool,
        tenant=tenant,
        ids=tuple(JobId(each) for each in id),
        submitted_after=submitted_after,
        submitted_before=submitted_before,
        ended_after=ended_after,
        ended_before=ended_before,
    )
    return as_json(read.page(services, principal.visible, wanted, limit=limit, cursor=cursor))


@router.get(
    "/v1/jobs/{job_id}",
    response_model=JobView,
    responses=problems(404) | success(200, "The job as it is now.", JOB),
    summary="Read a job",
)
async def get_job(
    http: Request,
    job_id: JobHere,
    services: ServicesHere,
    principal: Caller,
    wait: Annotated[
        float, Query(ge=0, le=_MAX_WAIT_S, description="Answer when the job is final, at the latest after this long.")
    ] = 0,
) -> Response:
    if not wait:
        return as_json(await run_in_threadpool(read.get, services, principal.visible, job_id))
    deadline = time.monotonic() + wait
    waiting = streams_of(http).waiting
    with waiting.bell(job_id, only=_may_be_final) as bell:
        while True:
            view = await run_in_threadpool(read.get, services, principal.visible, job_id)
            left = deadline - time.monotonic()
            if view.phase in FINAL or left <= 0 or waiting.closing:
                return as_json(view)
            await bell.wait(left)


@router.delete(
    "/v1/jobs/{job_id}",
    status_code=202,
    response_model=JobView,
    responses=problems(403, 404)
    | success(200, "It was final already.", JOB)
    | success(202, "Its end was asked for; it is CANCELLED when Slurm says so.", JOB),
    summary="Cancel a job, or one task of an array (`36_1`)",
)
def cancel_job(job_id: AddressHere, services: ServicesHere, principal: Caller) -> Response:
    cancelled = cancel.cancel(services, principal, job_id.job, task=job_id.task)
    return as_json(cancelled.view, 200 if cancelled.was_final else 202)


@router.post(
    "/v1/jobs/{job_id}/signal",
    response_model=JobView,
    responses=problems(403, 404, 409, 503, body=True) | success(200, "Slurm has sent it.", JOB),
    summary="Signal a job that runs, or one task of an array (`36_1`)",
)
def signal_job(
    job_id: AddressHere,
    request: Annotated[SignalRequest, Body(openapi_examples=SIGNAL_REQUESTS)],
    services: ServicesHere,
    principal: Caller,
) -> Response:
    return as_json(signal.signal(services, principal, job_id.job, request, task=job_id.task))


@router.get("/v1/jobs/{job_id}/tasks", response_model=TaskPage, responses=problems(404), summary="List array tasks")
def list_tasks(
    job_id: JobHere, services: ServicesHere, principal: Caller, limit: Limit = 50, cursor: After = None
) -> Response:
    return as_json(read.tasks(services, principal.visible, job_id, limit=limit, cursor=cursor))


@router.get("/v1/jobs/{job_id}/events", response_model=EventPage, responses=problems(404), summary="Tell a job's story")
def list_events(
    job_id: JobHere, services: ServicesHere, principal: Caller, limit: Limit = 50, cursor: After = None
) -> Response:
    return as_json(read.events(services, principal.visible, job_id, limit=limit, cursor=cursor))


@router.get(
    "/v1/jobs/{job_id}/script",
    response_class=Response,
    responses=problems(404) | {200: {"content": {"application/octet-stream": {}}}},
    summary="Fetch the script as it is run: as it was handed in, but for DOS line breaks, which are repaired",
)
def get_script(job_id: JobHere, services: ServicesHere, principal: Caller) -> Response:
    return Response(read.script(services, principal.visible, job_id), media_type="application/octet-stream")


def _may_be_final(notice: Notice) -> bool:
    """A step's end may be the job's; everything else cannot be."""
    return notice.phase is None or notice.phase in FINAL
