"""Make the private MariaDB's data folder."""

import shutil

from gateway.devcluster.commands import run
from gateway.devcluster.settings import DevSettings


def ensure(settings: DevSettings) -> None:
    """Install an empty database for root (by Unix socket only), unless there is one."""
    folder = settings.root / "mariadb"
    if folder.exists():
        return
    # Made aside and renamed when complete; it dies with us, so an interrupted one cannot write into the next.
    draft = settings.root / "mariadb.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={draft}", "--user=root"]
    choices = ["--auth-root-authentication-method=socket", "--skip-test-db"]
    run(["setpriv", "--pdeathsig=KILL", *install, *choices], timeout=120)
    draft.rename(folder)
