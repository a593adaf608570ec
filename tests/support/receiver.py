"""A receiver of webhooks on this machine, which keeps what it was sent and answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

__all__ = ["Receiver", "running_receiver"]


@dataclass
class Receiver:
    """What came, in order."""

    url: str = ""
    secret: str = ""
    status: int = 200
    """What it answers from now on."""
    tries: list[str] = field(default_factory=list)
    """The webhook-id of each call."""
    taken: list[dict[str, Any]] = field(default_factory=list)
    """The messages that it took, each with the signature of its own time."""
    last: tuple[bytes, dict[str, str]] = (b"", {})
    """Body and headers of the last call."""


@contextmanager
def running_receiver(secret: str) -> Iterator[Receiver]:
    """One on a free port."""
    receiver = Receiver(secret=secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.last = (body, dict(self.headers.items()))
            receiver.tries.append(self.headers["webhook-id"])
            time = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)
            is_signed = self.headers["webhook-signature"] == Webhook(secret).sign(
                receiver.tries[-1], time, body.decode()
            )
            if is_signed and receiver.status < 300:
                receiver.taken.append(json.loads(body))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
