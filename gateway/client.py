"""Speak the gateway's REST interface, trying again only where that is safe.

A call takes `patience_s`: how long to keep trying while the gateway does not answer or says "later". It exists only on
calls that may be repeated: reads, cancels, and submissions, which carry an Idempotency-Key so that a lost answer never
doubles a job. Everything else is tried once.
"""

import base64
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, TypeVar
from urllib.parse import quote

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.wire import (
    EventPage,
    JobCheck,
    JobPage,
    JobRequest,
    JobView,
    LogChunk,
    LogEnd,
    NodePoolList,
    Problem,
    SignalRequest,
    Stream,
    TaskPage,
    TenantRequest,
    TenantView,
    TokenRequest,
    TokenView,
    UserRequest,
    UserView,
    WhoAmI,
)

_Model = TypeVar("_Model", bound=BaseModel)
_Query = Mapping[str, str | int | list[str]]

_CONNECT_S = 5.0
_ANSWER_S = 60.0
_SILENCE_S = 45.0
"""A followed log sends a heartbeat every 15 s: three missed ones mean the connection is dead."""
_LONGEST_DELAY_S = 5.0
_LATER = frozenset({429, 502, 503, 504})


class ApiProblem(Exception):
    """The gateway answered, and the answer is an error."""

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.retry_after = retry_after


class Unreachable(Exception):
    """The gateway gave no answer that can be trusted. This says nothing about any job."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"the gateway at {url} cannot be reached: {why}")
        self.url = url
        self.why = why
        self.retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBytes:
    """A piece of a job's output, as the job wrote it."""

    stream: Literal["stdout", "stderr"]
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGap:
    """A range that the stream had to skip; it can still be fetched by offset."""

    stream: str
    start: int
    stop: int
    reason: str


LogItem = LogBytes | LogGap | Problem | LogEnd
"""A Problem tells why a part of the log cannot be had; the stream goes on after it."""

Failure = ApiProblem | Unreachable
_Notice = Callable[[Failure, float], None]
"""Told of each failure that is about to be tried again, with the seconds until then."""


def _unnoticed(failure: Failure, delay_s: float) -> None:
    del failure, delay_s


