"""What every Runner does, asked of the privileged helper and of the one that acts as ourselves."""

import os
import pwd
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.ids import AttemptId, UnixUser
from gateway.slurm.helper import HelperRunner, LocalRunner
from gateway.slurm.runner import Answer, ReadRequest, Runner
from gateway.slurm.sessions import RunnerRefused
from tests.privileged import RunningHelper, needs_root, open_room, unix_user, wait_until, write_commands

USER = "sgwdemo-t-runner"
ATTEMPT = AttemptId("12-main-1-0badcafe")


@dataclass
class World:
    runner: Runner
    user: UnixUser
    home: Path

    def submit(
        self, attempt: str = ATTEMPT, *, wait_s: float = 10, deadline: float | None = None, **files: bytes
    ) -> Answer | None:
        return self.runner.submit(
            self.user,
            AttemptId(attempt),
            argv=["sbatch", "--parsable", "--comment=a b"],
            batch=b"#!/bin/sh\necho batch\n",
            files={"script": b"#!/bin/sh\n", "attempt.json": b"{}", "wrapper.py": b"#"} | files,
            deadline=deadline or time.time() + 60,
            wait_s=wait_s,
        )

    def directory(self, attempt: str = ATTEMPT) -> Path:
        return Path(self.runner.resolve(self.user).attempts) / attempt


@pytest.fixture(scope="module", params=["local", pytest.param("helper", marks=needs_root)])
def module_world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        room = stack.enter_context(open_room())
        runner: Runner
        if request.param == "local":
            me = pwd.getpwuid(os.getuid())
            config = write_commands(room)
            runner = LocalRunner(UnixUser(me.pw_name), attempts_root=Path(str(config.pop("attempts_root"))), **config)
            home = Path(me.pw_dir)
        else:
            me = stack.enter_context(unix_user(USER, room / "home", group="sgwdemo-t-extra"))
            helper = RunningHelper(room, users=[USER])
            stack.callback(helper.stop)
            runner = HelperRunner(helper.socket)
            home = Path(me.pw_dir)
        stack.callback(runner.close)
        yield World(runner, UnixUser(me.pw_name), home)


@pytest.fixture
def world(module_world: World) -> Iterator[World]:
    yield module_world
    (module_world.home / "hold").unlink(missing_ok=True)
    (module_world.home / "runs").unlink(missing_ok=True)


@pytest.fixture
def attempt() -> str:
    return f"12-main-1-{time.time_ns() & 0xFFFFFFFF:08x}"


def test_resolve_says_who_the_user_is(world: World) -> None:
    me = pwd.getpwnam(world.user)
    found = world.runner.resolve(world.user)
    assert (found.user, found.uid, found.gid, found.home) == (me.pw_name, me.pw_uid, me.pw_gid, me.pw_dir)
    assert set(found.groups) == set(os.getgrouplist(me.pw_name, me.pw_gid))


def test_submit_runs_sbatch_with_the_batch_script_on_stdin(world: World, attempt: str) -> None:
    answer = world.submit(attempt)
    assert answer is not None
    assert (answer.exit_code, answer.stdout, answer.error) == (0, "4711\n", None)
    assert "argv: --parsable --comment=a b\n" in answer.stderr
    assert "stdin: #!/bin/sh\necho batch\n" in answer.stderr
    assert answer.started <= answer.ended <= time.time()


def test_submit_makes_a_private_directory_with_a_script_that_can_be_run(world: World, attempt: str) -> None:
    world.submit(attempt, script=b"#!/bin/sh\necho \xff\n")
    directory = world.directory(attempt)
    assert directory.stat().st_mode & 0o7777 == 0o700
    assert (directory / "script").read_bytes() == b"#!/bin/sh\necho \xff\n"
    assert (directory / "script").stat().st_mode & 0o7777 == 0o700
    assert {each.name for each in directory.iterdir()} == {
        "answer.json", "attempt.json", "batch.sh", "launch", "script", "wrapper.py",
    }  # fmt: skip


def test_a_job_gets_nothing_from_the_environment_but_the_users_own(world: World, attempt: str) -> None:
    answer = world.submit(attempt)
    assert answer is not None
    names = set(re.findall(r"^env: ([^=]+)=", answer.stderr, re.MULTILINE))
    assert names - {"_", "PWD", "OLDPWD", "SHLVL"} == {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "SLURM_CONF"}
    assert f"env: HOME={world.home}\n" in answer.stderr
    assert "fds: 0 1 2 3 \n" in answer.stderr  # 3 is the `ls` itself
    assert "cwd: /\n" in answer.stderr
    assert "umask: 0022\n" in answer.stderr
    assert re.search(r"SigBlk:\s0+\n", answer.stderr)
    ignored = int(answer.stderr.partition("SigIgn:")[2].split()[0], 16)
    assert ignored & ~0x1_8000_0000 == 0  # glibc's posix_spawn ignores its own two, 32 and 33


