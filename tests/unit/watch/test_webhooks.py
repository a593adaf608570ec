"""One try of a webhook ends, whatever its receiver does."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from qrumb_server.model import Watch
from qrumb_server.query.alarms import Message
from qrumb_server.watch import webhooks

NOW_MS = 1_790_000_000_000


@contextlib.contextmanager
def answering(piece: bytes, more: bytes) -> Iterator[str]:
    """The URL of a receiver that answers a piece, and then another one over and over, for as long as it is asked."""
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _address = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65_536)
                connection.sendall(piece)
                while more and not stopping.wait(0.02):
                    connection.sendall(more)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        stopping.set()
        thread.join()


def sent_to(url: str) -> str:
    watch = Watch(url=url, secret="whsec_" + "A" * 32)
    return webhooks.send(watch, Message(id="msg_1", site_id="shop", body="{}", made_ms=NOW_MS), NOW_MS)


def test_headers_that_never_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time; the whole does not."""
    monkeypatch.setattr(webhooks, "WHOLE_SECONDS", 0.5)
    with answering(b"HTTP/1.1 200 OK\r\nx: ", b"a") as url:
        assert sent_to(url) == "no answer within 0.5 s"


def test_a_body_is_not_waited_for() -> None:
    """Its status says all."""
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", b"a") as url:
        assert sent_to(url) == ""
    with answering(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1000000\r\n\r\n", b"a") as url:
        assert sent_to(url) == "it answered 503"
