"""Say whether an identity is shown other people's jobs; pure.

Under `PrivateData=jobs` squeue gives an ordinary user an empty list and exit code 0, and calls other people's job ids
invalid (seen on 22.05.8): a gateway that does not know it is blind would take every job for vanished.
"""

from gateway.slurm.parse import Controller

_SEES_ALL = frozenset({"operator", "administrator", "admin"})


def must_prove(controller: Controller, user: str) -> bool:
    """Say whether it takes an admin level in accounting for `user` to see everything."""
    return "jobs" in controller.private and user not in {"root", controller.slurm_user}


def blindness(controller: Controller, user: str, admin_level: str | None) -> str | None:
    """Return why `user` cannot watch this cluster and what to do about it; None when it can."""
    if not must_prove(controller, user) or (admin_level or "").lower() in _SEES_ALL:
        return None
    told = f"Slurm hides other people's jobs (PrivateData) from {user}, so the gateway cannot watch the cluster."
    if not controller.accounting:
        return f"{told} Without slurmdbd only SlurmUser ({controller.slurm_user}) sees them: remove `jobs` from it."
    return f"{told} Give {user} an association, then run `sacctmgr modify user {user} set adminlevel=Operator`."


def admin_level(text: str, user: str) -> str | None:
    """Read the answer to `commands.admin_level`: lines of `user|level`."""
    for line in text.splitlines():
        name, _, level = line.partition("|")
        if name == user:
            return level
    return None
