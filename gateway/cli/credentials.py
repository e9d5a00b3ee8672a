"""Remember which gateway a person is signed in to, and with which token."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.cli.environment import Environment
from gateway.client import ApiProblem, Failure, GatewayClient

FILE = "credentials.json"


class NotSignedIn(Exception):
    """No gateway is known: run `sgw login URL`, or set SGW_URL and SGW_TOKEN."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One signed-in place."""

    url: str
    token: str
    shared_fs: bool = False
    """Whether this machine sees the cluster's file system, so that its paths mean the same there."""


def stored(config_dir: Path) -> Credentials | None:
    """Read what `sgw login` stored; None when there is nothing. Raises NotSignedIn for a damaged file."""
    path = config_dir / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(url=found["url"], token=found["token"], shared_fs=bool(found.get("shared_fs", False)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotSignedIn(f"{path} cannot be read ({error}): run `sgw login URL` to write it anew") from error


def store(config_dir: Path, credentials: Credentials) -> Path:
    """Write the credentials for their owner alone, whole or not at all."""
    config_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600, so the token is never readable by others, not even for a moment.
    handle, temporary = tempfile.mkstemp(dir=config_dir, prefix=FILE)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(credentials), file, indent=2)
            file.write("\n")
        Path(temporary).replace(config_dir / FILE)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return config_dir / FILE


def current(env: Environment) -> Credentials:
    """Choose the credentials: SGW_URL and SGW_TOKEN beat what is stored. Raises NotSignedIn."""
    url, token = (env.variables.get(name, "").strip() for name in ("SGW_URL", "SGW_TOKEN"))
    kept = None if url and token else stored(env.config_dir)
    if not url and kept is None:
        raise NotSignedIn
    url = url or (kept.url if kept else "")
    # A stored token goes to the gateway it was stored for and nowhere else.
    token = token or (kept.token if kept and kept.url.rstrip("/") == url.rstrip("/") else "")
    if not token:
        raise NotSignedIn(f"there is no token for {url}: run `sgw login {url}`, or set SGW_TOKEN")
    shared = env.variables.get("SGW_SHARED_FS", "")
    return Credentials(
        url=url, token=token, shared_fs=shared not in {"0", "no"} if shared else bool(kept and kept.shared_fs)
    )


def connect(env: Environment, credentials: Credentials | None = None) -> GatewayClient:
    """Open the way to the gateway, as the current credentials."""
    chosen = credentials or current(env)
    if not (chosen.token.isascii() and chosen.token.isprintable()):
        # httpx would refuse the header with an error that quotes it, token and all.
        raise NotSignedIn("the token holds characters that no token has: set SGW_TOKEN anew, or run `sgw login`")

    told: set[str] = set()

    def notice(failure: Failure, delay_s: float) -> None:
        what = failure.problem.detail if isinstance(failure, ApiProblem) else str(failure)
        if delay_s >= _WORTH_TELLING_S and what not in told:
            told.add(what)
            env.warn(f"{what}; trying again until it heals")

    return GatewayClient(
        chosen.url, chosen.token, transport=env.transport, sleep=env.sleep, monotonic=env.monotonic, notice=notice
    )


_WORTH_TELLING_S = 0.75
"""A hiccup shorter than this heals before anyone has read about it."""
