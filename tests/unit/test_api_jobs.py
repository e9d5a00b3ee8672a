"""Jobs over HTTP: submitted once per key, read, listed, waited for and cancelled."""

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.states import Phase, Reason
from tests.unit.api_world import JOB, World, world


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_a_submission_is_answered_with_the_job_and_where_to_find_it(gateway: World) -> None:
    answer = gateway.client().post("/v1/jobs", json=JOB)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/jobs/1"
    assert "idempotency-replayed" not in answer.headers
    job = answer.json()
    assert (job["id"], job["name"], job["state"], job["tenant"]) == ("1", "hosts.sh", "PENDING", "acme")
    assert job["placement"]["pool"] == "cpu"
    assert gateway.client().get(answer.headers["location"]).json() == job


def test_the_same_key_and_body_is_the_same_job(gateway: World) -> None:
    client, key = gateway.client(), {"Idempotency-Key": "k1"}
    first = client.post("/v1/jobs", json=JOB, headers=key)
    again = client.post("/v1/jobs", json=JOB, headers=key)
    other = client.post("/v1/jobs", json=JOB | {"name": "other"}, headers=key)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


def test_another_tenants_id_in_the_body_is_forbidden(gateway: World) -> None:
    assert gateway.client().post("/v1/jobs", json=JOB | {"tenantId": "globex"}).status_code == 403
    assert gateway.client().post("/v1/jobs", json=JOB | {"tenantId": "acme"}).status_code == 201


def test_a_check_answers_as_a_submission_would_and_creates_nothing(gateway: World) -> None:
    client = gateway.client()
    fits = client.post("/v1/jobs?test_only=true", json=JOB | {"options": ["--test-only", "-N2", "-A", "other"]})
    assert fits.status_code == 200
    check = fits.json()
    assert (check["name"], check["workdir"]) == ("hosts.sh", "/home/acme-ada")
    assert (check["placement"]["resources"]["nodes"], check["placement"]["time_limit_s"]) == (2, 300)
    assert any("other" in warning for warning in check["warnings"])
    for change, status in (
        ({"nodes": 99}, 422),
        ({"tenantId": "globex"}, 403),
        ({"options": ["-d", "afterok:7"]}, 404),
        ({"script": "hostname\n"}, 422),
    ):
        refused, submitted = (client.post(f"/v1/jobs{query}", json=JOB | change) for query in ("?test_only=true", ""))
        assert (refused.status_code, refused.json()["detail"]) == (status, submitted.json()["detail"])
    assert client.post("/v1/jobs", json=JOB | {"options": ["--test-only"]}).status_code == 422
    assert client.get("/v1/jobs").json()["items"] == []


