"""Do one of the closed list of things a gateway may do as a tenant: see `VERBS`."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.runas import attempts
from gateway.runas.attempts import Unsafe, attempt, open_file
from gateway.runas.config import Config
from gateway.runas.frames import Frame
from gateway.runas.identity import Person, environment
from gateway.runas.launch import NotLaunched, Order, launch, read_answer, state

_JOB = re.compile(r"\d{1,10}(_(\d{1,10}|\[[0-9,-]{1,200}\]))?", re.ASCII)
_SIGNAL = re.compile(r"[A-Z][A-Z0-9+]{0,11}|\d{1,2}", re.ASCII)
_TARGETS = {"default": [], "batch": ["--batch"], "full": ["--full"]}
_READ_LIMIT = 8 * 1024 * 1024
_MAX_READS = 4096
_SCANCEL_TIMEOUT_S = 60

T = TypeVar("T")


class VerbError(Exception):
    """The verb was not carried out."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """The user this process has become, and where their attempts are."""

    person: Person
    config: Config

    @property
    def folder(self) -> str:
        """The folder of the user's attempt directories."""
        return f"{self.config.attempts_root}/{self.person.name}"


def perform(tenant: Tenant, request: Frame) -> Frame:
    """Carry out one request; the answer has `ok`, and where that is false `error` (a word) and `message`."""
    header = dict(request.header)
    name = header.pop("verb", None)
    verb = VERBS.get(name) if isinstance(name, str) else None
    if verb is None:
        return _no("unknown_verb", f"the verbs are {', '.join(VERBS)}")
    try:
        reply = verb(tenant, header, request.body)
    except VerbError as error:
        return _no(error.code, str(error))
    except NotLaunched as error:
        return _no("not_launched", str(error))
    except Unsafe as error:
        return _no("unsafe", str(error))
    except FileNotFoundError as error:
        return _no("absent", f"there is no {error.filename}")
    except OSError as error:
        return _no("failed", f"{error.filename or name}: {error.strerror}")
    return Frame(header={"ok": True} | dict(reply.header), body=reply.body, fds=reply.fds)


def _resolve(tenant: Tenant, _request: dict[str, Any], _body: bytes) -> Frame:
    person = tenant.person
    return Frame(
        header={
            "user": person.name,
            "uid": person.uid,
            "gid": person.gid,
            "groups": person.groups,
            "home": person.home,
            "attempts": tenant.folder,
        }
    )


def _submit(tenant: Tenant, request: dict[str, Any], body: bytes) -> Frame:
    """`argv`, `deadline`, `wait_s`; `parts` is [[name, size] …] of the body, where `batch.sh` is sbatch's stdin."""
    argv = _field(request, "argv", list)
    if not argv or argv[0] != "sbatch" or not all(isinstance(each, str) and "\0" not in each for each in argv):
        raise VerbError("invalid", "argv: must be strings, the first of them `sbatch`")
    files = _parts(_field(request, "parts", list), body)
    remaining = _number(request, "deadline") - time.time()
    order = Order(
        argv=[tenant.config.sbatch, *argv[1:]],
        environment=environment(tenant.person, tenant.config),
        batch=files.pop("batch.sh", b""),
        files=files,
        until_wall=time.time() + remaining,
        until_boot=time.clock_gettime(time.CLOCK_BOOTTIME) + remaining,
    )
    with attempt(tenant.folder, _field(request, "attempt", str), create=True) as directory:
        return Frame(header={"answer": launch(directory, order, wait_s=_number(request, "wait_s"))})


def _answer(tenant: Tenant, request: dict[str, Any], _body: bytes) -> Frame:
    try:
        with attempt(tenant.folder, _field(request, "attempt", str)) as directory:
            return Frame(header={"state": state(directory), "answer": read_answer(directory)})
    except FileNotFoundError:
        return Frame(header={"state": "absent", "answer": None})


def _claim(tenant: Tenant, request: dict[str, Any], _body: bytes) -> Frame:
    void = request.get("void") is True
    with attempt(tenant.folder, _field(request, "attempt", str), create=void) as directory:
        if void:
            owner: bytes | None = attempts.write_once(directory, "claim", b"VOID")
            attempts.make_durable(directory, "claim")
        else:
            owner = attempts.read_small(directory, "claim")
    return Frame(header={"owner": None if owner is None else owner[:64].decode(errors="replace").strip()})


def _fence(tenant: Tenant, request: dict[str, Any], _body: bytes) -> Frame:
    with attempt(tenant.folder, _field(request, "attempt", str)) as directory:
        attempts.write_once(directory, "FENCED", b"")
        attempts.make_durable(directory, "FENCED")
    return Frame(header={})


