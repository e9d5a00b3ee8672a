"""Attack the privileged helper: who may ask, whom it becomes, what is left of root, what survives its death."""

import os
import pwd
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from gateway.ids import AttemptId, UnixUser
from gateway.slurm.helper import HelperRunner
from gateway.slurm.runner import Answer
from gateway.slurm.sessions import RunnerRefused, RunnerUnavailable
from tests.privileged import RunningHelper, needs_root, open_room, unix_user, wait_until

pytestmark = needs_root

TENANT, CLIENT, LOW = UnixUser("sgwdemo-t-ten"), "sgwdemo-t-gw", "sgwdemo-t-low"
GROUP = "sgwdemo-t-proj"


@pytest.fixture(scope="module")
def helper() -> Iterator[RunningHelper]:
    with ExitStack() as stack:
        room = stack.enter_context(open_room())
        stack.enter_context(unix_user(TENANT, room / "ten", group=GROUP))
        stack.enter_context(unix_user(CLIENT, room / "gw"))
        stack.enter_context(unix_user(LOW, room / "low", uid=961))
        helper = RunningHelper(room, clients=["root", CLIENT], users=["root", "nobody"], prefixes=["sgwdemo-t-"])
        stack.callback(lambda: helper.stop() if helper.process.poll() is None else None)
        yield helper


@pytest.fixture
def runner(helper: RunningHelper) -> Iterator[HelperRunner]:
    runner = HelperRunner(helper.socket)
    yield runner
    runner.close()


@contextmanager
def hold(helper: RunningHelper) -> Iterator[None]:
    """Make the stand-in for sbatch block."""
    flag = helper.room / "ten" / "hold"
    flag.touch()
    try:
        yield
    finally:
        flag.unlink(missing_ok=True)


def submit(runner: HelperRunner, attempt: AttemptId, *, wait_s: float = 10) -> Answer | None:
    return runner.submit(
        TENANT, attempt, argv=["sbatch"], batch=b"", files={}, deadline=time.time() + 60, wait_s=wait_s
    )


def new_attempt() -> AttemptId:
    return AttemptId(f"1-main-1-{time.time_ns() & 0xFFFFFFFF:08x}")


def say(helper: RunningHelper, text: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(helper.socket))
        connection.sendall(text)
        return connection.recv(4096)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"root\n", b"not_allowed"),
        (b"nobody\n", b"not_allowed"),  # listed, but network file systems squash others to it
        (LOW.encode() + b"\n", b"not_allowed"),
        (CLIENT.encode() + b"\n", b"not_allowed"),
        (b"daemon\n", b"not_allowed"),
        (b"no-such-user\n", b"unknown_user"),
        (b"\n", b"bad_user"),
        (b"../etc\n", b"bad_user"),
        (b".\n", b"bad_user"),
        (TENANT.encode() + b"\0\n", b"bad_user"),
        (b"\xff\xfe\n", b"bad_user"),
        (TENANT.encode() + b"\n" + b"root\n", b"bad_line"),
        (TENANT.encode(), b"bad_line"),
        (b"a" * 10_000 + b"\n", b"bad_line"),
    ],
)
def test_a_line_that_names_no_tenant_is_refused(helper: RunningHelper, line: bytes, code: bytes) -> None:
    answer = say(helper, line)
    assert answer.startswith(b"error " + code + b" ")
    assert answer.endswith(b"\n")
    assert answer.count(b"\n") == 1


def test_a_uid_below_the_minimum_is_refused_whatever_the_lists_say(helper: RunningHelper) -> None:
    assert b"min_uid 1000" in say(helper, LOW.encode() + b"\n")


def test_a_silent_connection_is_dropped_while_others_are_served(helper: RunningHelper, runner: HelperRunner) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.settimeout(6)
        silent.connect(str(helper.socket))
        started = time.monotonic()
        assert runner.resolve(TENANT).user == TENANT
        assert time.monotonic() - started < 1.5
        assert silent.recv(4096).startswith(b"error bad_line no user name within 2 s")
        assert silent.recv(1) == b""


def test_only_clients_may_ask(helper: RunningHelper) -> None:
    mode = helper.socket.stat()
    assert (mode.st_uid, mode.st_mode & 0o777) == (0, 0o660)
    helper.socket.chmod(0o666)  # even where the file's mode would let them in
    ask = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(sys.argv[2].encode()+b'\\n'); print(s.recv(999).decode())"
    )
    command = ["/usr/bin/python3", "-c", ask, str(helper.socket), TENANT]
    said = [
        subprocess.run(command, user=user, capture_output=True, text=True, check=False).stdout.strip()
        for user in (TENANT, CLIENT)
    ]
    helper.socket.chmod(0o660)
    uid = pwd.getpwnam(TENANT).pw_uid
    assert said == [f"error not_a_client uid {uid} may not use this helper", "ok"]


