"""Runs the cases of delivery.yaml and scans.yaml, in clients/cases, with the Python clients."""

import asyncio
import concurrent.futures
import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Protocol

from qrumb import (
    AsyncClient,
    Client,
    ClosedError,
    QrumbError,
    QueueFullError,
    Settings,
    UndeliveredError,
    browser_event,
    new_event_id,
    server_event,
)
from qrumb.address import from_environment
from qrumb.events import Event, scan_session
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.scan_session_pb2 import ScanSession
from tests.support.client_front import Front
from tests.support.patience import patient

__all__ = ["AsyncDriver", "Driver", "SyncDriver", "id_of", "run_delivery_case"]

ERRORS = {"queue_full": QueueFullError, "closed": ClosedError}
Case = dict[str, Any]


class Driver(Protocol):
    """One client under test, called from the test's thread."""

    receipts: list[EventReceipt]
    failures: list[Event]

    def send(self, event: Event) -> str: ...
    def offer(self, event: Event) -> bool: ...
    def flush(self, timeout: float) -> bool: ...
    def close(self, timeout: float) -> None: ...
    def counters(self) -> Any: ...


class SyncDriver:
    """`Client`."""

    def __init__(self, url: str, settings: Settings, key: str = "") -> None:
        self.receipts: list[EventReceipt] = []
        self.failures: list[Event] = []
        self.client = Client(
            **named(url, key),
            settings=settings,
            on_receipt=self.receipts.append,
            on_failure=lambda event, _error: self.failures.append(event),
        )

    def send(self, event: Event) -> str:
        return self.client.send(event)

    def offer(self, event: Event) -> bool:
        return self.client.offer(event)

    def collect(self, event: Event) -> EventReceipt:
        return self.client.collect(event)

    def register(self, **arguments: Any) -> Any:
        return self.client.register_scan_session(**arguments)

    def flush(self, timeout: float) -> bool:
        return self.client.flush(timeout)

    def close(self, timeout: float) -> None:
        self.client.close(timeout)

    def counters(self) -> Any:
        return self.client.counters


class AsyncDriver:
    """`AsyncClient`, in an event loop of its own thread."""

    def __init__(self, url: str, settings: Settings, key: str = "") -> None:
        self.receipts: list[EventReceipt] = []
        self.failures: list[Event] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

        async def make() -> AsyncClient:
            return AsyncClient(
                **named(url, key),
                settings=settings,
                on_receipt=self.receipts.append,
                on_failure=lambda event, _error: self.failures.append(event),
            )

        self.client = self._wait(make())

    def _wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def send(self, event: Event) -> str:
        return str(self._wait(self.client.send(event)))

    def offer(self, event: Event) -> bool:
        async def offer() -> bool:
            return self.client.offer(event)

        return bool(self._wait(offer()))

    def collect(self, event: Event) -> EventReceipt:
        receipt: EventReceipt = self._wait(self.client.collect(event))
        return receipt

    def register(self, **arguments: Any) -> Any:
        return self._wait(self.client.register_scan_session(**arguments))

    def flush(self, timeout: float) -> bool:
        return bool(self._wait(self.client.flush(timeout)))

    def close(self, timeout: float) -> None:
        self._wait(self.client.close(timeout))

    def end(self) -> None:
        """Stop the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def counters(self) -> Any:
        return self.client.counters


def named(url: str, key: str) -> dict[str, Any]:
    """Both as a client's arguments; without a url, what the environment says."""
    return {"url": url, "key": key} if url else from_environment()


