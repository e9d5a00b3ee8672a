"""Who is shown what by a real Slurm under `PrivateData=jobs`."""

import os
import pwd
from collections.abc import Iterator, Sequence

import pytest

from gateway.errors import GatewayFault
from gateway.ids import ClusterName
from gateway.slurm.query import LocalQuery
from gateway.slurm.runner import CommandResult
from gateway.slurm.transports.command import CommandTransport
from gateway.testing.fake_slurm import FakeSlurm
from tests.transport_worlds import DEV_CLUSTER, DevWorld, dev_world, order, records, submitted

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def world() -> Iterator[DevWorld]:
    with dev_world() as found:
        yield found


def seen_by(user: str, monkeypatch: pytest.MonkeyPatch) -> CommandTransport:
    """Return a transport whose queries run as `user`."""
    who = pwd.getpwnam(user)
    monkeypatch.setattr(os, "geteuid", lambda: who.pw_uid)
    slurm_conf = DEV_CLUSTER / "etc" / "slurm.conf"
    local = LocalQuery(slurm_conf=slurm_conf, timeout_s=30)

    def query(argv: Sequence[str]) -> CommandResult:
        return local(["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups", *argv])

    return CommandTransport(
        ClusterName("dev"), runner=FakeSlurm().runner, slurm_conf=slurm_conf, attempts_root=DEV_CLUSTER, query=query
    )


def test_the_gateways_user_sees_a_tenants_job(world: DevWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = submitted(world, order(world, "--hold"))
    gateway = seen_by("sgwdemo-gateway", monkeypatch)
    gateway.check_visibility()
    assert any(job.job_id == job_id for job in gateway.observe().jobs)
    assert [one.state for one in gateway.controller_outcomes([job_id])] == ["PENDING"]


def test_another_tenant_sees_nothing_without_an_error_and_may_not_watch(
    world: DevWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submitted(world, order(world, "--hold"))
    assert records(world, job_id)
    other = seen_by("sgwdemo-grace", monkeypatch)
    assert not any(job.job_id == job_id for job in other.observe().jobs)
    assert other.controller_outcomes([job_id]) == []
    with pytest.raises(GatewayFault, match="sgwdemo-grace"):
        other.check_visibility()
