"""Sends webhooks after Standard Webhooks: signed, with an id that stays the same however often one is sent."""

from datetime import UTC, datetime
from typing import Final

import httpx
from standardwebhooks import Webhook

from qrumb_server.model import Watch
from qrumb_server.query.alarms import Message

__all__ = ["send"]

TIMEOUT_SECONDS: Final = 5.0


def send(watch: Watch, message: Message, now_ms: int) -> str:
    """One try. Blocks for some seconds at most; returns why it was not taken, empty if it was."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    headers = {
        "content-type": "application/json",
        "user-agent": "qrumb",
        "webhook-id": message.id,
        "webhook-timestamp": str(now_ms // 1000),
        "webhook-signature": Webhook(watch.secret).sign(message.id, now, message.body),
    }
    try:
        answer = httpx.post(watch.url, content=message.body, headers=headers, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer.is_success else f"it answered {answer.status_code}"
