"""Logs over HTTP: the bytes as they are, and the events of a job that has ended."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from gateway.api import validity
from gateway.api.log_sources import AttemptSource
from gateway.api.log_start import Start, Tail, TimeIndexes
from gateway.api.sse import EventId, EventIdError
from gateway.db import tables
from gateway.ids import AttemptId, JobId, UnixUser
from gateway.slurm.runner import FileSlice
from gateway.slurm.transport import Transport
from gateway.states import Phase, Reason
from logs.relay import Relay
from tests.unit.api_world import Files, World, world

JUNK = b"caf\xc3\xa9\n\xff\xfe\x00\n\xf0\x9f\x98\x80 end"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, max_followers=4) as made:
        yield made


def running(gateway: World, data: bytes, **changes: object) -> tuple[JobId, AttemptId]:
    job = gateway.submit(**changes)
    attempt = gateway.start(job)
    gateway.files.write(attempt, data)
    return job, attempt


def log(gateway: World, job: JobId, query: str = "", **headers: str) -> httpx.Response:
    return gateway.client().get(f"/v1/jobs/{job}/logs?{query}", headers=headers)


def events(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    blocks = [block for block in answer.text.split("\n\n") if block.startswith(("id:", "event:"))]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def content(found: list[dict[str, str]], stream: str = "stdout") -> bytes:
    chunks = [json.loads(event["data"]) for event in found if event["event"] == "chunk"]
    return b"".join(
        base64.b64decode(chunk["base64"]) if "base64" in chunk else chunk["text"].encode()
        for chunk in chunks
        if chunk["stream"] == stream
    )


def test_a_log_is_given_byte_by_byte_with_its_place(gateway: World) -> None:
    job, _ = running(gateway, JUNK)
    answer = log(gateway, job)
    assert answer.content == JUNK
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    size = str(len(JUNK))
    places = [answer.headers[name] for name in ("log-offset", "log-next-offset", "log-size", "log-complete")]
    assert places == ["0", size, size, "false"]
    gateway.end(job)
    assert log(gateway, job).headers["log-complete"] == "true"


def test_offset_and_limit_cut_a_range(gateway: World) -> None:
    job, _ = running(gateway, b"0123456789")
    answer = log(gateway, job, "offset=3&limit=4")
    assert (answer.content, answer.headers["log-next-offset"]) == (b"3456", "7")
    beyond = log(gateway, job, "offset=99")
    assert (beyond.content, beyond.headers["log-offset"]) == (b"", "10")


def test_a_long_log_comes_whole(gateway: World) -> None:
    data = bytes(range(256)) * 5000
    job, _ = running(gateway, data)
    answer = log(gateway, job)
    assert answer.content == data
    assert answer.headers["content-length"] == str(len(data))


def test_a_tail_is_counted_in_lines(gateway: World) -> None:
    job, _ = running(gateway, b"one\ntwo\nthree\n")
    assert log(gateway, job, "tail=2").content == b"two\nthree\n"
    assert log(gateway, job, "tail=2").headers["log-offset"] == "4"
    assert log(gateway, job, "tail=0").content == b""


def test_a_tail_by_time_gives_too_much_rather_than_too_little(gateway: World) -> None:
    job, _ = running(gateway, b"one\ntwo\n")
    assert log(gateway, job, "tail=10s").content == b"one\ntwo\n"
    # The log is read from now on, so the next answer is exact: nothing was written since that first look.
    attempt = AttemptId(next(iter(gateway.files.held))[0])
    reads = gateway.files.reads
    while gateway.streams.relay.offset_at((attempt, "stdout"), 2**40) != 8:
        assert gateway.files.reads < reads + 100
    assert log(gateway, job, "tail=0s").content == b""


def test_nuls_at_the_end_of_a_running_jobs_log_are_held_back(gateway: World) -> None:
    job, _ = running(gateway, b"line\n" + bytes(5))
    assert log(gateway, job).content == b"line\n"
    gateway.end(job)
    assert log(gateway, job).content == b"line\n" + bytes(5)


def test_both_streams_come_one_after_the_other(gateway: World) -> None:
    job, attempt = running(gateway, b"out\n", options=["--error=err.txt"])
    gateway.files.write(attempt, b"err\n", "stderr")
    assert log(gateway, job, "stream=both").content == b"out\nerr\n"
    assert log(gateway, job, "stream=stderr").content == b"err\n"


def test_a_job_with_one_file_for_both_streams_has_all_in_stdout(gateway: World) -> None:
    job, _ = running(gateway, b"all\n")
    assert log(gateway, job, "stream=both").content == b"all\n"
    assert log(gateway, job, "stream=stderr").content == b""


def test_a_job_that_did_not_start_has_an_empty_log(gateway: World) -> None:
    job = gateway.submit()
    answer = log(gateway, job)
    assert (answer.status_code, answer.content, answer.headers["log-complete"]) == (200, b"", "false")


def test_an_array_has_one_log_per_task(gateway: World) -> None:
    job, attempt = running(gateway, b"", array="0-1")
    gateway.files.write(attempt, b"of task one\n", "stdout.1")
    assert log(gateway, job).status_code == 422
    assert log(gateway, job, "task=1").content == b"of task one\n"
    found = log(gateway, job, "task=1&tail=1")
    assert found.headers["log-offset"] == "0"


@pytest.mark.parametrize("query", ["task=2", "task=2&follow=true", "task=99"])
def test_a_task_that_the_array_does_not_have_has_no_log(gateway: World, query: str) -> None:
    job, _ = running(gateway, b"", array="1-3:2")
    answer = log(gateway, job, query)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
    assert "its array is 1-3:2" in answer.json()["detail"]


def test_a_wish_that_makes_no_sense_is_refused(gateway: World) -> None:
    job, _ = running(gateway, b"x")
    senseless = ["tail=x", "tail=-1", "tail=5d", "tail=1&offset=0", "stream=both&offset=1", "stream=err", "offset=-1"]
    senseless += ["follow=true&limit=5", "limit=0", "task=-1"]
    for query in senseless:
        assert log(gateway, job, query).status_code == 422, query


def test_a_log_that_may_not_be_read_or_cannot_be_reached_is_said_so(gateway: World) -> None:
    job, _ = running(gateway, b"x")
    gateway.files.away = True
    away = log(gateway, job)
    assert (away.status_code, away.json()["type"]) == (503, "/problems/cluster-unreachable")
    assert away.headers["retry-after"] == "2"
    gateway.files.away, gateway.files.refused = False, "it is a FIFO"
    refused = log(gateway, job)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert "FIFO" in refused.json()["detail"]


def test_an_ended_job_is_replayed_to_its_end_event(gateway: World) -> None:
    job, _ = running(gateway, JUNK)
    gateway.end(job, Phase.FAILED, Reason.EXIT_CODE)
    found = events(log(gateway, job, "follow=true"))
    assert content(found) == JUNK
    assert found[-1]["event"] == "end"
    assert json.loads(found[-1]["data"])["state"] == "FAILED"
    assert found[0]["id"].startswith("main.1.-/0:")


@pytest.mark.parametrize("stream", ["stdout", "both"])
def test_a_resumed_stream_goes_on_at_the_very_byte(gateway: World, stream: str) -> None:
    job, attempt = running(gateway, JUNK * 10_000, options=["--error=err.txt"])
    gateway.files.write(attempt, JUNK * 9_000, "stderr")
    gateway.end(job)
    whole = events(log(gateway, job, f"follow=true&stream={stream}"))
    assert len(whole) > 3
    for stop in range(1, len(whole) - 1):
        rest = events(log(gateway, job, f"follow=true&stream={stream}", **{"Last-Event-ID": whole[stop - 1]["id"]}))
        for name in ("stdout", "stderr"):
            assert content(whole[:stop] + rest, name) == content(whole, name)
    by_query = log(gateway, job, f"follow=true&stream={stream}&last_event_id={whole[-2]['id']}")
    assert [event["event"] for event in events(by_query)] == ["end"]


def test_a_last_id_of_an_earlier_attempt_begins_the_present_one(gateway: World) -> None:
    job, _ = running(gateway, b"first\n")
    gateway.move(job, Phase.PENDING, Reason.NODE_LOST)
    second = gateway.start(job, number=2)
    gateway.files.write(second, b"second\n")
    gateway.end(job)
    found = events(log(gateway, job, "follow=true", **{"Last-Event-ID": "main.1.-/0:6"}))
    assert content(found) == b"second\n"
    assert found[0]["id"].startswith("main.2.-/")


def test_an_id_that_was_never_given_is_refused(gateway: World) -> None:
    job, _ = running(gateway, b"x")
    for last in ("x", "main.1.-/", "main.1.-/zzz", "main.1.3/0:0", "main.1.-/o=0:0,o=0:0", "a" * 5000):
        answer = log(gateway, job, "follow=true", **{"Last-Event-ID": last})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "header.Last-Event-ID")


def test_tail_and_offset_choose_where_a_followed_log_begins(gateway: World) -> None:
    job, _ = running(gateway, b"one\ntwo\nthree\n")
    gateway.end(job)
    assert content(events(log(gateway, job, "follow=true&tail=1"))) == b"three\n"
    assert content(events(log(gateway, job, "follow=true&offset=4"))) == b"two\nthree\n"


def test_a_followed_log_that_is_none_says_so_and_ends(gateway: World) -> None:
    job, _ = running(gateway, b"x")
    gateway.end(job)
    gateway.files.refused = "it is a link"
    found = events(log(gateway, job, "follow=true"))
    assert [event["event"] for event in found] == ["problem", "end"]
    assert "it is a link" in found[0]["data"]


def test_a_job_cancelled_before_it_started_ends_its_followers(gateway: World) -> None:
    job = gateway.submit()
    gateway.client().delete(f"/v1/jobs/{job}")
    found = events(log(gateway, job, "follow=true"))
    assert [event["event"] for event in found] == ["end"]


def test_a_stream_ends_with_its_token_and_tells_the_client_to_come_back(gateway: World) -> None:
    job, _ = running(gateway, b"x\n")
    made = gateway.client("root").post("/v1/tenants/acme/tokens", json={"user": "ada", "expires_in_s": 60}).json()
    gateway.services.clock.advance(59.9)  # type: ignore[attr-defined]
    client = gateway.client(None)
    client.headers["Authorization"] = f"Bearer {made['token']}"
    found = events(client.get(f"/v1/jobs/{job}/logs?follow=true"))
    assert [event["event"] for event in found] == ["chunk", "reconnect"]


def test_a_revoked_token_ends_its_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validity, "_LOOK_S", 0.0)
    with world(tmp_path, stream_life_s=30) as gateway:
        job, _ = running(gateway, b"x\n")
        token = gateway.client().get("/v1/whoami").json()["token_id"]
        read_many = gateway.files.read_many

        def read_and_revoke(*args: Any) -> list[FileSlice]:
            t = tables.tokens
            with gateway.services.database.begin() as transaction:
                transaction.execute(t.update().where(t.c.id == token).values(revoked_at=transaction.now))
            return read_many(*args)

        monkeypatch.setattr(gateway.files, "read_many", read_and_revoke)
        began = time.monotonic()
        found = events(log(gateway, job, "follow=true"))
        assert [event["event"] for event in found] == ["reconnect"]
        assert time.monotonic() - began < 15
        assert log(gateway, job).status_code == 401


def test_followers_without_a_seat_are_asked_to_come_later(gateway: World) -> None:
    job, _ = running(gateway, b"x\n")
    gateway.end(job)
    seats = gateway.streams.seats
    mine = gateway.client().get("/v1/whoami").json()["tenant"]
    with seats.taken(mine), seats.taken(mine):
        full = log(gateway, job, "follow=true")
        assert (full.status_code, full.json()["type"]) == (503, "/problems/too-many-followers")
        assert full.headers["retry-after"] == "5"
        other = gateway.client("eve").get(f"/v1/jobs/{job}/logs?follow=true")
        assert other.status_code == 404  # eve's own tenant would find a seat; the job is none of hers
    assert events(log(gateway, job, "follow=true"))[-1]["event"] == "end"
    assert "sgw_log_followers 0.0" in gateway.client().get("/metrics").text


def test_event_ids_survive_the_round_trip() -> None:
    for text in ("main.1.-/0:12~9f3a1c20", "fit.12.7/o=0:1,e=3:4~00000000"):
        assert str(EventId.parse(text)) == text
    with pytest.raises(EventIdError, match="such as main"):
        EventId.parse("main.x.-/0:0")


class WatchList:
    """A relay that only remembers what it was asked to watch."""

    def __init__(self) -> None:
        self.watched: set[object] = set()

    def offset_at(self, key: object, time: float) -> None:
        return None

    def watch(self, key: object, source: object, *, stream: str) -> None:
        self.watched.add(key)

    def unwatch(self, key: object) -> None:
        self.watched.discard(key)


def test_only_the_logs_asked_for_last_are_watched_and_none_of_an_ended_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.log_start._WATCHED_LOGS", 2)
    relay, files = WatchList(), Files()
    indexes = TimeIndexes(cast("Relay", relay))
    start = Start(tail=Tail.parse("10s"))

    def ask(number: int, *, live: bool) -> None:
        attempt = AttemptId(f"{number}-main-1-00000000")
        source = AttemptSource(transport=cast("Transport", files), user=UnixUser("ada"), attempt=attempt, name="stdout")
        indexes.first_offset(start, source, "stdout", live=live)

    for number in (1, 2, 1, 3):
        ask(number, live=True)
    assert relay.watched == {("1-main-1-00000000", "stdout"), ("3-main-1-00000000", "stdout")}
    ask(1, live=False)
    assert relay.watched == {("3-main-1-00000000", "stdout")}
