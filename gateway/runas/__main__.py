"""Start the helper: `python -I -m gateway.runas --socket PATH --config FILE`, or by path to this folder."""

import argparse
import json
import os
import pwd
import socket
import sys

if not __package__:  # run by path: only this folder is on sys.path then, and -I ignores PYTHONPATH
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from gateway.runas.attempts import make_folder
from gateway.runas.config import ConfigError, ConfigFile, parse
from gateway.runas.identity import Refused, look_up
from gateway.runas.processes import silence
from gateway.runas.server import Server, client_uids
from gateway.runas.session import serve
from gateway.runas.verbs import Tenant


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM; 0 on a clean end, 1 with a sentence on stderr when it could not start."""
    parser = argparse.ArgumentParser(prog="gateway.runas", description="Act as tenants' Unix users for the gateway.")
    parser.add_argument("--socket", help="Unix socket to listen on")
    parser.add_argument("--config", help="JSON configuration, owned by root")
    parser.add_argument("--local", metavar="JSON", help="serve stdin, a socket, as the current user")
    options = parser.parse_args(argv)
    if not options.local and not (options.socket and options.config):
        parser.error("--socket and --config are needed")
    try:
        if options.local:
            _serve_current_user(options.local)
        else:
            _serve_clients(options.socket, ConfigFile(options.config))
    except (ConfigError, Refused, OSError) as error:
        sys.stderr.write(f"runas: {error}\n")
        return 1
    return 0


def _serve_clients(path: str, file: ConfigFile) -> None:
    if os.getuid() != 0:
        raise ConfigError("this helper must be started as root")
    clients = client_uids(file.current())
    if not clients:
        raise ConfigError("clients: nobody may connect; name the gateway's Unix user")
    listener = _listen(path, pwd.getpwuid(min(clients)).pw_gid)
    try:
        Server(listener, file).run()
    finally:
        os.unlink(path)


def _listen(path: str, group: int) -> socket.socket:
    """Bind the socket, 0660 for the clients' group; what a dead helper left is replaced, a live one's is not."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if os.path.exists(path):
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)
            else:
                raise ConfigError(f"another helper is listening on {path}")
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    os.chown(path, 0, group)
    os.chmod(path, 0o660)
    listener.listen(128)
    return listener


def _serve_current_user(text: str) -> None:
    try:
        config = parse(json.loads(text))
    except ValueError as error:
        raise ConfigError(f"--local: {error}") from None
    person = look_up(pwd.getpwuid(os.getuid()).pw_name)
    make_folder(config.attempts_root, person, owners=frozenset({0, person.uid}))
    os.chdir("/")
    os.umask(config.umask)
    connection = socket.socket(fileno=os.dup(0))
    silence()
    serve(connection, Tenant(person=person, config=config))


if __name__ == "__main__":
    sys.exit(main())
