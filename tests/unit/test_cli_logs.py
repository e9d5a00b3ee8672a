"""`sgw logs` hands on what a job wrote, byte by byte."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.unit.cli_world import Gateway, problem, sgw


def sse(*events: tuple[str, object, str]) -> httpx.Response:
    text = "".join(f"id: {ident}\nevent: {kind}\ndata: {json.dumps(data)}\n\n" for kind, data, ident in events)
    return httpx.Response(200, text=text, headers={"Content-Type": "text/event-stream"})


def chunk(text: str, stream: str = "stdout", offset: int = 0) -> dict[str, object]:
    return {"stream": stream, "offset": offset, "time": 1.0, "text": text}


def end(code: int | None, state: str = "COMPLETED") -> tuple[str, object, str]:
    return ("end", {"state": state, "exit_code": code}, "")


def test_stdout_and_stderr_come_out_where_they_belong() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=f"{request.url.params['stream']} of {request.url.params.get('task')}\n")

    ended = sgw("logs", "36_1", gateway=Gateway({"GET /v1/jobs/36/logs": answer}))
    assert (ended.status, ended.out, ended.err) == (0, "stdout of 1\n", "stderr of 1\n")
    assert sgw("logs", "36", "--stream", "stderr", gateway=Gateway({"GET /v1/jobs/36/logs": answer})).out == ""


def test_bytes_that_are_no_text_come_out_unchanged() -> None:
    gateway = Gateway({"GET /v1/jobs/7/logs": httpx.Response(200, content=b"a\r\n\xc3\xa4\x00")})
    assert sgw("logs", "7", "--stream", "stdout", gateway=gateway).out == "a\r\nä\x00"
    gateway = Gateway({"GET /v1/jobs/7/logs": httpx.Response(200, content=b"\xff")})
    assert json.loads(sgw("logs", "7", "--json", "--stream=stdout", gateway=gateway).out) == {
        "stdout": {"base64": "/w=="}
    }


def test_the_tail_is_asked_for_by_lines_or_by_time() -> None:
    for tail in ("100", "10s"):
        gateway = Gateway({"GET /v1/jobs/7/logs": httpx.Response(200, content=b"")})
        assert sgw("logs", "7", "--tail", tail, gateway=gateway).status == 0
        assert {r.url.params["tail"] for r in gateway.requests} == {tail}


@pytest.mark.parametrize(
    ("options", "ending", "status"),
    [
        ([], end(3, "FAILED"), 0),
        (["--exit-code"], end(3, "FAILED"), 3),
        (["--exit-code"], end(None, "CANCELLED"), 1),
        (["--exit-code"], end(0), 0),
    ],
)
def test_following_ends_with_the_job(options: list[str], ending: tuple[str, object, str], status: int) -> None:
    answers: list[httpx.Response | Exception] = [
        sse(("chunk", chunk("one\n"), "a"), ("chunk", chunk("bad\n", "stderr"), "b")),
        problem(503, "too-many-followers"),
        httpx.ConnectError("refused"),
        sse(("gap", {"stream": "stdout", "from": 4, "to": 9, "reason": "truncated"}, "c"), ending),
    ]
    gateway = Gateway({"GET /v1/jobs/7/logs": _each(answers)})
    ended = sgw("logs", "-f", "7", *options, gateway=gateway)
    assert (ended.status, ended.out) == (status, "one\n")
    assert "bad\n" in ended.err
    assert "stdout: bytes 4 to 9 were skipped (truncated)" in ended.err
    assert [r.headers.get("Last-Event-ID") for r in gateway.requests] == [None, "b", "b", "b"]


def _each(answers: list[httpx.Response | Exception]) -> object:
    """Hand out each response itself: one with a stream must reach the client unread."""
    rest: Iterator[httpx.Response | Exception] = iter(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        made = next(rest)
        if isinstance(made, Exception):
            raise made
        return made

    return answer


def test_a_part_that_cannot_be_had_is_told_and_the_rest_goes_on() -> None:
    told = {"type": "/problems/conflict", "title": "Conflict", "status": 409, "detail": "the output is a pipe"}
    gateway = Gateway({"GET /v1/jobs/7/logs": sse(("problem", told, ""), ("chunk", chunk("x\n"), "a"), end(0))})
    ended = sgw("logs", "-f", "7", gateway=gateway)
    assert (ended.status, ended.out, ended.err) == (0, "x\n", "sgw: error: the output is a pipe\n")


def test_a_job_that_is_not_there_is_said_at_once() -> None:
    assert sgw("logs", "-f", "99").status == 4
