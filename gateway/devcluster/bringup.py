"""Bring up whatever of the cluster is not up, in the order in which its parts need each other."""

from concurrent.futures import Future, ThreadPoolExecutor

from gateway.devcluster import accounting, daemons, database, files, machines, memory, network, nodes, programs, users
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings


def bring_up(settings: DevSettings, ledger: Ledger) -> None:
    """Start what is missing and wait until every node is usable; what runs already is left alone."""
    how = memory.enforcement(settings, ledger)
    files.write_all(settings, memory=how)
    network.ensure_bridge(settings, ledger)
    users.ensure_user(settings, ledger, settings.gateway_user, system=True)
    users.ensure_user(settings, ledger, settings.rest_user, system=True)
    for tenant_users in settings.users.values():
        for user in tenant_users:
            users.ensure_user(settings, ledger, user)
    if how == "cgroup":
        for machine in settings.machines:
            memory.claim_cgroups(ledger, machine)
    with ThreadPoolExecutor(max_workers=1) as pool:
        booted = pool.submit(_boot_all, settings, ledger)
        if settings.accounting:
            database.ensure(settings, ledger)
        _start_all(settings, ledger, booted)
    nodes.wait_usable(settings, {machine.name for machine in settings.machines if machine.kind == "compute"})


def _boot_all(settings: DevSettings, ledger: Ledger) -> None:
    for machine in settings.machines:
        if machine.kind != "cloud":
            machines.boot(settings, ledger, machine)


def _start_all(settings: DevSettings, ledger: Ledger, booted: Future[None]) -> None:
    everything = programs.all_daemons(settings)
    for one in everything:
        if one.machine is not None:
            booted.result()
        daemons.start(settings, ledger, one)
        if one.name in {"munged", "mariadbd", "slurmdbd", "slurmctld"}:  # the next one needs it
            daemons.wait_ready(settings, ledger, one)
        if one.name == "slurmdbd":
            # Before slurmctld starts: a cluster that accounting does not know cannot enforce limits.
            accounting.ensure_cluster(settings)
    for one in everything:
        daemons.wait_ready(settings, ledger, one)
