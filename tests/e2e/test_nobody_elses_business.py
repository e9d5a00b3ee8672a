"""What belongs to another tenant does not exist, on every route and in every way of asking."""

import pytest

from gateway.states import State
from tests.live import Live

pytestmark = pytest.mark.cluster


def test_another_tenants_job_is_404_everywhere(live: Live):
    job = live.run("echo acme secret")
    with live.http("grace") as grace:
        paths = ("", "/tasks", "/events", "/script", "/logs", "/logs?follow=true")
        answers = [grace.get(f"/v1/jobs/{job.id}{path}") for path in paths] + [grace.delete(f"/v1/jobs/{job.id}")]
        unknown = grace.get("/v1/jobs/999999")
        for answer in answers:
            assert answer.status_code == 404
            assert "secret" not in answer.text
            assert answer.headers["content-type"].startswith("application/problem+json")
        # Nothing tells a job of another tenant from one that never was, but the number asked for.
        assert answers[0].json()["detail"].replace(job.id, "N") == unknown.json()["detail"].replace("999999", "N")
        listed = grace.get("/v1/jobs", params={"id": job.id}).json()["items"]
        assert listed == []
    assert live.client().job(job.id).state is State.COMPLETED


def test_a_dependency_on_another_tenants_job_is_a_dependency_on_nothing(live: Live):
    job = live.run("true")
    with live.http("grace") as grace:
        body = {"script": "#!/bin/sh\ntrue\n", "options": [f"--dependency=afterok:{job.id}"]}
        assert grace.post("/v1/jobs", json=body).status_code == 404


def test_a_colleague_sees_a_job_but_may_not_cancel_it(live: Live):
    job = live.submit("sleep 60")
    with live.http("alan") as alan:
        assert alan.get(f"/v1/jobs/{job.id}").status_code == 200
        assert alan.delete(f"/v1/jobs/{job.id}").status_code == 403
    live.client().cancel(job.id)
    live.finish(job)


def test_another_tenants_id_in_a_request_is_403(live: Live):
    with live.http() as ada:
        body = {"tenantId": "globex", "script": "#!/bin/sh\ntrue\n"}
        assert ada.post("/v1/jobs", json=body).status_code == 403


def test_tokens_missing_wrong_and_revoked_are_401(live: Live):
    with live.http(None) as nobody:
        assert nobody.get("/v1/jobs").status_code == 401
        wrong = nobody.get("/v1/jobs", headers={"Authorization": "Bearer sgw_000000000000_wrong"})
        assert wrong.status_code == 401
        assert wrong.headers["www-authenticate"].startswith("Bearer")
    with live.http("operator") as operator:
        made = operator.post("/v1/tenants/acme/tokens", json={"user": "ada"}).json()
        headers = {"Authorization": f"Bearer {made['token']}"}
        with live.http(None) as bearer:
            assert bearer.get("/v1/whoami", headers=headers).status_code == 200
            assert operator.delete(f"/v1/tokens/{made['id']}").status_code == 204
            assert bearer.get("/v1/whoami", headers=headers).status_code == 401


def test_a_tenants_files_are_closed_to_other_tenants(live: Live):
    job = live.run("echo private")
    directory = live.place.attempts / "sgwdemo-ada"
    seen = live.run(f"ls {directory} 2>&1; cat {directory}/*/stdout 2>&1", user="grace")
    assert "private" not in live.output(seen, user="grace")
    assert "denied" in live.output(seen, user="grace")
    assert job.state is State.COMPLETED
