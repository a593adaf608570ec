"""Sends webhooks after Standard Webhooks: signed, with an id that stays the same however often one is sent."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import httpx
from standardwebhooks import Webhook

from qrumb_server.model import Watch
from qrumb_server.query.alarms import Message

__all__ = ["send"]

# For each step; and for all of them, since a receiver may answer a byte at a time.
TIMEOUT_SECONDS: Final = 5.0
WHOLE_SECONDS: Final = 10.0


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
        status = asyncio.run(_post(watch.url, message.body, headers))
    except TimeoutError:
        return f"no answer within {WHOLE_SECONDS:g} s"
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return "" if 200 <= status < 300 else f"it answered {status}"


async def _post(url: str, body: bytes | str, headers: Mapping[str, str]) -> int:
    """The status of the answer, whose body is not read."""
    async with (
        asyncio.timeout(WHOLE_SECONDS),
        httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client,
        client.stream("POST", url, content=body, headers=headers) as answer,
    ):
        return answer.status_code
