"""Make the private MariaDB's data folder."""

import tempfile
from pathlib import Path

from gateway.devcluster import processes
from gateway.devcluster.commands import last_lines, wait_until
from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.ledger import Ledger
from gateway.devcluster.settings import DevSettings

_NAME = "mariadb-install"
_INSTALL = 'draft=$1 final=$2; shift 2; mariadb-install-db "$@" --datadir="$draft" && mv -T "$draft" "$final"'


def ensure(settings: DevSettings, ledger: Ledger) -> None:
    """Install an empty database for root (by Unix socket only), unless there is one."""
    folder = settings.root / "mariadb"
    if folder.exists():
        return
    # Made aside, renamed when complete, under a new name each time: an interrupted install goes on writing for a while.
    # A process of its own in the ledger, because it has children that `down` must find.
    draft = Path(tempfile.mkdtemp(prefix="mariadb-", dir=settings.root))
    choices = ["--no-defaults", "--user=root", "--auth-root-authentication-method=socket", "--skip-test-db"]
    argv = ["sh", "-c", _INSTALL, "sh", str(draft), str(folder), *choices]
    log = settings.log(_NAME)
    proc = processes.start_detached(argv, name=_NAME, ledger=ledger, log=log)

    def installed() -> bool:
        if not folder.exists() and not processes.is_alive(proc) and not folder.exists():
            raise DevClusterError(f"mariadb-install-db failed{last_lines(log)}")
        return folder.exists()

    wait_until(installed, what="installation of MariaDB's data folder", seconds=120, log=log)
    ledger.gone("process", _NAME)
