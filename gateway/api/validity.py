"""Notice during a long answer that its token was revoked: an open stream must not outlive the right to read it."""

import time
from typing import Final

import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from gateway.auth.principal import Principal
from gateway.auth.tokens import is_valid
from gateway.services import Services

_log = structlog.get_logger(__name__)

_LOOK_S: Final = 10.0
"""Below the heartbeat's 15 s, so that every heartbeat of a quiet stream looks again."""


class Validity:
    """Whether one principal's token still counts, looked up at most every 10 s."""

    def __init__(self, services: Services, principal: Principal) -> None:
        self._services, self._principal = services, principal
        self._looked_at = time.monotonic()

    async def is_over(self) -> bool:
        """Say whether the token was revoked or has expired."""
        if time.monotonic() - self._looked_at < _LOOK_S:
            return False
        self._looked_at = time.monotonic()
        now = self._services.clock.now()
        try:
            return not await run_in_threadpool(is_valid, self._services.database, self._principal.token_id, now)
        except SQLAlchemyError as error:  # a database that is away for a moment has revoked nothing
            _log.error("token.unread", token=self._principal.token_id, exc_info=error)
            return False