def _cancel(tenant: Tenant, request: dict[str, Any], _body: bytes) -> Frame:
    """Run scancel on `job_ids`, with `signal` and `target` (default | batch | full)."""
    ids, signal, target = _field(request, "job_ids", list), request.get("signal"), request.get("target", "default")
    if not 0 < len(ids) <= 1000 or not all(isinstance(each, str) and _JOB.fullmatch(each) for each in ids):
        raise VerbError("invalid", "job_ids: must be 1 to 1000 of `36`, `36_1`, `36_[1-4]`")
    if signal is not None and not (isinstance(signal, str) and _SIGNAL.fullmatch(signal)):
        raise VerbError("invalid", "signal: must be a name such as USR1, or a number")
    if target not in _TARGETS:
        raise VerbError("invalid", f"target: must be one of {', '.join(_TARGETS)}")
    options = [f"--signal={signal}"] if signal else []
    try:
        done = subprocess.run(
            [tenant.config.scancel, *options, *_TARGETS[target], *ids],
            env=environment(tenant.person, tenant.config),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SCANCEL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise VerbError("timeout", f"scancel gave no answer in {_SCANCEL_TIMEOUT_S} s and was killed") from None
    texts = {
        "stdout": done.stdout[:65536].decode(errors="replace"),
        "stderr": done.stderr[:65536].decode(errors="replace"),
    }
    return Frame(header={"exit": done.returncode} | texts)


def _open(tenant: Tenant, request: dict[str, Any], _body: bytes) -> Frame:
    """Pass the descriptor of `path`; the session closes its own copy once it is sent."""
    with attempt(tenant.folder, _field(request, "attempt", str)) as directory:
        return Frame(header={}, fds=(open_file(directory, _field(request, "path", str)),))


def _read(tenant: Tenant, request: dict[str, Any], _body: bytes) -> Frame:
    """Read `items`, [[attempt, name, offset, limit] …], answered by as many items and their bytes in one body."""
    items = _field(request, "items", list)
    if len(items) > _MAX_READS:
        raise VerbError("invalid", f"items: at most {_MAX_READS}")
    found, room = [], _READ_LIMIT
    body = bytearray()
    for item in items:
        match item:
            case [str(name), str(file), int(offset), int(limit)] if offset >= 0 and limit >= 0 and "/" not in file:
                answer, data = _read_one(tenant, name, file, offset, min(limit, room))
            case _:
                raise VerbError("invalid", "items: must be [attempt, simple file name, offset, limit]")
        found.append({"bytes": len(data)} | answer)
        body += data
        room -= len(data)
    return Frame(header={"items": found}, body=bytes(body))


def _read_one(tenant: Tenant, name: str, file: str, offset: int, limit: int) -> tuple[dict[str, Any], bytes]:
    try:
        with attempt(tenant.folder, name) as directory:
            opened = open_file(directory, file)
    except FileNotFoundError:
        return {"size": 0}, b""
    except (Unsafe, OSError) as error:
        return {"size": 0, "refused": str(error)}, b""
    try:
        seen = os.fstat(opened)
        return {"size": seen.st_size, "identity": [seen.st_dev, seen.st_ino]}, os.pread(opened, limit, offset)
    except OSError as error:
        return {"size": 0, "refused": str(error)}, b""
    finally:
        os.close(opened)


VERBS: dict[str, Callable[[Tenant, dict[str, Any], bytes], Frame]] = {
    "resolve": _resolve,
    "submit": _submit,
    "answer": _answer,
    "claim": _claim,
    "fence": _fence,
    "cancel": _cancel,
    "open": _open,
    "read": _read,
}
"""Everything there is. A new verb is one function and one line here; it runs as the tenant, never as root."""


def _parts(parts: list[Any], body: bytes) -> dict[str, bytes]:
    files, offset = {}, 0
    for part in parts:
        match part:
            case [str(name), int(size)] if 0 <= size <= len(body) - offset:
                files[name] = body[offset : offset + size]
                offset += size
            case _:
                raise VerbError("invalid", "parts: must be [[name, size] …] that fit the body")
    return files


def _field(request: dict[str, Any], name: str, kind: type[T]) -> T:
    value = request.get(name)
    if not isinstance(value, kind):
        raise VerbError("invalid", f"{name}: must be a {kind.__name__}")
    return value


def _number(request: dict[str, Any], name: str) -> float:
    value = request.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise VerbError("invalid", f"{name}: must be a number")
    return float(value)


def _no(code: str, message: str) -> Frame:
    return Frame(header={"ok": False, "error": code, "message": message})
