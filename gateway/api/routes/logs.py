"""Read and follow a job's output."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from gateway.api import sse
from gateway.api.addresses import JobHere
from gateway.api.caller import Caller, ServicesHere, SignedInRoute, streams_of
from gateway.api.log_answer import log_answer
from gateway.api.log_sources import sources_of
from gateway.api.log_start import Start, Tail
from gateway.api.openapi import problems
from gateway.api.stream import FollowResponse, Wish
from gateway.errors import Detail, InvalidRequest
from gateway.jobs import read
from gateway.wire import Stream

router = APIRouter(route_class=SignedInRoute, tags=["logs"])

_EXAMPLE = (
    "id: main.1.-/0:6~7a1f0c22\nevent: chunk\n"
    'data: {"stream": "stdout", "generation": 0, "offset": 0, "time": 1795237200.0, "text": "hello\\n"}\n\n'
    'event: end\ndata: {"state": "COMPLETED", "exit_code": 0, "signal": 0}\n\n'
)
_ANSWERS = problems(404, 409, 503) | {
    200: {
        "description": "The bytes, or with `follow=true` the events `chunk`, `gap`, `end`, `reconnect` and `problem`.",
        "content": {"text/plain": {}, "text/event-stream": {"example": _EXAMPLE}},
    }
}


@router.get("/v1/jobs/{job_id}/logs", response_class=Response, responses=_ANSWERS, summary="Read or follow the output")
async def logs(
    http: Request,
    job_id: JobHere,
    services: ServicesHere,
    principal: Caller,
    stream: Stream = "stdout",
    task: Annotated[int | None, Query(ge=0, le=2**31, description="Which task, for an array.")] = None,
    tail: Annotated[
        str | None, Query(max_length=20, description="The last lines (`100`), or what the last `10s` brought.")
    ] = None,
    offset: Annotated[int | None, Query(ge=0, lt=2**62, description="The first byte.")] = None,
    limit: Annotated[int | None, Query(ge=1, lt=2**62, description="Bytes at most; not with follow=true.")] = None,
    follow: Annotated[bool, Query(description="Send events until the job ends.")] = False,  # noqa: FBT002 - a query
    last_event_id: Annotated[str | None, Header(description="Resume behind this event.")] = None,
    last_event_id_: Annotated[
        str | None, Query(alias="last_event_id", description="The same, for who cannot set headers.")
    ] = None,
) -> Response:
    start = Start(offset=offset, tail=Tail.parse(tail) if tail is not None else None)
    _demand_one_start(stream, start, limit, follow=follow)
    place = await run_in_threadpool(read.log_place, services, principal.visible, job_id, task=task)
    streams = streams_of(http)
    if follow:
        last_id = _last_id(last_event_id or last_event_id_)
        wish = Wish(job=job_id, task=task, stream=stream, start=start, last_id=last_id)
        return FollowResponse(streams, principal, place, wish)
    sources = sources_of(place, stream, task, services.transports)
    return await run_in_threadpool(log_answer, place, sources, start, limit, streams.indexes)


def _demand_one_start(stream: Stream, start: Start, limit: int | None, *, follow: bool) -> None:
    if start.offset is not None and start.tail is not None:
        raise _invalid("query.tail", "tail and offset exclude each other", "Give one of them.")
    if stream == "both" and (start.offset is not None or limit is not None):
        raise _invalid(
            "query.stream", "offset and limit count the bytes of one stream", "Ask for stdout and stderr one by one."
        )
    if follow and limit is not None:
        raise _invalid("query.limit", "a followed log has no limit", "Leave out limit or follow.")


def _last_id(text: str | None) -> sse.EventId | None:
    try:
        return sse.EventId.parse(text) if text else None
    except sse.EventIdError as error:
        raise _invalid("header.Last-Event-ID", str(error), "Leave it out to begin anew.") from None


def _invalid(where: str, message: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"{where}: {message}", details=(Detail(where=where, message=message, hint=hint),))
