"""Tell Slurm's accounting who the tenants are: accounts, users, QOS."""

from collections.abc import Iterable

from gateway.devcluster.commands import attempt, clean_env, run
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.settings import DevSettings

_GATEWAY_ACCOUNT = "gateway"


def ensure_cluster(settings: DevSettings) -> None:
    """Register the cluster with its QOS, the tenants' accounts and users, and the gateway as Operator."""
    accounts = {**settings.users, _GATEWAY_ACCOUNT: (settings.gateway_user,)}
    known = _known(settings)
    if not known:
        _sacctmgr(settings, "add", "cluster", settings.name)
        _sacctmgr(settings, "add", "qos", "urgent", "Priority=1000", "Preempt=normal")
        _sacctmgr(settings, "modify", "cluster", settings.name, "set", "qos=normal,urgent", "defaultqos=normal")
    for account, users in accounts.items():
        _ensure(settings, account, users, known=known)
    if (_GATEWAY_ACCOUNT, settings.gateway_user) not in known:
        # PrivateData=jobs shows an ordinary user an empty queue (and exit code 0): the collector must be an operator.
        _sacctmgr(settings, "modify", "user", settings.gateway_user, "set", "AdminLevel=Operator")


def ensure_association(settings: DevSettings, user: str, account: str) -> None:
    """Let the user charge the account; idempotent, makes the account if needed."""
    _ensure(settings, account, (user,), known=_known(settings))


def _ensure(settings: DevSettings, account: str, users: Iterable[str], *, known: set[tuple[str, str]]) -> None:
    if (account, "") not in known:
        _sacctmgr(settings, "add", "account", account, f"Cluster={settings.name}", f"Description={account}")
    missing = [user for user in users if (account, user) not in known]
    if missing:
        _sacctmgr(settings, "add", "user", *missing, f"Account={account}", f"Cluster={settings.name}")


def _known(settings: DevSettings) -> set[tuple[str, str]]:
    """List the (account, user) pairs of this cluster; the user is empty for the account's own association."""
    show = ["show", "associations", f"cluster={settings.name}", "format=account,user"]
    out = run(["sacctmgr", "-nP", *show], env=_env(settings))
    return {(account, user) for account, _, user in (line.partition("|") for line in out.splitlines())}


def _sacctmgr(settings: DevSettings, *words: str) -> None:
    argv = ["sacctmgr", "-i", *words]
    code, out, err = attempt(argv, env=_env(settings))
    if code and "Nothing new added" not in out + err and "already exists" not in out + err:
        raise DevClusterError(f"`{' '.join(argv)}` failed ({code}): {(err or out).strip()}")


def _env(settings: DevSettings) -> dict[str, str]:
    return clean_env(SLURM_CONF=str(settings.slurm_conf))
