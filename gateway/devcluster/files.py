"""Lay out the state directory: folders, keys and configuration files."""

import os
import re
import secrets
import stat
import sys
from pathlib import Path

import gateway
from gateway.devcluster import config
from gateway.devcluster.commands import run
from gateway.devcluster.config import Memory
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.settings import LOGIN, DevSettings

_MARK = "cluster.json"

_FOLDERS = {
    "": 0o755,
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    # slurmctld's log and the gateway's tell everybody's jobs and addresses, which PrivateData=jobs hides.
    "log": 0o700,
    "munge": 0o700,
    "run": 0o755,
    "run/munge": 0o755,
    "run/netns": 0o700,
    "spool": 0o755,
    "ssh": 0o755,
    "ssh/authorized": 0o755,
    "ssh/keys": 0o711,
    "state": 0o700,
}


def saved_settings(root: Path) -> DevSettings | None:
    """Read the settings of the cluster that lives in `root`; None when there is none."""
    try:
        return DevSettings.from_json((root / _MARK).read_text())
    except FileNotFoundError:
        return None


def claim_root(settings: DevSettings) -> None:
    """Take the state directory as ours; refuse one that holds other things or another cluster."""
    mark = settings.root / _MARK
    saved = saved_settings(settings.root)
    if saved is not None:
        if saved != settings:
            raise DevClusterError(f"{settings.root} was made with other settings ({mark}): run `sgw dev down` first")
        return
    if settings.root.exists() and any(path.suffix != ".new" for path in settings.root.iterdir()):
        raise DevClusterError(f"{settings.root} is not empty and not ours: choose another state directory with --root")
    settings.root.mkdir(parents=True, exist_ok=True)
    draft = mark.with_suffix(".new")
    draft.write_text(settings.to_json())
    draft.rename(mark)


def write_all(settings: DevSettings, *, memory: Memory) -> None:
    """Write every folder, key and configuration file that the daemons need; existing keys stay."""
    for name, mode in _FOLDERS.items():
        folder = settings.root / name
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
    _keep(settings.root / "munge" / "munge.key", secrets.token_bytes(128), mode=0o400)
    _keep(settings.conf / "jwt.key", secrets.token_bytes(32), mode=0o600)
    conf = settings.conf
    _write(conf / "slurm.conf", config.slurm_conf(settings, memory=memory))
    _write(conf / "gres.conf", config.gres_conf(settings))
    _write(conf / "cgroup.conf", config.cgroup_conf(memory=memory, release=_slurm_release()))
    _write(conf / "hosts", config.hosts(settings))
    _write(conf / "sshd_config", config.sshd_config(settings, settings.machine(LOGIN)))
    if settings.accounting:
        _write(conf / "slurmdbd.conf", config.slurmdbd_conf(settings), mode=0o600)
    for action in ("resume", "suspend"):
        _write(settings.root / "bin" / action, _power_script(settings, action), mode=0o755)
    for number in range(max(machine.gpus for machine in settings.machines)):
        _null_device(settings.gpu_devices.with_name(f"gpu{number}"))
    host_key = settings.root / "ssh" / "host_key"
    if not host_key.with_suffix(".pub").exists():
        host_key.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", settings.name, "-f", str(host_key)])


def _slurm_release() -> tuple[int, int]:
    words = run(["slurmctld", "-V"])
    found = re.search(r"(\d+)\.(\d+)", words)
    if found is None:
        raise DevClusterError(f"`slurmctld -V` says {words.strip()!r}: no release number found")
    return int(found[1]), int(found[2])


def _power_script(settings: DevSettings, action: str) -> str:
    checkout = Path(gateway.__file__).parents[1]
    command = f"{sys.executable} -m gateway.devcluster --root {settings.root} {action}"
    return f'#!/bin/sh\nPYTHONPATH={checkout} exec {command} "$1" >>{settings.log("power")} 2>&1\n'


def _null_device(path: Path) -> None:
    if not path.exists():
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))  # /dev/null by another name


def _keep(path: Path, data: bytes, *, mode: int) -> None:
    if not path.exists():
        path.touch(mode=mode)
        path.write_bytes(data)


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    path.chmod(mode)
