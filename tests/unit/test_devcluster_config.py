"""The written configuration says what the dev cluster promises."""

import pytest

from gateway.devcluster import config
from gateway.devcluster.settings import LOGIN, DevSettings

SETTINGS = DevSettings()


def values(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_cluster_enforces_limits_and_hides_jobs_of_others():
    conf = values(config.slurm_conf(SETTINGS, memory="cgroup"))

    assert conf["AccountingStorageEnforce"] == "associations,limits,qos"
    assert "jobs" in conf["PrivateData"].split(",")
    assert conf["PreemptType"] == "preempt/qos"
    assert conf["MpiDefault"] == "pmix"


def test_without_accounting_nothing_depends_on_it():
    conf = values(config.slurm_conf(DevSettings(accounting=False), memory="gather"))

    assert conf["AccountingStorageType"] == "accounting_storage/none"
    assert "AccountingStorageEnforce" not in conf
    assert "jobs" not in conf["PrivateData"].split(",")


@pytest.mark.parametrize(("memory", "plugin"), [("cgroup", "task/cgroup"), ("gather", "task/none")])
def test_memory_is_enforced_one_way_or_the_other(memory: config.Memory, plugin: str):
    conf = values(config.slurm_conf(SETTINGS, memory=memory))

    assert conf["TaskPlugin"] == plugin
    assert ("OverMemoryKill" in conf.get("JobAcctGatherParams", "")) == (memory == "gather")


@pytest.mark.parametrize(("release", "plugin"), [((22, 5), "cgroup/v1"), ((24, 5), "disabled"), ((25, 11), "disabled")])
def test_the_cgroup_plugin_keeps_out_of_the_way_when_nothing_uses_it(release: tuple[int, int], plugin: str):
    assert values(config.cgroup_conf(memory="gather", release=release)) == {"CgroupPlugin": plugin}


def test_ports_are_below_the_ephemeral_range():
    conf = values(config.slurm_conf(SETTINGS, memory="cgroup"))

    assert all(int(conf[name]) < 32768 for name in ("SlurmctldPort", "SlurmdPort", "AccountingStoragePort"))


def test_partitions_are_cpu_by_default_gpu_and_burst():
    lines = config.slurm_conf(SETTINGS, memory="cgroup").splitlines()

    partitions = [line.removeprefix("PartitionName=") for line in lines if line.startswith("PartitionName=")]
    assert partitions[1:] == ["cpu Default=YES Nodes=c1,c2,c3,c4", "gpu Nodes=c3,c4", "burst Nodes=b1,b2"]
    assert any(line.startswith("NodeName=c4") and "Gres=gpu:2" in line for line in lines)
    assert [line.split()[0] for line in lines if "State=CLOUD" in line] == ["NodeName=b1", "NodeName=b2"]


def test_every_machine_knows_every_other_by_name():
    names = {line.split()[1] for line in config.hosts(SETTINGS).splitlines()}

    assert names == {"localhost", "ctl", *(machine.name for machine in SETTINGS.machines)}


def test_the_login_host_leaves_sshds_limits_as_they_come():
    text = config.sshd_config(SETTINGS, SETTINGS.machine(LOGIN))

    assert "MaxSessions" not in text
    assert "MaxStartups" not in text
    assert "AllowUsers sgwdemo-*" in text