def test_a_second_submit_returns_the_first_answer(world: World, attempt: str) -> None:
    first = world.submit(attempt)
    assert world.submit(attempt, script=b"another") == first
    assert (world.home / "runs").read_text() == "run\n"
    assert (world.directory(attempt) / "script").read_bytes() == b"#!/bin/sh\n"


def test_eight_submits_at_once_run_sbatch_once(world: World, attempt: str) -> None:
    barrier = threading.Barrier(8)

    def submit() -> None:
        barrier.wait()
        world.submit(attempt)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (world.home / "runs").read_text() == "run\n"


def test_submit_does_not_wait_longer_than_asked_and_the_answer_comes_later(world: World, attempt: str) -> None:
    (world.home / "hold").touch()
    assert world.submit(attempt, wait_s=0.05) is None
    assert world.runner.answer(world.user, AttemptId(attempt)) is None
    # On a busy machine the launcher has hardly begun by now; until it has, nothing of it is alive.
    wait_until(lambda: not world.runner.sbatch_is_dead(world.user, AttemptId(attempt)))
    (world.home / "hold").unlink()
    wait_until(lambda: world.runner.answer(world.user, AttemptId(attempt)) is not None)
    answer = world.runner.answer(world.user, AttemptId(attempt))
    assert answer is not None
    assert answer.stdout == "4711\n"
    assert world.runner.sbatch_is_dead(world.user, AttemptId(attempt))


def test_sbatch_is_not_started_after_the_deadline(world: World, attempt: str) -> None:
    answer = world.submit(attempt, deadline=time.time() - 0.01)
    assert answer is not None
    assert (answer.exit_code, answer.error) == (None, "deadline")
    assert not (world.home / "runs").exists()
    assert world.runner.answer(world.user, AttemptId(attempt)) == answer


def test_a_void_attempt_is_not_submitted_any_more(world: World, attempt: str) -> None:
    assert world.runner.claim(world.user, AttemptId(attempt), void=True).void
    answer = world.submit(attempt)
    assert answer is not None
    assert (answer.exit_code, answer.error) == (None, "void")
    assert not (world.home / "runs").exists()


def test_a_claim_is_written_once(world: World, attempt: str) -> None:
    name = AttemptId(attempt)
    assert world.runner.claim(world.user, name).owner is None
    world.submit(attempt)
    assert world.runner.claim(world.user, name).owner is None
    (world.directory(attempt) / "claim").write_text("99.0")
    claim = world.runner.claim(world.user, name, void=True)
    assert (claim.owner, claim.slurm_job_id, claim.void) == ("99.0", "99", False)


def test_a_void_claim_stays(world: World, attempt: str) -> None:
    assert world.runner.claim(world.user, AttemptId(attempt), void=True).void
    assert world.runner.claim(world.user, AttemptId(attempt)).slurm_job_id is None
    assert (world.directory(attempt) / "claim").read_text() == "VOID"


def test_an_attempt_that_was_never_submitted_has_no_answer_and_no_life(world: World) -> None:
    nothing = AttemptId("1-main-1-00000000")
    assert world.runner.answer(world.user, nothing) is None
    assert world.runner.sbatch_is_dead(world.user, nothing)


def test_fence_leaves_a_mark(world: World, attempt: str) -> None:
    world.submit(attempt)
    world.runner.fence(world.user, AttemptId(attempt))
    world.runner.fence(world.user, AttemptId(attempt))
    assert (world.directory(attempt) / "FENCED").exists()


def test_cancel_passes_ids_signal_and_target_to_scancel(world: World) -> None:
    result = world.runner.cancel(world.user, ["36", "36_1", "37_[1-4,6]"], signal="USR1", target="batch")
    assert result.exit_code == 3
    assert result.stdout == "argv: --signal=USR1 --batch 36 36_1 37_[1-4,6]\n"
    assert result.stderr == f"{world.user}\n"


@pytest.mark.parametrize("job", ["", "--user=ada", "36;id", "36 37", "٣", "36\n", "36_[1]x"])
def test_cancel_refuses_what_is_not_a_job_id(world: World, job: str) -> None:
    with pytest.raises(RunnerRefused, match="job_ids"):
        world.runner.cancel(world.user, [job])


