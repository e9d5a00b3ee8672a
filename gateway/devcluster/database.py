"""Make the private MariaDB's data folder."""

import shutil

from gateway.devcluster.commands import run
from gateway.devcluster.settings import DevSettings


def ensure(settings: DevSettings) -> None:
    """Install an empty database for root (by Unix socket only), unless there is one."""
    folder = settings.root / "mariadb"
    done = folder / "installed"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)  # half-made by an interrupted run
    folder.mkdir(mode=0o700)
    run(
        [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={folder}",
            "--user=root",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
        ],
        timeout=120,
    )
    done.touch()
