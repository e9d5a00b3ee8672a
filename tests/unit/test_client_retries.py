"""The client tries again only what may be repeated, and never loses or doubles a byte of a log."""

import base64
import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from gateway.client import ApiProblem, GatewayClient, LogBytes, LogGap, Unreachable
from gateway.wire import JobRequest, LogEnd, TenantRequest
from tests.unit.cli_world import job

Handler = Callable[[httpx.Request], httpx.Response]

JOB = job(7)


class Outside:
    """A server that answers from a script, and a clock that only sleeping moves."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.now = 0.0
        self.notices: list[str] = []

    def client(self, token: str | None = "secret") -> GatewayClient:
        return GatewayClient(
            "http://gateway.test/",
            token,
            transport=httpx.MockTransport(self._answer),
            sleep=self._sleep,
            monotonic=lambda: self.now,
            jitter=lambda: 0.5,
            notice=lambda failure, _delay: self.notices.append(str(failure)),
        )

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.ConnectError("Connection refused")
        if isinstance(answer, Exception):
            raise answer
        return answer


def problem(status: int, name: str, **headers: str) -> httpx.Response:
    body = {"type": f"/problems/{name}", "title": name, "status": status, "detail": f"it is {name}"}
    return httpx.Response(status, json=body, headers=headers)


def test_a_submission_whose_answer_is_lost_is_sent_again_with_the_same_key_and_body() -> None:
    outside = Outside(
        httpx.ReadError("reset"), problem(409, "in-progress", **{"Retry-After": "2"}), problem(503, "busy"),
        httpx.Response(201, json=JOB),
    )  # fmt: skip
    job = outside.client().submit(JobRequest(script="#!/bin/sh\n"), key="k1", patience_s=30)
    assert job.id == "7"
    assert {request.headers["Idempotency-Key"] for request in outside.requests} == {"k1"}
    assert len({request.content for request in outside.requests}) == 1
    assert len(outside.notices) == 3
    assert outside.now >= 2, "Retry-After is the least to wait"


def test_a_submission_is_given_up_when_the_patience_is_over() -> None:
    outside = Outside()
    with pytest.raises(Unreachable, match=r"http://gateway\.test.*Connection refused"):
        outside.client().submit(JobRequest(script="x"), key="k", patience_s=10)
    assert 5 <= outside.now <= 10
    assert len(outside.requests) > 3


@pytest.mark.parametrize(
    "answer", [problem(422, "idempotency-key-reused"), problem(409, "conflict"), problem(500, "bug")]
)
def test_what_a_second_try_cannot_heal_is_raised_at_once(answer: httpx.Response) -> None:
    outside = Outside(answer)
    with pytest.raises(ApiProblem):
        outside.client().submit(JobRequest(script="x"), key="k", patience_s=1000)
    assert len(outside.requests) == 1


def test_a_request_without_a_key_is_never_sent_twice() -> None:
    outside = Outside(httpx.ReadError("reset"), httpx.Response(201))
    with pytest.raises(Unreachable):
        outside.client().create_tenant(TenantRequest(id="acme"))
    assert len(outside.requests) == 1


def test_pages_are_followed_to_the_end_and_only_as_far_as_they_are_read() -> None:
    pages = [{"items": [JOB], "next_cursor": "c1"}, {"items": [JOB], "next_cursor": None}]
    outside = Outside(*(httpx.Response(200, json=page) for page in pages))
    jobs = outside.client().jobs({"active": "true", "id": ["1", "2"]})
    next(jobs)
    assert len(outside.requests) == 1
    assert len(list(jobs)) == 1
    assert outside.requests[1].url.params["cursor"] == "c1"
    assert outside.requests[1].url.params.get_list("id") == ["1", "2"]


def test_an_id_never_reaches_another_route() -> None:
    outside = Outside(problem(404, "not-found"))
    with pytest.raises(ApiProblem):
        outside.client().cancel("../tokens/3?x=")
    assert outside.requests[0].url.raw_path == b"/v1/jobs/..%2Ftokens%2F3%3Fx%3D"


def test_the_token_travels_as_a_bearer_and_nothing_does_without_one() -> None:
    outside = Outside(problem(401, "unauthenticated"), problem(401, "unauthenticated"))
    for token in ("secret", None):
        with pytest.raises(ApiProblem):
            outside.client(token).whoami()
    assert [r.headers.get("Authorization") for r in outside.requests] == ["Bearer secret", None]


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="<html>login</html>"), httpx.Response(200, json={"tenant": "acme"})]
)
def test_an_answer_that_no_gateway_gives_is_no_answer(answer: httpx.Response) -> None:
    with pytest.raises(Unreachable, match="not one this version of sgw understands"):
        Outside(answer).client().whoami()


def test_a_proxys_error_page_becomes_a_problem_that_names_the_address() -> None:
    with pytest.raises(ApiProblem) as caught:
        Outside(httpx.Response(403, text="<html>no</html>")).client().whoami()
    assert "http://gateway.test/v1/whoami answered 403" in caught.value.problem.detail


@pytest.mark.parametrize("url", ["gateway.test", "ftp://gateway.test", "http://gateway.test:port", "http://[::1"])
def test_what_is_not_a_url_is_said_at_once(url: str) -> None:
    with pytest.raises(Unreachable, match="URL"):
        GatewayClient(url, None)


class Stream(httpx.SyncByteStream):
    """An event stream that ends, or breaks after its last byte."""

    def __init__(self, text: str, *, broken: bool = False) -> None:
        self.text, self.broken = text, broken

    def __iter__(self) -> Iterator[bytes]:
        data = self.text.encode()
        yield from (data[i : i + 7] for i in range(0, len(data), 7))
        if self.broken:
            raise httpx.ReadError("reset")


def stream(text: str, *, broken: bool = False) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Stream(text, broken=broken))


def event(kind: str, data: object, ident: str = "") -> str:
    lines = [f"event: {kind}", f"data: {json.dumps(data, ensure_ascii=False)}"]
    return "\n".join([*([f"id: {ident}"] if ident else []), *lines]) + "\n\n"


def chunk(offset: int, **payload: str) -> dict[str, object]:
    return {"stream": "stdout", "offset": offset, "time": 1.5, **payload}


END = event("end", {"state": "COMPLETED", "exit_code": 0})


def test_a_followed_log_is_taken_up_behind_the_last_consumed_event() -> None:
    outside = Outside(
        stream(event("chunk", chunk(0, text="ab"), "main.1.-/0:2") + "id: main.1.-/0:9\nevent: chunk\nda", broken=True),
        httpx.ConnectError("refused"),
        stream(": hello\n\n" + event("chunk", chunk(2, text="c"), "main.1.-/0:3") + event("reconnect", {})),
        stream(END),
    )
    items = list(outside.client().follow_logs("7", stream="both", tail="10", patience_s=60))
    assert [item.data for item in items if isinstance(item, LogBytes)] == [b"ab", b"c"]
    assert isinstance(items[-1], LogEnd)
    assert [r.headers.get("Last-Event-ID") for r in outside.requests] == [
        None,
        "main.1.-/0:2",
        "main.1.-/0:2",
        "main.1.-/0:3",
    ]
    assert [r.url.params.get("tail") for r in outside.requests] == ["10", None, None, None]


def test_a_log_cut_at_any_byte_of_the_stream_is_whole_in_the_end() -> None:
    pieces = [b"one\n", "zwölf\n".encode(), b"\xff\xfe", b"end"]
    events = [
        event("chunk", chunk(0, base64=base64.b64encode(piece).decode()), f"main.1.-/0:{number}")
        for number, piece in enumerate(pieces)
    ]
    whole = "retry: 1000\n\n" + "".join(events)
    for cut in range(len(whole)):
        seen: list[str | None] = []

        def answer(request: httpx.Request, cut: int = cut, seen: list[str | None] = seen) -> httpx.Response:
            last = request.headers.get("Last-Event-ID")
            seen.append(last)
            if len(seen) == 1:
                return stream(whole[:cut], broken=True)
            rest = events if last is None else events[int(last.rpartition(":")[2]) + 1 :]
            return stream("".join(rest) + END)

        client = GatewayClient("http://g.test", None, transport=httpx.MockTransport(answer), sleep=lambda _s: None)
        items = client.follow_logs("7", stream="stdout", patience_s=60)
        assert b"".join(item.data for item in items if isinstance(item, LogBytes)) == b"".join(pieces)
        assert len(seen) == 2


def test_bytes_that_look_like_line_ends_or_are_no_text_survive() -> None:
    outside = Outside(
        stream(
            event("chunk", chunk(0, text="a\u2028b\x85c\r\n\x0b"), "1")
            + event("chunk", chunk(9, base64="/wD+"), "2")
            + event("gap", {"stream": "stderr", "from": 3, "to": 9, "reason": "truncated"}, "3")
            + END
        )
    )
    items = list(outside.client().follow_logs("7", stream="both"))
    assert [i.data for i in items if isinstance(i, LogBytes)] == ["a\u2028b\x85c\r\n\x0b".encode(), b"\xff\x00\xfe"]
    assert LogGap(stream="stderr", start=3, stop=9, reason="truncated") in items


def test_patience_counts_from_a_loss_and_not_from_the_start_of_a_quiet_log() -> None:
    outside = Outside(stream("", broken=True), stream(": quiet\n\n", broken=True), stream(END))
    follow = outside.client().follow_logs("7", stream="both", patience_s=5)
    outside.now = 4000.0
    assert isinstance(list(follow)[-1], LogEnd)


def test_following_stops_at_once_when_the_job_is_not_there() -> None:
    outside = Outside(problem(404, "not-found"))
    with pytest.raises(ApiProblem):
        list(outside.client().follow_logs("7", stream="both", patience_s=1000))
    assert len(outside.requests) == 1


def test_following_gives_up_when_the_patience_is_over() -> None:
    outside = Outside(stream(event("chunk", chunk(0, text="a"), "1"), broken=True))
    with pytest.raises(Unreachable):
        list(outside.client().follow_logs("7", stream="both", patience_s=20))
    assert 10 <= outside.now <= 20
