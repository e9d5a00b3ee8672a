"""Name what a command raises when it cannot do what it was asked.

Apart from `report`, which knows the client's errors too, so that `sgw --help` need not load an HTTP library.
"""

from gateway.cli.status import ExitStatus


class CommandError(Exception):
    """A command cannot do what it was asked; the message is for the person who asked."""

    def __init__(self, message: str, status: ExitStatus = ExitStatus.ERROR, *, findings: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.findings = findings


class UsageError(CommandError):
    """The command line is wrong."""

    def __init__(self, message: str, *, see: str = "") -> None:
        super().__init__(message, ExitStatus.USAGE, findings=(f"see `{see} --help`",) if see else ())
