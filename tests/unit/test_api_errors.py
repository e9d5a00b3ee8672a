"""Every route answers every kind of error in one shape, and says nothing about other tenants."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import DataError
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from gateway.api import examples
from gateway.wire import Problem
from tests.unit.api_world import JOB, World, world

OPEN = {"/healthz", "/readyz", "/metrics"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("gateway"), max_body_bytes=100_000) as made:
        made.submit()
        yield made


def routes(gateway: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every guarded route, with the ids of things that belong to acme."""
    for path, methods in gateway.app.openapi()["paths"].items():
        for method, described in methods.items():
            if path not in OPEN:
                yield method.upper(), path.format(job_id="1", tenant="acme", token_id="0" * 12), described


def problem(answer: httpx.Response, status: int, name: str) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate_json(answer.content)
    assert (found.status, found.name) == (status, name)
    assert found.detail.endswith((".", "`", ")")) or found.errors
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return found


def test_there_are_routes_to_test(gateway: World) -> None:
    assert len(list(routes(gateway))) >= 15


@pytest.mark.parametrize("authorization", [None, "Bearer", "Basic YWRhOmFkYQ==", "Bearer sgw_x_y", "Bearer \xe9"])
def test_every_route_needs_a_valid_token_even_for_a_body_that_is_not_json(
    gateway: World, authorization: str | None
) -> None:
    headers = [(b"Content-Type", b"application/json")]
    if authorization is not None:
        headers.append((b"Authorization", authorization.encode("latin-1")))
    for method, path, _ in routes(gateway):
        answer = gateway.client(None).request(method, path, headers=headers, content=b"{")
        assert answer.headers["www-authenticate"] == "Bearer"
        problem(answer, 401, "unauthenticated")


def test_what_belongs_to_another_tenant_does_not_exist_on_any_route(gateway: World) -> None:
    tried = 0
    for method, path, _ in routes(gateway):
        if "acme" not in path and "/jobs/1" not in path:
            continue
        body = {
            "users": {"name": "mallory", "unix_user": "mallory"},
            "tokens": {"user": "ada"},
            "signal": {"signal": "USR1"},
        }
        json = body.get(path.rsplit("/", 1)[-1]) if method == "POST" else None
        answer = gateway.client("eve").request(method, path, json=json)
        expected = "forbidden" if path.endswith("/users") and method == "POST" else "not-found"
        problem(answer, 403 if expected == "forbidden" else 404, expected)
        tried += 1
    assert tried >= 9


def test_every_body_is_refused_for_the_reason_it_is_wrong(gateway: World) -> None:
    client = gateway.client("root")
    for method, path, described in routes(gateway):
        if "requestBody" not in described:
            continue
        as_json = {"Content-Type": "application/json"}
        problem(client.request(method, path, content=b"{", headers=as_json), 400, "not-json")
        problem(client.request(method, path, content=b"\xff{}", headers=as_json), 400, "not-json")
        problem(client.request(method, path, content=b"[" * 90_000, headers=as_json), 400, "not-json")
        problem(client.request(method, path, content=b"{}"), 415, "unsupported-media-type")
        problem(client.request(method, path, content=b"a=b", headers={"Content-Type": "text/plain"}), 415,
                "unsupported-media-type")  # fmt: skip
        problem(client.request(method, path, content=b" " * 100_001, headers=as_json), 413, "too-large")
        problem(client.request(method, path), 422, "invalid-request")
        problem(client.request(method, path, json=[]), 422, "invalid-request")
        problem(client.request(method, path, json={"no_such_field": 1}), 422, "invalid-request")


def test_a_body_without_a_length_is_refused_where_it_passes_the_limit(gateway: World) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield b" " * 1000

    answer = gateway.client().post("/v1/jobs", content=endless(), headers={"Content-Type": "application/json"})
    problem(answer, 413, "too-large")


