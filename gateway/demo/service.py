"""Start the demo's gateway: the privileged helper as root, everything else as an unprivileged user."""

import os
import pwd
import shutil
import stat
from pathlib import Path

import httpx

from gateway.demo.place import Place
from gateway.demo.program import Program, find_program
from gateway.devcluster import processes
from gateway.devcluster.commands import clean_env, run, wait_until
from gateway.devcluster.ledger import Ledger


def start(place: Place, ledger: Ledger) -> None:
    """Start what is not running and wait until the gateway is ready."""
    user = place.cluster.gateway_user
    _make_folders(place)
    _write(place.runas_config, place.runas_json())
    _write(place.config, place.gateway_toml())
    program = find_program(user, copies=place.home / "program")
    if processes.find(ledger, runas_name(place)) is None:
        _end(ledger, runas_name(place))
        _start_helper(place, ledger, program)
    if processes.find(ledger, serve_name(place)) is None:
        _end(ledger, serve_name(place))
        _start_gateway(place, ledger, program)
    log = _log(place, serve_name(place))
    wait_until(lambda: _ready(place), what=f"the gateway at {place.url}", seconds=45, log=log)
    _write(place.home / "url", place.url + "\n")


def serve_name(place: Place) -> str:
    """Name the supervisor's process in the ledger."""
    return f"{place.name}-serve"


def runas_name(place: Place) -> str:
    """Name the privileged helper's process in the ledger."""
    return f"{place.name}-runas"


def stop(place: Place, ledger: Ledger) -> None:
    """Stop the gateway and its helper; jobs on the cluster go on."""
    for name in (serve_name(place), runas_name(place)):
        _end(ledger, name)


def remove(place: Place) -> None:
    """Delete a stopped gateway's files and its attempts' directories."""
    for folder in (place.home, place.attempts, place.wake):
        shutil.rmtree(folder, ignore_errors=True)


def operator_token(place: Place, program: Program | None = None) -> str:
    """Return the demo operator's token, made on the first call."""
    path = place.home / "tokens" / "operator"
    if not path.exists():
        found = program or find_program(place.cluster.gateway_user, copies=place.home / "program")
        argv = [*_as(place.cluster.gateway_user), found.python, "-m", "gateway.cli", "serve"]
        argv += ["--config", str(place.config), "operator", "root", "--unix-user", place.cluster.gateway_user]
        save_token(path, run(argv, env=clean_env(**found.environment)).strip())
    return path.read_text().strip()


def save_token(path: Path, token: str) -> None:
    """Keep a token where only root can read it."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")


def _end(ledger: Ledger, name: str) -> None:
    """End a process and whatever it left in its session, also when it was killed long ago itself."""
    entry = ledger.find("process", name)
    if entry is not None:
        proc = processes.Proc.of(entry)
        processes.stop(proc, patience=30)
        processes.kill_session(proc)
        ledger.gone("process", name)


def _make_folders(place: Place) -> None:
    entry = pwd.getpwnam(place.cluster.gateway_user)
    for folder, owner, mode in (
        (place.home, (0, 0), 0o755),
        (place.home / "run", (0, 0), 0o755),
        (place.state, (entry.pw_uid, entry.pw_gid), 0o700),
        (place.attempts, (0, 0), 0o711),
        # Anyone may leave a hint, only the gateway may read and remove them.
        (place.wake, (entry.pw_uid, entry.pw_gid), 0o1733),
    ):
        folder.mkdir(exist_ok=True)
        os.chown(folder, *owner)
        if stat.S_IMODE(folder.stat().st_mode) != mode:
            folder.chmod(mode)


def _start_helper(place: Place, ledger: Ledger, program: Program) -> None:
    # By path and isolated: root must not import from a directory that PYTHONPATH or the current folder names.
    folder = Path(program.path[0]) / "gateway" / "runas" if program.path else Path(_here()) / "runas"
    argv = [program.python, "-I", str(folder), "--socket", str(place.runas_socket)]
    argv += ["--config", str(place.runas_config)]
    processes.start_detached(argv, name=runas_name(place), ledger=ledger, log=_log(place, runas_name(place)))
    wait_until(place.runas_socket.exists, what="the privileged helper", seconds=15, log=_log(place, runas_name(place)))


def _start_gateway(place: Place, ledger: Ledger, program: Program) -> None:
    argv = [program.python, "-m", "gateway.cli", "serve", "--config", str(place.config)]
    environment = clean_env(**program.environment, SLURM_CONF=str(place.cluster.slurm_conf))
    user = place.cluster.gateway_user
    processes.start_detached(
        argv, name=serve_name(place), ledger=ledger, log=_log(place, serve_name(place)), env=environment, user=user
    )


def _ready(place: Place) -> bool:
    try:
        return httpx.get(f"{place.url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _log(place: Place, name: str) -> Path:
    return place.cluster.root / "log" / f"{name}.log"


def _here() -> str:
    return str(Path(__file__).parent.parent)


def _as(user: str) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]


def _write(path: Path, text: str) -> None:
    """Write a file of root's, only when it differs: the helper reads its own again on every change."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        path.chmod(0o644)
