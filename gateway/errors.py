"""Name everything that can go wrong, whose fault it is, and whether trying again helps.

    GatewayError
    ├── CallerError                 the request cannot be served as it is
    │   ├── InvalidRequest          400/422: a field or a line is wrong
    │   ├── Unauthenticated         401
    │   ├── Forbidden               403
    │   ├── NotFound                404: also everything that belongs to another tenant
    │   ├── Conflict                409
    │   ├── TooLarge                413
    │   └── KeyReused               422: an Idempotency-Key with another body
    ├── Busy                        409/503: right now, try again after `retry_after` seconds
    ├── ClusterError                the cluster did not do what was asked
    │   ├── ClusterUnreachable      no answer: says nothing about any job
    │   └── ClusterRefused          an answer, and it is no
    └── GatewayFault                us: a bug or a broken installation

A docstring is the class's default message. `problem` is the stable last part of the problem document's `type`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Fault = Literal["caller", "cluster", "us"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One finding about a request: which field or line, what is wrong, what to do."""

    where: str
    """A field (`nodes`), a line (`line 3`) or `command line`."""
    message: str
    hint: str | None = None


class GatewayError(Exception):
    """Something went wrong in the gateway."""

    problem: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    status: ClassVar[int] = 500
    fault: ClassVar[Fault] = "us"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str | None = None,
        *,
        details: tuple[Detail, ...] = (),
        hint: str | None = None,
        retry_after: float | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message or type(self).__doc__ or type(self).__name__)
        self.details = details
        self.hint = hint
        self.retry_after = retry_after
        self.extra = extra or {}


class CallerError(GatewayError):
    """The request cannot be served as it is."""

    problem = "bad-request"
    title = "Bad request"
    status = 400
    fault = "caller"


class InvalidRequest(CallerError):
    """A field of the request is not valid."""

    problem = "invalid-request"
    title = "The request is not valid"
    status = 422


class Unauthenticated(CallerError):
    """A valid token is needed: send `Authorization: Bearer <token>`."""

    problem = "unauthenticated"
    title = "Not signed in"
    status = 401


class Forbidden(CallerError):
    """This token may not do that."""

    problem = "forbidden"
    title = "Not allowed"
    status = 403


class NotFound(CallerError):
    """There is no such thing, or it is not yours to see."""

    problem = "not-found"
    title = "Not found"
    status = 404


class Conflict(CallerError):
    """The thing is in a state that does not allow this."""

    problem = "conflict"
    title = "Conflict"
    status = 409


class TooLarge(CallerError):
    """The request is larger than the limit."""

    problem = "too-large"
    title = "Too large"
    status = 413


class KeyReused(CallerError):
    """This Idempotency-Key was used before with another request body."""

    problem = "idempotency-key-reused"
    title = "Idempotency key reused"
    status = 422


class Busy(GatewayError):
    """The same request is being worked on."""

    problem = "in-progress"
    title = "In progress"
    status = 409
    fault = "us"
    retryable = True


class ClusterError(GatewayError):
    """The cluster did not do what was asked."""

    problem = "cluster-error"
    title = "Cluster error"
    status = 502
    fault = "cluster"


class ClusterUnreachable(ClusterError):
    """The cluster does not answer. This says nothing about any job."""

    problem = "cluster-unreachable"
    title = "Cluster unreachable"
    status = 503
    retryable = True


class ClusterRefused(ClusterError):
    """Slurm refused."""

    problem = "cluster-refused"
    title = "Slurm refused"
    status = 422


class GatewayFault(GatewayError):
    """The gateway is broken or set up wrongly; its operator must look."""
