"""Signing in keeps the token safe, and administration speaks REST."""

import json
from pathlib import Path

import httpx
import pytest

from tests.unit.cli_world import WHOAMI, Gateway, problem, sgw

HERE = {"GET /v1/whoami": WHOAMI}
OPERATOR = {"id": "t9", "tenant": "acme", "user": "ada", "role": "admin", "label": None, "revoked_at": None,
            "created_at": "2026-11-20T12:00:00Z", "expires_at": "2027-02-18T12:00:00Z"}  # fmt: skip


def test_signing_in_checks_the_token_and_keeps_it_for_its_owner_alone(tmp_path: Path) -> None:
    config = tmp_path / "config" / "sgw"
    gateway = Gateway(dict(HERE))
    ended = sgw(
        "login", "https://g.test/", "--token-stdin", "--shared-fs", gateway=gateway, env={}, stdin=b"s3cret\n",
        config=config,
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "Signed in to https://g.test as ada of acme (member).\n"
    file = config / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert config.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in config.iterdir()] == ["credentials.json"]
    assert json.loads(file.read_text()) == {"url": "https://g.test", "token": "s3cret", "shared_fs": True}

    again = Gateway(dict(HERE))
    assert sgw("whoami", gateway=again, env={}, config=config).out.startswith("ada of acme (member) at https://g.test")
    assert again.requests[0].headers["Authorization"] == "Bearer s3cret"
    assert sgw("logout", env={}, config=config).status == 0
    assert not file.exists()
    assert sgw("whoami", env={}, config=config).status == 3


def test_the_token_is_asked_for_on_a_terminal_and_never_printed(tmp_path: Path) -> None:
    ended = sgw(
        "login", "http://g.test", gateway=Gateway(dict(HERE)), env={}, terminal=True, secret="s3cret", config=tmp_path
    )
    assert ended.status == 0
    assert "s3cret" not in ended.out + ended.err
    assert "not encrypted" in ended.err


@pytest.mark.parametrize(
    ("stdin", "answer", "status"),
    [(b"\n", WHOAMI, 5), (b"a b\x07\n", WHOAMI, 5), (b"x\n", problem(401, "unauthenticated", "unknown token"), 3)],
)
def test_a_token_that_does_not_work_is_not_kept(
    stdin: bytes, answer: httpx.Response | dict[str, object], status: int, tmp_path: Path
) -> None:
    gateway = Gateway({"GET /v1/whoami": answer})
    ended = sgw("login", "http://g.test", "--token-stdin", gateway=gateway, env={}, stdin=stdin, config=tmp_path)
    assert ended.status == status
    assert list(tmp_path.iterdir()) == []


def test_signing_in_needs_an_address_and_a_way_to_ask(tmp_path: Path) -> None:
    assert sgw("login", env={}, config=tmp_path).status == 2
    assert "--token-stdin" in sgw("login", "http://g.test", env={}, config=tmp_path).err


def test_a_stored_token_goes_to_no_other_gateway(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"url": "http://mine.test", "token": "t"}')
    gateway = Gateway(dict(HERE))
    ended = sgw("whoami", gateway=gateway, env={"SGW_URL": "http://other.test"}, config=tmp_path)
    assert (ended.status, gateway.requests) == (3, [])
    assert "there is no token for http://other.test" in ended.err
    assert sgw("whoami", gateway=gateway, env={"SGW_URL": "http://mine.test/"}, config=tmp_path).status == 0


@pytest.mark.parametrize("token", ["sgw_abc\nsecret", "sgw_\udcffsecret", "sgw_abc\x00secret"])
def test_a_token_that_cannot_be_sent_is_not_quoted(token: str) -> None:
    gateway = Gateway(dict(HERE))
    ended = sgw("whoami", gateway=gateway, env={"SGW_URL": "http://g.test", "SGW_TOKEN": token})
    assert (ended.status, gateway.requests) == (3, [])
    assert "holds characters that no token has" in ended.err
    assert "secret" not in ended.err


def test_a_token_from_a_file_with_dos_lines_works() -> None:
    gateway = Gateway(dict(HERE))
    assert sgw("whoami", gateway=gateway, env={"SGW_URL": "http://g.test", "SGW_TOKEN": "sgw_abc\r\n"}).status == 0
    assert gateway.requests[0].headers["Authorization"] == "Bearer sgw_abc"


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"url": 1')
    ended = sgw("squeue", env={}, config=tmp_path)
    assert (ended.status, "credentials.json cannot be read" in ended.err) == (3, True)


def test_nobody_signed_in_is_told_how() -> None:
    assert "run `sgw login URL`" in sgw("squeue", env={}).err


def test_a_made_token_is_alone_on_stdout() -> None:
    gateway = Gateway({"POST /v1/tenants/acme/tokens": OPERATOR | {"token": "sgw_abc"}})
    ended = sgw("admin", "token", "create", "acme", "ada", "--role", "admin", "--expires", "90d", gateway=gateway)
    assert (ended.status, ended.out) == (0, "sgw_abc\n")
    assert "token t9 for ada of acme (admin)" in ended.err
    assert gateway.body() == {"user": "ada", "role": "admin", "label": None, "expires_in_s": 7776000}


def test_tenants_and_users_are_made_and_listed() -> None:
    tenant = {"id": "acme", "account": "acme", "display_name": None, "created_at": "2026-11-20T12:00:00Z"}
    user = {"tenant": "acme", "name": "ada", "unix_user": "sgwdemo-ada", "created_at": "2026-11-20T12:00:00Z"}
    gateway = Gateway(
        {
            "POST /v1/tenants": tenant, "GET /v1/tenants": httpx.Response(200, json=[tenant]),
            "POST /v1/tenants/acme/users": user, "GET /v1/tenants/acme/users": {"items": [user]},
            "GET /v1/tenants/acme/tokens": {"items": [OPERATOR]}, "DELETE /v1/tokens/t9": httpx.Response(204),
        }
    )  # fmt: skip
    assert sgw("admin", "tenant", "create", "acme", gateway=gateway).status == 0
    assert gateway.body() == {"id": "acme", "account": None, "display_name": None}
    assert sgw("admin", "user", "create", "acme", "ada", "--unix-user", "sgwdemo-ada", gateway=gateway).status == 0
    assert gateway.body() == {"name": "ada", "unix_user": "sgwdemo-ada"}
    assert sgw("admin", "tenant", "list", gateway=gateway).out.splitlines() == [
        "ID    ACCOUNT  DISPLAY NAME  CREATED AT", "acme  acme     -             2026-11-20T12:00:00",
    ]  # fmt: skip
    assert "sgwdemo-ada" in sgw("admin", "user", "list", "acme", gateway=gateway).out
    assert json.loads(sgw("admin", "token", "list", "acme", "--json", gateway=gateway).out)[0]["id"] == "t9"
    assert sgw("admin", "token", "revoke", "t9", gateway=gateway).status == 0
    assert gateway.requests[-1].method == "DELETE"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["admin"], 2),
        (["admin", "tenant"], 2),
        (["admin", "token", "create", "acme", "ada", "--expires", "soon"], 2),
        (["admin", "token", "create", "acme", "ada", "--role", "king"], 2),
        (["admin", "tenant", "create", "x" * 40], 5),
    ],
)
def test_a_wrong_request_is_not_sent(words: list[str], status: int) -> None:
    gateway = Gateway()
    assert sgw(*words, gateway=gateway).status == status
    assert gateway.requests == []
