"""Find out who a Unix user is, whether we may act for them, and become them for good."""

import ctypes
import grp
import os
import pwd
import re
import resource
from dataclasses import dataclass

from gateway.runas.config import UNLIMITED, Config

# Also the name of a folder, so no `/` and no leading dot; `@` is for directory services.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
_NOBODY = 65534
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

# Loaded before privileges go: afterwards our own interpreter's files may be out of reach.
_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The helper will not act for this user."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A Unix user as the password and group databases describe them."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    """What `id -G` prints: the primary group and every supplementary one."""
    home: str
    shell: str


def look_up(name: str) -> Person:
    """Find a user by exactly this name; raises Refused."""
    if not _NAME.fullmatch(name):
        raise Refused("bad_user", "not a Unix user name")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        entry = None
    if entry is None or entry.pw_name != name:  # directory services may ignore case and answer with another name
        raise Refused("unknown_user", f"there is no Unix user {name!r} on this machine")
    return Person(
        name=name,
        uid=entry.pw_uid,
        gid=entry.pw_gid,
        groups=tuple(os.getgrouplist(name, entry.pw_gid)),
        home=entry.pw_dir or "/",
        shell=entry.pw_shell or "/bin/sh",
    )


def admit(person: Person, config: Config, *, clients: frozenset[int]) -> None:
    """Raise Refused unless the operator allows acting for this user."""
    if person.uid < config.min_uid:
        raise Refused("not_allowed", f"{person.name} has uid {person.uid}, below min_uid {config.min_uid}")
    if person.uid == _NOBODY:
        raise Refused("not_allowed", f"{person.name} is who file servers take strangers for")
    if person.uid in clients:
        raise Refused("not_allowed", f"{person.name} is a client of this helper, not a tenant")
    if 0 in person.groups:
        raise Refused("not_allowed", f"{person.name} is a member of group 0")
    named = person.name in config.users or person.name.startswith(config.prefixes)
    if not named and not _group_ids(config.groups) & set(person.groups):
        raise Refused("not_allowed", f"{person.name} is not in users, prefixes or groups of the helper's configuration")


def environment(person: Person, config: Config) -> dict[str, str]:
    """Build the whole environment of sbatch, hence of the job: `--export=ALL` sends all of it and nothing else."""
    return {
        "PATH": config.path,
        "HOME": person.home,
        "USER": person.name,
        "LOGNAME": person.name,
        "SHELL": person.shell,
        "LANG": "C.UTF-8",
        "SLURM_CONF": config.slurm_conf,
    }


def become(person: Person, config: Config) -> None:
    """Turn this process from root into the user, for good; any doubt ends it with an exception.

    `sbatch --uid` run by root is no way to do this: Slurm 22.05 then runs the job with root's group.
    """
    os.setsid()
    os.chdir("/")
    os.umask(config.umask)
    for name, pair in config.limits.items():
        _limit(getattr(resource, f"RLIMIT_{name.upper()}"), *pair)
    os.setgroups(person.groups)
    os.setresgid(person.gid, person.gid, person.gid)
    os.setresuid(person.uid, person.uid, person.uid)
    _prctl(_PR_SET_DUMPABLE, 0)  # the tenant may not read or trace what is left of a root process
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)  # sbatch and munge need no setuid program
    _verify(person)


def _limit(kind: int, soft: int, hard: int) -> None:
    try:
        resource.setrlimit(kind, (soft, hard))
    except (ValueError, PermissionError):  # in a container even root may only lower its hard limits
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != UNLIMITED:
            soft = ceiling if soft == UNLIMITED else min(soft, ceiling)
        resource.setrlimit(kind, (soft, ceiling))


def _verify(person: Person) -> None:
    uids, gids = os.getresuid(), os.getresgid()
    if set(uids) != {person.uid} or set(gids) != {person.gid} or set(os.getgroups()) != set(person.groups):
        raise RuntimeError(f"still {uids} {gids} {os.getgroups()} after becoming {person}")
    with open("/proc/self/status", encoding="utf-8", errors="replace") as status:
        held = [
            line for line in status if line.startswith(("CapPrm", "CapEff", "CapAmb")) and line.split()[1].strip("0")
        ]
    if held:
        raise RuntimeError(f"capabilities left: {held}")
    try:
        os.setuid(0)
    except PermissionError:
        return
    raise RuntimeError("could become root again")


def _group_ids(names: tuple[str, ...]) -> set[int]:
    found = set()
    for name in names:
        try:
            found.add(grp.getgrnam(name).gr_gid)
        except KeyError:
            continue  # a group that does not exist (yet) allows nobody
    return found


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
