"""`qrumb micro` as a child process, and what a test asks of it."""

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from qrumb.testing.funnel import Funnel

__all__ = ["Node", "NodeError", "running_node"]

DEFAULT_WITHIN: Final = 2.0
_PAUSE_SECONDS: Final = 0.05
_STOP_SECONDS: Final = 10.0
_TIMEOUT_SECONDS: Final = 90.0
_NOT_MET: Final = 409
_OK: Final = 200


class NodeError(RuntimeError):
    """The node did not start, or does not answer; no failure of the code under test."""


class Node:
    """A node under test.

    Args:
        url: of JSON over HTTP, for browsers and for `QRUMB_URL` of the Node client.
        grpc_url: of gRPC, for `QRUMB_URL` of the other clients.
    """

    def __init__(self, url: str, grpc_url: str) -> None:
        self.url = url
        self.grpc_url = grpc_url
        self.key = ""
        """Of the site whose ledger and funnel are asked for; only where the node has a sites.toml."""
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=_TIMEOUT_SECONDS)

    def expect(
        self, *, within: float = DEFAULT_WITHIN, count: int | None = None, **fields: Any
    ) -> Sequence[Mapping[str, Any]]:
        """Wait for an event that has these fields, and return all that have them.

        Args:
            within: seconds.
            count: so many and no more; None: at least one. With 0 it is not waited for more.
            fields: columns of an event by name, own fields as `metadata__sku`, of rejected ones what was sent;
                `outcome` (ACCEPTED unless said), `reason` of a violation, `warning`.

        Raises:
            AssertionError: there is none in time; says what came nearest, and its verdict.
        """
        status, answer = self._call("POST", "/test/expect", {"where": fields, "within": within, "count": count})
        if status == _NOT_MET:
            raise AssertionError(answer["message"])
        if status != _OK:
            raise TypeError(answer.get("message", answer))
        found: Sequence[Mapping[str, Any]] = answer["events"]
        return found

    def events(self) -> Sequence[Mapping[str, Any]]:
        """Every event since the start of the test: outcome, violations, warnings, and its fields as they are stored."""
        events: Sequence[Mapping[str, Any]] = self._ask("GET", "/test/events")["events"]
        return events

    def reset(self) -> None:
        """Forget all events and sessions."""
        self._ask("POST", "/test/reset")

    def no_rejected(self) -> None:
        """Raise AssertionError where an event was rejected, with all that is wrong with it."""
        rejected = [event for event in self.events() if event["outcome"] == "REJECTED"]
        if rejected:
            lines = [
                f"  {event['event_id']}: {said['field'] or 'the event'}: {said['reason']}: {said['description']}"
                for event in rejected
                for said in event["violations"]
            ]
            raise AssertionError("\n".join([f"{len(rejected)} of the events were rejected", *lines]))

    def ledger_balances(self, *, within: float = DEFAULT_WITHIN) -> None:
        """Wait until every site's ledger says: received = stored + rejected, and nothing on its way.

        Raises:
            AssertionError: it does not in time; says by which numbers.
        """
        deadline = time.monotonic() + within
        while wrong := self._imbalances():
            if time.monotonic() >= deadline:
                raise AssertionError("\n".join(["the ledger does not balance", *wrong]))
            time.sleep(_PAUSE_SECONDS)

    def funnel(self, qr_code_id: str, *, site_id: str | None = None, within: float = DEFAULT_WITHIN) -> Funnel:
        """The numbers of a QR code; comparing one with what it should be waits for it.

        Args:
            site_id: None: the one site that has sent events or sessions.
        """

        def read() -> Mapping[str, Any]:
            path = f"/v1/sites/{quote(site_id or self._only_site(), safe='')}/funnel"
            funnels = self._ask("GET", f"{path}?{urlencode({'qr_code_ids': qr_code_id})}")["funnels"]
            return next((one for one in funnels if one["qr_code_id"] == qr_code_id), {})

        return Funnel(read, within)

    def close(self) -> None:
        """Let go of the connection; the process goes on."""
        self._connection.close()

    def _only_site(self) -> str:
        sites = self._sites()
        if len(sites) != 1:
            raise ValueError(f"name the site_id: events came for {', '.join(sites) or 'no site yet'}")
        return sites[0]

    def _sites(self) -> list[str]:
        return sorted({str(event["site_id"]) for event in self.events() if event["outcome"] == "ACCEPTED"})

    def _imbalances(self) -> list[str]:
        wrong = []
        for site_id in self._sites():
            for entry in self._ask("GET", f"/v1/sites/{site_id}/ledger")["entries"]:
                received, stored, rejected, spooled = (
                    int(entry[name]) for name in ("received_count", "stored_count", "rejected_count", "spooled_count")
                )
                if received != stored + rejected or spooled:
                    numbers = f"received {received}, stored {stored}, rejected {rejected}, on their way {spooled}"
                    wrong.append(f"  {site_id}, {entry['minute_time']}: {numbers}")
        return wrong

    def _ask(self, method: str, path: str) -> Mapping[str, Any]:
        status, answer = self._call(method, path)
        if status != _OK:
            raise NodeError(f"{method} {path}: {status}: {answer.get('message', answer)}")
        return answer

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"content-type": "application/json"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        try:
            self._connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            reply = self._connection.getresponse()
            return reply.status, json.loads(reply.read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NodeError(f"the node at {self.url} does not answer: {error}") from error


@contextlib.contextmanager
def running_node(*, sites: Path | None = None) -> Iterator[Node]:
    """A node of its own, which ends with this process at the latest.

    Args:
        sites: a sites.toml; None: every site is served, without keys.

    Raises:
        NodeError: it does not start; says why.
    """
    command = [sys.executable, "-m", "qrumb_server", "micro", "--tied"]
    if sites is not None:
        command += ["--sites", str(sites)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = process.stdout.readline().split()
        if ready[:1] != ["ready:"]:
            code = process.wait(_STOP_SECONDS)
            raise NodeError(
                f"`qrumb micro` ended with {code} before it was ready; its error is above. "
                "It comes with: pip install 'qrumb[testing]'"
            )
        node = Node(ready[1], ready[2])
        try:
            yield node
        finally:
            node.close()
    finally:
        process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