class GatewayClient:
    """One gateway, spoken to as one user. Every method raises `ApiProblem` or `Unreachable`."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        notice: _Notice = _unnoticed,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise Unreachable(url, "a URL of the gateway starts with http:// or https://")
        self.url = url.rstrip("/")
        self._notice, self._sleep, self._monotonic, self._jitter = notice, sleep, monotonic, jitter
        headers = {"User-Agent": "sgw", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            self._http = httpx.Client(
                base_url=self.url,
                headers=headers,
                transport=transport,
                timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S),
                # Loading the CA certificates costs 17 to 35 ms, for nothing without TLS; redirects are not followed.
                verify=self.url.startswith("https://"),
            )
        except httpx.InvalidURL as error:
            raise Unreachable(url, f"this is not a URL ({error})") from error

    def close(self) -> None:
        """Give up the connections."""
        self._http.close()

    def whoami(self) -> WhoAmI:
        return self._get("/v1/whoami", WhoAmI)

    def submit(self, request: JobRequest, *, key: str, patience_s: float = 0) -> JobView:
        """Hand in a job; the same `key` and request again is the same job, however often it is sent."""
        content = request.model_dump_json(by_alias=True, exclude_defaults=True)
        response = self._send("POST", "/v1/jobs", content=content, key=key, patience_s=patience_s)
        return self._read(response, JobView)

    def check(self, request: JobRequest, *, patience_s: float = 0) -> JobCheck:
        """Ask what a submission would be answered; creates nothing."""
        content, query = request.model_dump_json(by_alias=True, exclude_defaults=True), {"test_only": "true"}
        return self._read(self._send("POST", "/v1/jobs", query=query, content=content, patience_s=patience_s), JobCheck)

    def job(self, job_id: str, *, wait_s: int | None = None, patience_s: float = 0) -> JobView:
        """Read one job; with `wait_s` the answer comes when the job is final, or after that time."""
        query = {} if wait_s is None else {"wait": wait_s}
        return self._get(f"/v1/jobs/{_part(job_id)}", JobView, query, patience_s=patience_s)

    def jobs(self, filters: _Query, *, page_size: int = 200) -> Iterator[JobView]:
        """Read all jobs that pass the filters of `GET /v1/jobs`, newest first, page by page as they are consumed."""
        cursor: str | None = None
        while True:
            page = self._get("/v1/jobs", JobPage, _page_query(filters, page_size, cursor))
            yield from page.items
            if (cursor := page.next_cursor) is None:
                return

    def cancel(self, address: str, *, patience_s: float = 0) -> JobView:
        """Ask for the end of a job (`36`) or of one task of an array (`36_1`)."""
        return self._read(self._send("DELETE", f"/v1/jobs/{_part(address)}", patience_s=patience_s), JobView)

    def signal(self, address: str, request: SignalRequest) -> JobView:
        return self._post(f"/v1/jobs/{_part(address)}/signal", request, JobView)

    def tasks(self, job_id: str, *, limit: int = 200, cursor: str | None = None) -> TaskPage:
        return self._get(f"/v1/jobs/{_part(job_id)}/tasks", TaskPage, _page_query({}, limit, cursor))

    def events(self, job_id: str, *, limit: int = 200, cursor: str | None = None) -> EventPage:
        return self._get(f"/v1/jobs/{_part(job_id)}/events", EventPage, _page_query({}, limit, cursor))

    def script(self, job_id: str) -> bytes:
        return self._send("GET", f"/v1/jobs/{_part(job_id)}/script").content

    def logs(self, job_id: str, *, stream: Stream, task: int | None = None, tail: str | None = None) -> bytes:
        """Read what the job has written so far; `tail` is a number of lines (`100`) or a time (`10s`)."""
        return self._send("GET", f"/v1/jobs/{_part(job_id)}/logs", query=_log_query(stream, task, tail)).content

    def follow_logs(
        self, job_id: str, *, stream: Stream, task: int | None = None, tail: str | None = None, patience_s: float = 0
    ) -> Iterator[LogItem]:
        """Yield what the job writes until it ends; the last item is the `LogEnd`.

        A lost connection is taken up again behind the last consumed item: no byte is missing, none comes twice.
        """
        last_id = ""
        delays = self._delays()
        deadline: float | None = None  # of the patience with the present loss; a log may be quiet for hours
        while True:
            # `tail` chooses where the first connection begins; afterwards the last id does.
            query = _log_query(stream, task, None if last_id else tail) | {"follow": "true"}
            try:
                with self._open_events(f"/v1/jobs/{_part(job_id)}/logs", query, last_id) as events:
                    deadline = None
                    for event in events:
                        item = self._log_item(event)
                        if item is not None:
                            yield item
                            delays = self._delays()
                        last_id = event.id or last_id
                        if isinstance(item, LogEnd):
                            return
                        if event.event == "reconnect":
                            break
            except (ApiProblem, Unreachable) as failure:
                if deadline is None:
                    deadline = self._monotonic() + patience_s
                self._pause(failure, next(delays), deadline)

    def nodepools(self) -> NodePoolList:
        return self._get("/v1/nodepools", NodePoolList)

    def create_tenant(self, request: TenantRequest) -> TenantView:
        return self._post("/v1/tenants", request, TenantView)

    def tenants(self) -> tuple[TenantView, ...]:
        return self._list("/v1/tenants", TenantView)

    def create_user(self, tenant: str, request: UserRequest) -> UserView:
        return self._post(f"/v1/tenants/{_part(tenant)}/users", request, UserView)

    def users(self, tenant: str) -> tuple[UserView, ...]:
        return self._list(f"/v1/tenants/{_part(tenant)}/users", UserView)

    def create_token(self, tenant: str, request: TokenRequest) -> TokenView:
        return self._post(f"/v1/tenants/{_part(tenant)}/tokens", request, TokenView)

    def tokens(self, tenant: str) -> tuple[TokenView, ...]:
        return self._list(f"/v1/tenants/{_part(tenant)}/tokens", TokenView)

    def revoke_token(self, token_id: str) -> None:
        self._send("DELETE", f"/v1/tokens/{_part(token_id)}")

    def _get(self, path: str, model: type[_Model], query: _Query | None = None, *, patience_s: float = 0) -> _Model:
        return self._read(self._send("GET", path, query=query, patience_s=patience_s), model)

    def _post(self, path: str, body: BaseModel, model: type[_Model]) -> _Model:
        return self._read(self._send("POST", path, content=body.model_dump_json(by_alias=True)), model)

    def _list(self, path: str, model: type[_Model]) -> tuple[_Model, ...]:
        content = self._send("GET", path).content
        try:
            found = json.loads(content)
            return TypeAdapter(tuple[model, ...]).validate_python(found["items"] if isinstance(found, dict) else found)  # type: ignore[valid-type]
        except (ValueError, KeyError) as error:
            raise self._not_a_gateway(path) from error

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: _Query | None = None,
        content: str | None = None,
        key: str | None = None,
        patience_s: float = 0,
    ) -> httpx.Response:
        """Send one request until it is answered with success; see the module's first lines for `patience_s`."""
        headers = {} if content is None else {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        request = self._http.build_request(method, path, params=dict(query or {}), content=content, headers=headers)
        delays, deadline = self._delays(), self._monotonic() + patience_s
        while True:
            try:
                response = self._http.send(request)
                if response.is_success:
                    return response
                raise self._problem(response)
            except httpx.TransportError as error:
                self._pause(self._unreachable(error), next(delays), deadline)
            except ApiProblem as problem:
                self._pause(problem, next(delays), deadline)

    @contextmanager
    def _open_events(self, path: str, query: _Query, last_id: str) -> Iterator[Iterator[ServerSentEvent]]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        timeout = httpx.Timeout(_SILENCE_S, connect=_CONNECT_S)
        try:
            with self._http.stream("GET", path, params=dict(query), headers=headers, timeout=timeout) as response:
                if not response.is_success:
                    response.read()
                    raise self._problem(response)
                yield self._endless(EventSource(response))
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        except SSEError as error:
            raise self._not_a_gateway(path) from error

    def _endless(self, source: EventSource) -> Iterator[ServerSentEvent]:
        yield from source.iter_sse()
        raise Unreachable(self.url, "the connection ended in the middle of the log")

    def _pause(self, failure: Failure, delay_s: float, deadline: float) -> None:
        """Wait before the next try, or raise the failure: it will not heal, or the patience is over."""
        if isinstance(failure, ApiProblem) and not _heals(failure.problem):
            raise failure
        delay_s = max(delay_s, min(failure.retry_after or 0.0, _ANSWER_S))
        if self._monotonic() + delay_s > deadline:
            raise failure
        self._notice(failure, delay_s)
        self._sleep(delay_s)

    def _delays(self) -> Iterator[float]:
        """Yield ever longer delays; the jitter keeps a crowd of clients from coming back in one instant."""
        delay = 0.1
        while True:
            yield delay * (0.5 + self._jitter())
            delay = min(delay * 2, _LONGEST_DELAY_S)

    def _read(self, response: httpx.Response, model: type[_Model]) -> _Model:
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise self._not_a_gateway(response.request.url.path) from error

    def _log_item(self, event: ServerSentEvent) -> LogItem | None:
        try:
            return _log_item(event)
        except (ValueError, KeyError) as error:
            raise self._not_a_gateway("the log's stream") from error

    def _problem(self, response: httpx.Response) -> ApiProblem:
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:
            phrase = HTTPStatus(response.status_code).phrase if response.status_code in _KNOWN else "no known status"
            problem = Problem(
                type="about:blank",
                title=phrase,
                status=response.status_code,
                detail=f"{response.request.url} answered {response.status_code} ({phrase}), but not as a gateway does",
                hint=f"check that {self.url} is the gateway's own address, and what stands in front of it",
            )
        return ApiProblem(problem, retry_after=_seconds(response.headers.get("Retry-After")))

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        return Unreachable(self.url, str(error) or type(error).__name__)

    def _not_a_gateway(self, what: str) -> Unreachable:
        return Unreachable(self.url, f"the answer to {what} is not one this version of sgw understands")


_KNOWN = frozenset(status.value for status in HTTPStatus)


def _heals(problem: Problem) -> bool:
    """Say whether the same request can succeed a moment later."""
    return problem.status in _LATER or (problem.status == HTTPStatus.CONFLICT and problem.name == "in-progress")


def _log_item(event: ServerSentEvent) -> LogItem | None:
    if event.event == "chunk":
        chunk = LogChunk.model_validate_json(event.data)
        data = base64.b64decode(chunk.base64) if chunk.base64 is not None else (chunk.text or "").encode()
        return LogBytes(stream=chunk.stream, offset=chunk.offset, data=data)
    if event.event == "gap":
        gap = json.loads(event.data)
        return LogGap(stream=gap["stream"], start=int(gap["from"]), stop=int(gap["to"]), reason=gap["reason"])
    if event.event == "problem":
        return Problem.model_validate_json(event.data)
    if event.event == "end":
        return LogEnd.model_validate_json(event.data)
    return None


def _log_query(stream: Stream, task: int | None, tail: str | None) -> dict[str, str | int]:
    query: dict[str, str | int] = {"stream": stream}
    if task is not None:
        query["task"] = task
    if tail is not None:
        query["tail"] = tail
    return query


def _page_query(filters: _Query, limit: int, cursor: str | None) -> _Query:
    return {**filters, "limit": limit} | ({} if cursor is None else {"cursor": cursor})


def _part(text: str) -> str:
    """Quote one part of a path: an id that a person typed must not reach another route."""
    return quote(text, safe="") or "-"


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None