def test_open_passes_a_descriptor_of_the_very_file(world: World, attempt: str) -> None:
    world.submit(attempt)
    below = world.directory(attempt) / "results" / "deep"
    below.mkdir(parents=True)
    (below / "a.txt").write_bytes(b"\0\xff")
    file = world.runner.open(world.user, AttemptId(attempt), "results/deep/a.txt")
    with os.fdopen(file, "rb") as stream:
        assert stream.read() == b"\0\xff"
        assert os.fstat(file).st_ino == (below / "a.txt").stat().st_ino
        assert not os.get_inheritable(file)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "a/../../x", "", ".", "a//b", "link", "through/passwd", "fifo", "folder"]
)
def test_open_never_leaves_the_directory_nor_opens_what_is_no_file(world: World, attempt: str, path: str) -> None:
    world.submit(attempt)
    directory = world.directory(attempt)
    (directory / "link").symlink_to("/etc/passwd")
    (directory / "through").symlink_to("/etc")
    (directory / "folder").mkdir()
    os.mkfifo(directory / "fifo")
    with pytest.raises(RunnerRefused) as caught:
        world.runner.open(world.user, AttemptId(attempt), path)
    assert caught.value.code in {"unsafe", "absent"}
    assert caught.value.code == "unsafe" or path == "a//b" or path.startswith("a/")


@pytest.mark.parametrize("name", ["../x", "..", ".", "", "a/b", "/tmp", "A", "a" * 97, "x\n", "x\0"])
def test_an_attempt_id_is_one_simple_name(world: World, name: str) -> None:
    with pytest.raises(RunnerRefused) as caught:
        world.submit(name)
    assert caught.value.code == "unsafe"


def test_read_many_answers_in_order_with_sizes_and_identities(world: World, attempt: str) -> None:
    world.submit(attempt)
    directory = world.directory(attempt)
    (directory / "stdout").write_bytes(b"0123456789")
    (directory / "link").symlink_to("stdout")
    name = AttemptId(attempt)
    found = world.runner.read_many(
        world.user,
        [
            ReadRequest(attempt=name, name="stdout", offset=2, limit=3),
            ReadRequest(attempt=name, name="exit.json"),
            ReadRequest(attempt=name, name="stdout", offset=8, limit=100),
            ReadRequest(attempt=name, name="link"),
            ReadRequest(attempt=AttemptId("1-main-9-00000000"), name="stdout"),
            ReadRequest(attempt=name, name="stdout", offset=50, limit=1),
        ],
    )
    assert [each.data for each in found] == [b"234", b"", b"89", b"", b"", b""]
    assert [each.size for each in found] == [10, 0, 10, 0, 0, 10]
    stat = (directory / "stdout").stat()
    assert found[0].identity == (stat.st_dev, stat.st_ino)
    assert found[1].identity is None
    assert found[1].refused is None
    assert found[3].identity is None
    assert "link" in str(found[3].refused)
    assert found[4].refused is None


def test_read_many_returns_eight_mebibytes_at_most(world: World, attempt: str) -> None:
    world.submit(attempt)
    with (world.directory(attempt) / "stdout").open("wb") as file:
        file.truncate(6 << 20)
    request = ReadRequest(attempt=AttemptId(attempt), name="stdout", limit=6 << 20)
    found = world.runner.read_many(world.user, [request, request, request])
    assert [len(each.data) for each in found] == [6 << 20, 2 << 20, 0]
    assert {each.size for each in found} == {6 << 20}


def test_read_many_refuses_a_path(world: World) -> None:
    with pytest.raises(RunnerRefused, match="simple file name"):
        world.runner.read_many(world.user, [ReadRequest(attempt=ATTEMPT, name="results/x")])


def test_a_full_size_script_arrives_whole(world: World, attempt: str) -> None:
    script = b"#!/bin/sh\n#" + bytes(range(1, 10)) * (20 << 20 // 9)
    script = script[: 20 << 20]
    world.submit(attempt, script=script)
    assert (world.directory(attempt) / "script").read_bytes() == script


def test_a_file_we_did_not_expect_is_refused_before_anything_runs(world: World, attempt: str) -> None:
    with pytest.raises(RunnerRefused, match="claim") as caught:
        world.submit(attempt, claim=b"1.0")
    assert caught.value.code == "not_launched"
    assert not (world.home / "runs").exists()