class Run:
    """One case under way."""

    def __init__(self, case: Case, driver: Driver, front: Front, site_id: str) -> None:
        self.case = case
        self.driver = driver
        self.front = front
        self.site_id = site_id
        self.ids: list[str] = []
        self.own_ids: set[str] = set()
        self.is_closed = False
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        self.beside: list[concurrent.futures.Future[str]] = []

    def steps(self) -> None:
        """Every step, then the close that is due in any case."""
        kinds: dict[str, Callable[[Case], None]] = {
            "send": self.send,
            "offer": self.offer,
            "wait": lambda step: time.sleep(step["wait"]),
            "flush": self.flush,
            "close": self.close,
            "server": lambda step: getattr(self.front, step["server"])(),
        }
        for step in self.case["steps"]:
            kinds[next(iter(step))](step)
        for future in self.beside:
            self.ids.append(future.result(patient(5)))
        self.pool.shutdown()
        if not self.is_closed:
            self.close({"close": patient(10)})

    def send(self, step: Case) -> None:
        """N events; the last one may have to fail or to wait."""
        for number in range(step["send"]):
            event = self.event(step, len(self.ids) + len(self.beside))
            is_last = number == step["send"] - 1
            if is_last and "error" in step:
                try:
                    self.driver.send(event)
                except ERRORS[step["error"]]:
                    continue
                raise AssertionError(f"{step['error']} was expected")
            if is_last and "blocks" in step:
                future = self.pool.submit(self.driver.send, event)
                self.beside.append(future)
                done, _ = concurrent.futures.wait([future], step["blocks"])
                assert not done, "send should have waited"
                continue
            self.ids.append(self.driver.send(event))

    def offer(self, step: Case) -> None:
        """N events, of which the last few may have to be lost."""
        for number in range(step["offer"]):
            event = self.event(step, len(self.ids))
            assert self.driver.offer(event) is (number < step["offer"] - step.get("lost", 0))
            self.ids.append(id_of(event))

    def event(self, step: Case, number: int) -> Event:
        """Event `number` of the case."""
        padding = {"p": "x" * step["padding"]} if "padding" in step else None
        if "event_id" in step:
            self.own_ids.add(step["event_id"])
        if step.get("kind") == "scan":
            return scan_session(site_id=self.site_id, scan_session_id=new_event_id(), qr_code_id=f"e{number}")
        if step.get("kind") == "browser":
            return browser_event(
                site_id=self.site_id,
                event_type=f"e{number}",
                scan_session_id="s",
                metadata=padding,
                event_id=step.get("event_id"),
            )
        return server_event(
            site_id=self.site_id,
            event_name=f"e{number}",
            scan_session_id="s",
            properties=padding,
            event_id=step.get("event_id"),
        )

    def flush(self, step: Case) -> None:
        """With the answer that is expected."""
        assert self.driver.flush(step["flush"]) is step.get("answer", True)

    def close(self, step: Case) -> None:
        """With as many undelivered events as are expected."""
        self.is_closed = True
        undelivered = 0
        try:
            self.driver.close(step["close"])
        except UndeliveredError as error:
            undelivered = len(error.events)
        assert undelivered == step.get("undelivered", 0)

    def check(self) -> None:
        """What is expected of the case, and what always holds."""
        expect = self.case["expect"]
        calls = self.front.calls(self.site_id)
        numbers = [[int(event["name"][1:]) for event in call["events"]] for call in calls]
        if "calls" in expect:
            assert numbers == expect["calls"]
        assert len(calls) >= expect.get("calls_at_least", 0)
        if "events" in expect:
            assert list(dict.fromkeys(number for call in numbers for number in call)) == expect["events"]
        for index, at_least, at_most in expect.get("gaps", []):
            gap = calls[index]["time"] - calls[index - 1]["time"]
            assert at_least <= gap <= at_most
        if "authorization" in expect:
            assert {call["authorization"] for call in calls} == {expect["authorization"]}
        self.check_counters(expect)
        self.check_ids(calls)
        if "receipts" in expect:
            found = {self.ids.index(receipt.event_id): receipt.outcome for receipt in self.driver.receipts}
            assert found == {number: EventReceipt.Outcome.Value(name) for number, name in expect["receipts"].items()}
            assert list(found) == sorted(found)
        failures = [self.ids.index(id_of(event)) for event in self.driver.failures]
        assert failures == expect.get("failures", [])

    def check_counters(self, expect: Case) -> None:
        """As expected, and their sum."""
        counters = self.driver.counters()
        for name in ("accepted", "rejected", "failed"):
            assert getattr(counters, name) == expect.get(name, 0), name
        if "retried_at_least" in expect:
            assert counters.retried >= expect["retried_at_least"]
        else:
            assert counters.retried == expect.get("retried", 0)
        assert counters.waiting == 0
        assert counters.sent == counters.accepted + counters.rejected + counters.failed == len(self.ids)

    def check_ids(self, calls: list[Case]) -> None:
        """One id for life, made on the client."""
        assert len(set(self.ids)) == len(self.ids)
        for call in calls:
            for event in call["events"]:
                assert event["event_id"] == self.ids[int(event["name"][1:])]
        for event_id in self.ids:
            assert uuid.UUID(event_id).version == 7
            milliseconds = uuid.UUID(event_id).int >> 80
            assert event_id in self.own_ids or abs(milliseconds / 1000 - time.time()) < 120


def id_of(event: Event) -> str:
    """A scan's id is that of its session."""
    return event.scan_session_id if isinstance(event, ScanSession) else event.event_id


def run_delivery_case(case: Case, make: Callable[..., Driver], front: Front) -> None:
    """Run a case of delivery.yaml or scans.yaml against the front."""
    driver = make(front.grpc_url, Settings(**case.get("settings", {})), case.get("key", ""))
    run = Run(case, driver, front, f"{case['name']}.{uuid.uuid4().hex[:8]}")
    try:
        run.steps()
    finally:
        front.start()
        with contextlib.suppress(QrumbError):
            driver.close(0.1)
        if isinstance(driver, AsyncDriver):
            driver.end()
    run.check()
