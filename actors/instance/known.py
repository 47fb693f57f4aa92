"""Messages that are remembered, looked up by id. They are written with the events that tell of them."""

from __future__ import annotations

import logging

from pydantic import ValidationError

from actors.instance.mailbox import Mailbox
from actors.messages.known import KnownMessage

log = logging.getLogger(__name__)


class KnownMessages:
    """What an instance remembers of the messages that it received and sent."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._store = mailbox.store
        self._key = mailbox.key("known")

    async def get(self, message_id: str) -> KnownMessage | None:
        """A message, None if it is not remembered (any more).

        Raises:
            StoreUnavailable
        """
        redis = self._store.redis
        record = await self._store.run(lambda: redis.hget(self._key, message_id), timeout=5)
        if record is None:
            return None
        try:
            return KnownMessage.model_validate_json(record)
        except ValidationError:
            # Written by another version. What refers to it is refused, which says what to do.
            log.warning("a remembered message cannot be read", extra={"message_id": message_id})
            return None