def test_a_group_can_allow_its_members(helper: RunningHelper, runner: HelperRunner) -> None:
    helper.configure(prefixes=[], groups=["no-such-group"])
    try:
        with pytest.raises(RunnerRefused, match="not in users, prefixes or groups"):
            runner.resolve(TENANT)
        helper.configure(groups=[GROUP])
        assert runner.resolve(TENANT).user == TENANT
    finally:
        helper.configure(prefixes=["sgwdemo-t-"], groups=[])


@pytest.mark.parametrize("fault", ["writable", "foreign", "broken", "unknown field", "gone"])
def test_a_configuration_that_cannot_be_trusted_lets_nobody_in(helper: RunningHelper, fault: str) -> None:
    try:
        match fault:
            case "writable":
                helper.config.chmod(0o666)
            case "foreign":
                os.chown(helper.config, pwd.getpwnam(TENANT).pw_uid, 0)
            case "broken":
                helper.config.write_text("{")
            case "unknown field":
                helper.configure(user=["root"])
            case _:
                helper.config.unlink()
        answer = say(helper, TENANT.encode() + b"\n")
        assert answer.startswith(b"error config ")
        assert str(helper.config).encode() in answer
    finally:
        helper.facts.pop("user", None)
        helper.configure()
        os.chown(helper.config, 0, 0)
    assert say(helper, TENANT.encode() + b"\n") == b"ok\n"


def test_nothing_of_root_is_left_in_sbatch(helper: RunningHelper, runner: HelperRunner) -> None:
    answer = submit(runner, new_attempt())
    assert answer is not None
    me = pwd.getpwnam(TENANT)
    expected = subprocess.run(["id", "-G", TENANT], capture_output=True, text=True, check=True).stdout.split()
    assert len(expected) == 2
    assert set(re.findall(r"^groups: (.*)$", answer.stderr, re.MULTILINE)[0].split()) == set(expected)
    assert f"uid: {me.pw_uid} {me.pw_uid} gid: {me.pw_gid} {me.pw_gid}\n" in answer.stderr
    assert re.search(r"CapEff:\s0+\n", answer.stderr)
    assert re.search(r"NoNewPrivs:\s1\n", answer.stderr)
    assert "hunter2" not in answer.stderr
    assert "nofile: 1024\n" in answer.stderr
    assert "core: 0\n" in answer.stderr


def test_a_session_holds_nothing_but_its_own_connection(helper: RunningHelper, runner: HelperRunner) -> None:
    with socket.socket(socket.AF_UNIX) as other:  # another connection is open in the parent at the fork
        other.connect(str(helper.socket))
        runner.resolve(TENANT)
        (session,) = helper.sessions()
        links = sorted(os.readlink(f"/proc/{session}/fd/{fd}") for fd in os.listdir(f"/proc/{session}/fd"))
    assert links[:3] == ["/dev/null"] * 3
    assert len(links) == 4
    assert links[3].startswith("socket:")
    # Only root may look into what was a root process: not even the tenant that it is now.
    assert os.stat(f"/proc/{session}/environ").st_uid == 0
    peek = subprocess.run(["cat", f"/proc/{session}/maps"], user=TENANT, capture_output=True, check=False)
    assert peek.returncode != 0


def test_the_users_folder_is_made_and_belongs_to_the_user(helper: RunningHelper, runner: HelperRunner) -> None:
    runner.resolve(TENANT)
    found = (helper.room / "attempts" / TENANT).stat()
    assert (found.st_uid, found.st_mode & 0o7777) == (pwd.getpwnam(TENANT).pw_uid, 0o700)


def test_a_folder_that_is_a_link_or_anothers_is_refused(helper: RunningHelper) -> None:
    root = helper.room / "elsewhere"
    root.mkdir(mode=0o711)
    root.chmod(0o711)
    helper.configure(attempts_root=str(root))
    try:
        decoy = helper.room / "decoy"
        decoy.mkdir()
        (root / TENANT).symlink_to(decoy)
        assert say(helper, TENANT.encode() + b"\n").startswith(b"error no_folder ")
        (root / TENANT).unlink()
        (root / TENANT).mkdir()
        os.chown(root / TENANT, pwd.getpwnam(CLIENT).pw_uid, 0)
        assert b"does not belong to" in say(helper, TENANT.encode() + b"\n")
        (root / TENANT).rmdir()
        root.chmod(0o777)
        assert b"writable by nobody else" in say(helper, TENANT.encode() + b"\n")
        assert decoy.stat().st_uid == 0
    finally:
        helper.configure(attempts_root=str(helper.room / "attempts"))