def test_pages_are_walked_by_cursor_newest_first(gateway: World) -> None:
    ids = [str(gateway.submit()) for _ in range(5)]
    client, found, cursor = gateway.client(), [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/jobs", params=query).json()
        found += [job["id"] for job in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == ids[::-1]


def test_filters_are_passed_on(gateway: World) -> None:
    one, two = gateway.submit(name="one"), gateway.submit(name="two")
    gateway.start(two)
    client = gateway.client()

    def ids(query: str) -> list[str]:
        return [job["id"] for job in client.get(f"/v1/jobs?{query}").json()["items"]]

    assert ids("state=RUNNING") == [str(two)]
    assert ids("state=RUNNING&state=PENDING") == [str(two), str(one)]
    assert ids("name=one") == [str(one)]
    assert ids(f"id={one}") == [str(one)]
    assert ids("active=false") == []
    assert ids("user=bob") == []
    assert ids("pool=cpu") == [str(two), str(one)]
    assert ids("submitted_before=2020-01-01T00:00:00Z") == []
    assert ids("submitted_after=2020-01-01T00:00:00Z") == [str(two), str(one)]
    assert ids("ended_after=2020-01-01T00:00:00Z") == ids("ended_before=2099-01-01T00:00:00Z") == []
    assert ids("submitted_before=9999-12-31T23:59:59-14:00") == [str(two), str(one)]
    assert ids("submitted_before=0001-01-01T00:00:00%2B14:00") == []


def test_a_waiting_job_is_cancelled_at_once_and_a_second_time_is_no_error(gateway: World) -> None:
    job, client = gateway.submit(), gateway.client()
    first, second = client.delete(f"/v1/jobs/{job}"), client.delete(f"/v1/jobs/{job}")
    assert (first.status_code, first.json()["state"]) == (202, "CANCELLED")
    assert (second.status_code, second.json()["state"]) == (200, "CANCELLED")


def test_a_member_does_not_cancel_a_colleagues_job(gateway: World) -> None:
    job = gateway.submit()
    assert gateway.client("bob").get(f"/v1/jobs/{job}").status_code == 200
    assert gateway.client("bob").delete(f"/v1/jobs/{job}").status_code == 403
    assert gateway.client("root").delete(f"/v1/jobs/{job}").status_code == 202


def test_a_task_is_cancelled_by_its_address(gateway: World) -> None:
    job = gateway.submit(array="0-3")
    answer = gateway.client().delete(f"/v1/jobs/{job}_2")
    assert (answer.status_code, answer.json()["cancel_requested"]) == (202, False)
    assert gateway.client().delete(f"/v1/jobs/{gateway.submit()}_2").status_code == 404


def test_a_signal_is_sent_as_asked_and_only_to_what_runs(gateway: World) -> None:
    job, waits = gateway.submit(), gateway.submit()
    gateway.start(job)
    client = gateway.client()
    sent = client.post(f"/v1/jobs/{job}/signal", json={"signal": "USR1", "target": "batch"})
    assert (sent.status_code, sent.json()["state"]) == (200, "RUNNING")
    assert gateway.files.signals == [("USR1", "batch")]
    idle = client.post(f"/v1/jobs/{waits}/signal", json={"signal": "USR1"})
    assert (idle.status_code, idle.json()["detail"]) == (
        409, f"Job {waits} does not run, so there is nothing to signal.",
    )  # fmt: skip
    for body, status in (({"signal": "FOO"}, 422), ({"signal": "USR1", "target": "all"}, 422), ({}, 422)):
        assert client.post(f"/v1/jobs/{job}/signal", json=body).status_code == status
    assert gateway.client("bob").post(f"/v1/jobs/{job}/signal", json={"signal": "USR1"}).status_code == 403


def test_script_and_story_can_be_read(gateway: World) -> None:
    job, client = gateway.submit(), gateway.client()
    assert client.get(f"/v1/jobs/{job}/script").content == JOB["script"].encode()
    events = client.get(f"/v1/jobs/{job}/events").json()["items"]
    assert [event["kind"] for event in events] == ["job.submitted"]
    assert client.get(f"/v1/jobs/{job}/tasks").json() == {"items": [], "next_cursor": None}


def test_whoever_waits_for_a_job_learns_of_its_end_at_once(gateway: World) -> None:
    job = gateway.submit()
    gateway.start(job)
    ended: list[float] = []

    def end() -> None:
        time.sleep(0.1)  # the client below must be waiting; earlier would be answered at once, too
        ended.append(time.monotonic())
        gateway.end(job, Phase.FAILED, Reason.EXIT_CODE)

    ending = threading.Thread(target=end)
    ending.start()
    view = gateway.client().get(f"/v1/jobs/{job}?wait=30").json()
    late = time.monotonic() - ended[0]
    ending.join()
    assert view["state"] == "FAILED"
    assert late < 2.0


def test_a_wait_ends_with_its_time_and_at_the_end_of_the_process(gateway: World) -> None:
    job = gateway.submit()
    client = gateway.client()
    assert client.get(f"/v1/jobs/{job}?wait=0.05").json()["state"] == "PENDING"
    assert client.get(f"/v1/jobs/{job}?wait=61").status_code == 422
    gateway.streams.close()
    assert client.get(f"/v1/jobs/{job}?wait=30").json()["state"] == "PENDING"


def test_waits_hold_no_threads(gateway: World) -> None:
    job = gateway.submit()

    async def crowd() -> list[httpx.Response]:
        headers = {"Authorization": f"Bearer {gateway.tokens['ada']}"}
        transport = httpx.ASGITransport(gateway.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client:
            waiting = [asyncio.create_task(client.get(f"/v1/jobs/{job}?wait=0.3")) for _ in range(60)]
            # 60 are more than there are threads: this read would never be served if they held one each.
            seen = await client.get(f"/v1/jobs/{job}")
            assert not all(each.done() for each in waiting)
            return [seen, *await asyncio.gather(*waiting)]

    assert {answer.status_code for answer in asyncio.run(crowd())} == {200}


def test_pools_and_whoami_answer(gateway: World) -> None:
    assert gateway.client().get("/v1/nodepools").json()["items"][0]["name"] == "cpu"
    who = gateway.client("eve").get("/v1/whoami").json()
    assert (who["tenant"], who["user"], who["role"]) == ("globex", "eve", "admin")


def test_tenants_users_and_tokens_are_administered(gateway: World) -> None:
    root, eve = gateway.client("root"), gateway.client("eve")
    assert root.post("/v1/tenants", json={"id": "initech"}).status_code == 201
    assert root.post("/v1/tenants", json={"id": "initech"}).status_code == 409
    assert eve.post("/v1/tenants", json={"id": "umbrella"}).status_code == 403
    assert [each["id"] for each in root.get("/v1/tenants").json()["items"]] == ["acme", "globex", "initech"]
    assert root.post("/v1/tenants/initech/users", json={"name": "sam", "unix_user": "sam"}).status_code == 201
    assert [each["name"] for each in root.get("/v1/tenants/initech/users").json()["items"]] == ["sam"]
    made = eve.post("/v1/tenants/globex/tokens", json={"user": "eve", "label": "laptop"})
    assert made.status_code == 201
    listed = eve.get("/v1/tenants/globex/tokens").json()["items"]
    assert {each["token"] for each in listed} == {None}
    fresh = {"Authorization": f"Bearer {made.json()['token']}"}
    assert gateway.client(None).get("/v1/whoami", headers=fresh).json()["user"] == "eve"
    assert eve.delete(f"/v1/tokens/{made.json()['id']}").status_code == 204
    assert gateway.client(None).get("/v1/whoami", headers=fresh).status_code == 401


def test_readiness_names_what_is_wrong(gateway: World) -> None:
    client = gateway.client(None)
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").status_code == 200
    gateway.services.notices.connected = False
    gateway.services.clock.advance(120)  # type: ignore[attr-defined]
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert {check["name"] for check in answer.json()["checks"] if not check["ok"]} == {"cluster dev", "redis"}


def test_metrics_count_by_route_template_and_never_by_path(gateway: World) -> None:
    job = gateway.submit()
    client = gateway.client()
    client.get(f"/v1/jobs/{job}")
    client.get("/v1/jobs/31337")
    client.get("/no/such/31337")
    client.request("BREW", "/v1/jobs")
    text = client.get("/metrics").text
    assert 'sgw_requests_total{method="GET",route="/v1/jobs/{job_id}",status="200"} 1.0' in text
    assert 'sgw_requests_total{method="GET",route="none",status="404"} 1.0' in text
    assert 'sgw_admissions_total{outcome="accepted"} 1.0' in text
    assert 'sgw_jobs_active{phase="PENDING"} 1.0' in text
    assert 'sgw_slurm_calls_total{cluster="dev",command="read"} 0.0' in text
    assert 'sgw_slurm_call_seconds_total{cluster="dev",command="read"} 0.5' in text
    assert "31337" not in text
    assert "BREW" not in text


def test_the_documentation_needs_no_script_and_no_other_host(gateway: World) -> None:
    answer = gateway.client(None).get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    html = answer.text
    assert "<script" not in html
    assert not re.search(r"(src|href|url)[=(][\"']?(https?:)?//", html)
    for path in gateway.client(None).get("/openapi.json").json()["paths"]:
        assert path in html
    assert "As <code>scancel</code>: null the job" in html, "what the code says of a field"
    named = set(re.findall(r'href="#(\w+)"', html))
    assert named <= set(re.findall(r'id="(\w+)"', html))


def test_a_long_list_is_compressed_and_a_single_job_is_not(gateway: World) -> None:
    job = max(gateway.submit() for _ in range(15))
    client = gateway.client()
    assert client.get("/v1/jobs").headers.get("content-encoding") == "gzip"
    assert "content-encoding" not in client.get(f"/v1/jobs/{job}").headers
