"""Make the Unix users of the demo's tenants, and remove exactly those again."""

import os
import pwd
from pathlib import Path

from gateway.devcluster import processes
from gateway.devcluster.commands import attempt, run, wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings


def ensure_user(settings: DevSettings, ledger: Ledger, user: str, *, system: bool = False) -> None:
    """Make the user with a home on the shared folder and a key to the login host, unless it exists.

    A user that was there before is used as it is and stays when the cluster goes. Other names are refused.
    """
    if not user.startswith(settings.user_prefix):
        raise DevClusterError(f"user {user!r}: names of demo users start with {settings.user_prefix!r}")
    if not exists(user):
        home = settings.root / "home" / user
        ledger.made("user", user)
        kind = ["--system"] if system else []
        # The password `*` matches nothing, but unlike the default `!` it does not lock the account for sshd.
        _edit_passwd(
            ["useradd", *kind, "--user-group", "--password=*", "--shell=/bin/bash", f"--home-dir={home}", user]
        )
    _ensure_home(settings, user)
    _ensure_key(settings, user)


def exists(user: str) -> bool:
    """Say whether there is such a Unix user."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def remove_users(ledger: Ledger) -> list[str]:
    """Remove the users in the ledger with all their processes; return their names."""
    entries = ledger.entries("user")
    for entry in entries:
        if exists(entry.name):
            uid = pwd.getpwnam(entry.name).pw_uid
            processes.kill_all(lambda pid, uid=uid: _owner(pid) == uid)  # type: ignore[misc]
            _edit_passwd(["userdel", entry.name])
        ledger.gone("user", entry.name)
    return [entry.name for entry in entries]


def key_of(settings: DevSettings, user: str) -> Path:
    """Where the user's private key for the login host lies; readable by the gateway's user."""
    return settings.root / "ssh" / "keys" / user


def _edit_passwd(argv: list[str]) -> None:
    """Run useradd or userdel, again while somebody else holds the lock of /etc/passwd."""

    def done() -> bool:
        code, out, err = attempt(argv)
        if code and "lock" not in err:
            raise DevClusterError(f"`{' '.join(argv)}` failed ({code}): {(err or out).strip()}")
        return code == 0

    wait_until(done, what=f"lock of /etc/passwd for {argv[0]}", seconds=20)


def _ensure_home(settings: DevSettings, user: str) -> None:
    entry = pwd.getpwnam(user)
    home = Path(entry.pw_dir)
    if settings.root in home.parents and not home.exists():
        home.mkdir(mode=0o700)
        os.chown(home, entry.pw_uid, entry.pw_gid)


def _ensure_key(settings: DevSettings, user: str) -> None:
    key = key_of(settings, user)
    public = key.with_name(f"{user}.pub")
    if not public.exists():
        key.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{user}@{settings.name}", "-f", str(key)])
    owner = pwd.getpwnam(settings.gateway_user)
    os.chown(key, owner.pw_uid, owner.pw_gid)
    (settings.root / "ssh" / "authorized" / user).write_bytes(public.read_bytes())


def _owner(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None