@pytest.mark.parametrize(
    "job", ["0", "99", "-1", "1.0", "abc", "%D9%A1", "9" * 30, "1_", "1_x", "_1", "1%0a", "%00", "1_0_0"]
)
def test_a_job_id_that_is_none_is_not_found(gateway: World, job: str) -> None:
    client = gateway.client()
    problem(client.get(f"/v1/jobs/{job}"), 404, "not-found")
    problem(client.delete(f"/v1/jobs/{job}"), 404, "not-found")
    problem(client.get(f"/v1/jobs/{job}/logs"), 404, "not-found")


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=0", "query.limit"),
        ("limit=abc", "query.limit"),
        ("state=LOST", "query.state"),
        ("active=perhaps", "query.active"),
        ("submitted_after=yesterday", "query.submitted_after"),
        ("submitted_before=2026-01-01T00:00:00", "query.submitted_before"),
        ("id=x", "query.id"),
        ("id=99999999999999999999", "query.id"),
    ],
)
def test_a_wrong_filter_is_named(gateway: World, query: str, where: str) -> None:
    found = problem(gateway.client().get(f"/v1/jobs?{query}"), 422, "invalid-request")
    assert [each.where for each in found.errors] == [where]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"nodes": 0}, "nodes"),
        ({"nodes": "many"}, "nodes"),
        ({"memory": [1]}, "memory"),
        ({"env": {"A": 1}}, "env.A"),
        ({"inputs": [{"from": "s3://x", "to": "x"}, {"to": "y"}]}, "inputs[1].from"),
        ({"options": ["-n1", 2]}, "options[1]"),
        ({"name": "\ud800"}, "name"),
        ({"\ud800": 1}, "body"),
        ({"time_limit": float("nan")}, "time_limit"),
        ({"command": {"a": 1}}, "command"),
    ],
)
def test_a_wrong_field_is_named_as_the_caller_wrote_it(gateway: World, change: dict[str, object], where: str) -> None:
    import json

    body = json.dumps(JOB | change).encode()
    answer = gateway.client().post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    found = problem(answer, 422, "invalid-request")
    assert [each.where for each in found.errors] == [where]
    assert len(answer.content) < 2000


def test_a_misspelt_field_comes_with_a_suggestion(gateway: World) -> None:
    answer = gateway.client().post("/v1/jobs", json=JOB | {"timelimit": "5"})
    assert problem(answer, 422, "invalid-request").errors[0].hint == "Did you mean `time_limit`?"
    answer = gateway.client().post("/v1/jobs", json=JOB | {"account": "a field of tenants"})
    assert "`account`" not in str(problem(answer, 422, "invalid-request").errors[0].hint)


def test_a_bug_is_answered_without_its_text_and_found_again_by_its_id(
    gateway: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(gateway.services.database, "read", broken)
    with capture_logs(processors=[merge_contextvars]) as logged:
        answer = gateway.client().get("/v1/jobs/1", headers={"X-Request-Id": "my-own-id-1"})
    found = problem(answer, 500, "internal-error")
    assert "secret" not in answer.text
    assert "my-own-id-1" in (found.hint or "")
    broke, answered = logged
    assert (broke["event"], broke["request"], str(broke["exc_info"])) == (
        "request.broke", "my-own-id-1", "secret detail",
    )  # fmt: skip
    assert (answered["event"], answered["request"], answered["status"]) == ("request.answered", "my-own-id-1", 500)


def test_what_the_database_cannot_store_is_the_callers_fault(gateway: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DataError("select", {}, Exception("PostgreSQL text fields cannot contain NUL (0x00) bytes"))

    monkeypatch.setattr("gateway.auth.tenants.list_users", refuse)
    answer = gateway.client("root").get("/v1/tenants/a%00/users")
    problem(answer, 422, "invalid-request")


def test_no_token_is_ever_logged(gateway: World) -> None:
    with capture_logs() as logged:
        gateway.client().get("/v1/whoami")
        gateway.client(None).get("/v1/whoami", headers={"Authorization": "Bearer sgw_abc_defghijk"})
    assert [each["user"] for each in logged] == ["ada", None]
    assert "defghijk" not in str(logged)
    assert all(token.split("_", 2)[2] not in str(logged) for token in gateway.tokens.values())


def test_a_strange_request_id_is_not_taken_over(gateway: World) -> None:
    answer = gateway.client().get("/healthz", headers={"X-Request-Id": "x" * 65})
    assert answer.headers["x-request-id"] != "x" * 65


def test_unknown_addresses_and_methods_are_problems_too(gateway: World) -> None:
    problem(gateway.client().get("/v2/jobs"), 404, "not-found")
    problem(gateway.client().put("/v1/jobs", json={}), 405, "method-not-allowed")


def test_the_interface_document_describes_problems_and_has_working_examples(gateway: World) -> None:
    document = gateway.client().get("/openapi.json").json()
    assert "Problem" in document["components"]["schemas"]
    assert "ProblemDetail" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            if path not in OPEN:
                assert "application/problem+json" in described["responses"]["401"]["content"], (method, path)
            if "requestBody" in described:
                assert described["requestBody"]["content"]["application/json"]["examples"], (method, path)
    for example in examples.JOB_REQUESTS.values():
        answer = gateway.client().post("/v1/jobs", json=example["value"])
        assert answer.status_code == 201, answer.text
        assert set(answer.json()) == set(examples.JOB)