def test_sessions_are_limited_by_user_and_in_total(helper: RunningHelper, runner: HelperRunner) -> None:
    wait_until(lambda: not helper.sessions())
    helper.configure(max_sessions_per_user=1)
    try:
        runner.resolve(TENANT)
        assert b"error busy" in say(helper, TENANT.encode() + b"\n")
        other = HelperRunner(helper.socket)
        with pytest.raises(RunnerUnavailable) as caught:
            other.resolve(TENANT)
        assert not caught.value.sent
        runner.close()
        wait_until(lambda: not helper.sessions())
        other.resolve(TENANT)
        other.close()
        helper.configure(max_sessions_per_user=16, max_sessions=1)
        wait_until(lambda: not helper.sessions())
        runner.resolve(TENANT)
        assert b"1 sessions are open, the limit" in say(helper, TENANT.encode() + b"\n")
    finally:
        helper.configure(max_sessions_per_user=16, max_sessions=256)


def test_a_frame_that_is_none_ends_the_session_and_nothing_else(helper: RunningHelper, runner: HelperRunner) -> None:
    for junk in (b"\xff" * 64, b"\0\0\0\4\0\0\0\0null", b"\0\0\0\2\0\0\0\0{}"[:7], b"\0\0\0\4\0\0\0\0nonsense"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(helper.socket))
            connection.sendall(TENANT.encode() + b"\n")
            assert connection.recv(100) == b"ok\n"
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):  # what Linux says when junk was left unread
                assert connection.recv(100) == b""
    assert runner.resolve(TENANT).user == TENANT


def test_the_answer_survives_kill_9_of_session_and_helper(helper: RunningHelper, runner: HelperRunner) -> None:
    attempt = new_attempt()
    with hold(helper):
        assert submit(runner, attempt, wait_s=0.1) is None
        sessions = helper.sessions()
        helper.stop(signal.SIGKILL)
        for session in sessions:
            os.kill(session, signal.SIGKILL)
        wait_until(lambda: not any(os.path.exists(f"/proc/{each}/exe") for each in sessions))
        with pytest.raises(RunnerUnavailable) as caught:
            runner.answer(TENANT, attempt)
        assert not caught.value.sent  # a dead idle session is noticed before anything is sent
        helper.start()
        assert runner.answer(TENANT, attempt) is None
        assert not runner.sbatch_is_dead(TENANT, attempt)
    wait_until(lambda: runner.answer(TENANT, attempt) is not None)
    answer = runner.answer(TENANT, attempt)
    assert answer is not None
    assert answer.stdout == "4711\n"


def test_a_session_killed_in_the_middle_is_unknown_not_failed(helper: RunningHelper, runner: HelperRunner) -> None:
    attempt = new_attempt()
    wait_until(lambda: not helper.sessions())
    runs = helper.room / "ten" / "runs"
    runs.unlink(missing_ok=True)

    def kill_session_and_launcher() -> None:
        wait_until(runs.exists)
        (session,) = helper.sessions()
        (launcher,) = Path(f"/proc/{session}/task/{session}/children").read_text().split()
        # The session first: it would answer, had it time to see its launcher die.
        os.kill(session, signal.SIGKILL)
        os.kill(int(launcher), signal.SIGKILL)

    with hold(helper), ThreadPoolExecutor() as pool:
        killed = pool.submit(kill_session_and_launcher)
        with pytest.raises(RunnerUnavailable) as caught:
            submit(runner, attempt)
        killed.result()
        assert caught.value.sent
        assert not runner.sbatch_is_dead(TENANT, attempt)  # it goes on without its launcher
    wait_until(lambda: runner.sbatch_is_dead(TENANT, attempt))
    assert runner.answer(TENANT, attempt) is None
    assert submit(runner, attempt) is None  # launched once, never again
    assert runs.read_text() == "run\n"


def test_sigterm_ends_helper_and_sessions_but_not_sbatch(helper: RunningHelper, runner: HelperRunner) -> None:
    attempt = new_attempt()
    with hold(helper):
        assert submit(runner, attempt, wait_s=0.1) is None
        sessions = helper.sessions()
        assert helper.stop() == 0
        assert not helper.socket.exists()
        wait_until(lambda: not any(os.path.exists(f"/proc/{each}/exe") for each in sessions))
        helper.start()
        assert not runner.sbatch_is_dead(TENANT, attempt)
    wait_until(lambda: runner.answer(TENANT, attempt) is not None)


def test_a_second_helper_does_not_take_the_socket(helper: RunningHelper) -> None:
    command = [*map(str, helper.process.args)]  # type: ignore[arg-type]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert second.returncode == 1
    assert second.stderr == f"runas: another helper is listening on {helper.socket}\n"


def test_the_log_names_who_asked_for_whom_and_why_not(helper: RunningHelper, runner: HelperRunner) -> None:
    runner.resolve(TENANT)
    say(helper, b"root\n")
    wait_until(lambda: helper.events()[-1]["event"] == "session.closed")
    opened = [each for each in helper.events() if each["event"] == "session.opened" and each["user"] == TENANT]
    assert opened[-1]["peer_uid"] == 0
    refused = [each for each in helper.events() if each["event"] == "session.refused"]
    assert (refused[-1]["user"], refused[-1]["code"]) == ("root", "not_allowed")
