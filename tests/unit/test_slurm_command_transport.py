"""What the command transport makes of answers that a real cluster gives on bad days."""

import os
import pwd
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.errors import ClusterUnreachable, GatewayFault
from gateway.ids import ClusterName, SlurmJobId
from gateway.slurm import visibility
from gateway.slurm.parse import Controller
from gateway.slurm.runner import CommandResult
from gateway.slurm.transports.command import CommandTransport
from gateway.testing.fake_slurm import FakeSlurm


def config(boot_time: int = 100, private: str = "none", slurm_user: str = "slurm(64030)") -> str:
    return (
        f"BOOT_TIME = {boot_time}\nSLURM_VERSION = 22.05.8\nPrivateData = {private}\nSlurmUser = {slurm_user}\n"
        "AccountingStorageType = accounting_storage/slurmdbd\n"
    )


class Script:
    """Answers commands with prepared texts, by name; the last text of a name stays."""

    def __init__(self, **answers: list[str | CommandResult]) -> None:
        self.answers = answers
        self.asked: list[list[str]] = []

    def __call__(self, argv: Sequence[str]) -> CommandResult:
        self.asked.append(list(argv))
        answers = self.answers[argv[0]]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, CommandResult) else CommandResult(exit_code=0, stdout=answer, stderr="")


def transport(script: Script, *, accounting: bool = True) -> CommandTransport:
    return CommandTransport(
        ClusterName("test"),
        runner=FakeSlurm().runner,
        slurm_conf=Path("/nowhere"),
        attempts_root=Path("/nowhere"),
        accounting=accounting,
        query=script,
    )


def failed(stderr: str, exit_code: int = 1) -> CommandResult:
    return CommandResult(exit_code=exit_code, stdout="", stderr=stderr)


def test_a_look_across_a_restart_is_taken_again() -> None:
    script = Script(squeue=[""], scontrol=[config(100), config(200), config(200)])
    assert transport(script).observe().boot_time == 200
    assert [argv[0] for argv in script.asked] == ["scontrol", "squeue", "scontrol", "squeue", "scontrol"]


def test_a_steady_cluster_is_asked_twice_a_look() -> None:
    script = Script(squeue=[""], scontrol=[config()])
    watching = transport(script)
    watching.observe()
    script.asked.clear()
    watching.observe()
    assert [argv[0] for argv in script.asked] == ["squeue", "scontrol"]


def test_a_cluster_that_keeps_restarting_is_not_believed() -> None:
    script = Script(squeue=[""], scontrol=[config(100), config(200), config(300)])
    with pytest.raises(ClusterUnreachable, match="restarted"):
        transport(script).observe()


@pytest.mark.parametrize(
    "said",
    [failed("squeue: error: Zero Bytes were transmitted or received"), failed("", 2), failed("squeue: error: oh", 0)],
)
def test_a_query_that_fails_or_complains_is_no_answer(said: CommandResult) -> None:
    with pytest.raises(ClusterUnreachable, match="squeue failed"):
        transport(Script(squeue=[said], scontrol=[config()])).observe()


def test_records_that_cannot_be_read_are_counted_in_the_look() -> None:
    look = transport(Script(squeue=["garbage"], scontrol=[config()])).observe()
    assert (look.jobs, look.unread) == ((), 1)


def test_without_accounting_nobody_asks_it() -> None:
    script = Script()
    blind = transport(script, accounting=False)
    assert blind.outcomes([SlurmJobId("1")], since=0) == []
    assert blind.accounting_settled()
    assert script.asked == []


def test_a_site_that_has_no_accounting_after_all_has_no_outcomes() -> None:
    script = Script(sacct=[failed("Slurm accounting storage is disabled\n")])
    assert transport(script).outcomes([SlurmJobId("1")], since=0) == []


def test_long_lists_of_ids_are_asked_in_pieces() -> None:
    script = Script(sacct=[""])
    transport(script).outcomes([SlurmJobId(str(n)) for n in range(2500)], since=0)
    lengths = [option.count(",") + 1 for argv in script.asked for option in argv if option.startswith("--jobs=")]
    assert lengths == [1000, 1000, 500]


def test_every_query_has_a_mark_of_its_own() -> None:
    script = Script(squeue=[""], scontrol=[config()])
    watching = transport(script)
    watching.observe()
    watching.observe()
    formats = [argv[-1] for argv in script.asked if argv[0] == "squeue"]
    assert len(set(formats)) == 2


def test_calls_are_counted_by_command_with_their_failures() -> None:
    script = Script(squeue=["", failed("no")], scontrol=[config()])
    watching = transport(script)
    watching.observe()
    with pytest.raises(ClusterUnreachable):
        watching.observe()
    assert (watching.costs["squeue"].calls, watching.costs["squeue"].failed) == (2, 1)
    assert watching.costs["scontrol"].calls == 2
    assert watching.costs["squeue"].seconds >= 0


def test_a_version_is_not_made_up() -> None:
    with pytest.raises(ClusterUnreachable, match="did not say"):
        transport(Script(scontrol=["Slurmctld(primary) at ctl is DOWN"])).ping()


def test_a_settled_accounting_is_one_with_an_empty_queue() -> None:
    assert transport(Script(sdiag=["DBD Agent queue size: 0\n"])).accounting_settled()
    assert not transport(Script(sdiag=["DBD Agent queue size: 1\n"])).accounting_settled()
    assert not transport(Script(sdiag=["something else\n"])).accounting_settled()


def test_an_ordinary_user_may_not_watch_a_private_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "geteuid", lambda: nobody.pw_uid)
    script = Script(scontrol=[config(private="jobs")], sacctmgr=["nobody|None\n", "nobody|Operator\n"])
    watching = transport(script)
    with pytest.raises(GatewayFault, match="adminlevel=Operator"):
        watching.check_visibility()
    watching.check_visibility()


def controller(*, private: str = "jobs", accounting: bool = True) -> Controller:
    return Controller(
        version="22.05.8",
        boot_time=1,
        private=frozenset(private.split(",")),
        slurm_user="slurm",
        accounting=accounting,
    )


@pytest.mark.parametrize(
    ("user", "level", "private"),
    [
        ("gateway", "Operator", "jobs,usage"),
        ("gateway", "Administrator", "jobs"),
        ("gateway", None, "usage"),
        ("gateway", None, ""),
        ("root", None, "jobs"),
        ("slurm", None, "jobs"),
    ],
)
def test_these_see_everybodys_jobs(user: str, level: str | None, private: str) -> None:
    assert visibility.blindness(controller(private=private), user, level) is None


@pytest.mark.parametrize("level", [None, "None", "", "Coordinator"])
def test_these_do_not(level: str | None) -> None:
    told = visibility.blindness(controller(private="jobs"), "gateway", level)
    assert told is not None
    assert "sacctmgr modify user gateway set adminlevel=Operator" in told
    without = visibility.blindness(controller(private="jobs", accounting=False), "gateway", level)
    assert without is not None
    assert "sacctmgr" not in without


def test_an_admin_level_is_read_for_the_very_user() -> None:
    assert visibility.admin_level("root|Administrator\ngateway|Operator\n", "gateway") == "Operator"
    assert visibility.admin_level("gateway2|Operator\n", "gateway") is None
    assert visibility.admin_level("", "gateway") is None
