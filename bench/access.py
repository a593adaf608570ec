"""What letting a call in costs: python bench/access.py.

Processor time of the rule before a servicer, a dozen headers in: key, origin and quota, for one event and for a batch.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from qrumb.v1 import collector_service_pb2 as pb
from qrumb_server.access.admission import Admission
from qrumb_server.access.keys import Key, Scope, id_of, key_hash, new_key
from qrumb_server.access.origins import Origins
from qrumb_server.access.quota import Quota, Quotas
from qrumb_server.access.registry import Site, SiteRegistry
from qrumb_server.app.clock import SystemClock
from qrumb_server.rpc.access import RULES, Access

ROUNDS = 7
BATCH_EVENTS = 1_000
KEY = new_key()
SITE = Site(
    site_id="shop",
    origins=Origins(["https://shop.example", "https://*.shop.example"]),
    keys=(Key(id=id_of(KEY), hash=key_hash(KEY), scopes=frozenset(Scope)),),
    quota=Quota(events_per_second=10**9, burst=10**9),
)
HEADERS = tuple((f"x-header-{number}", "value") for number in range(12))


class Context:
    """As much of a call's context as the rule looks at."""

    def __init__(self, name: str, value: str) -> None:
        self._metadata = (*HEADERS, (name, value))

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata


async def served(_request: Any, _context: Any) -> None:
    """Stands for the servicer."""


def microseconds(call: Callable[[Any, Any], Awaitable[None]], request: Any, context: Context, number: int) -> float:
    """Processor time per call, the best of some rounds."""

    async def run() -> float:
        begun = time.process_time()
        for _ in range(number):
            await call(request, context)
        return time.process_time() - begun

    return min(asyncio.run(run()) for _ in range(ROUNDS)) / number * 1e6


def main() -> None:
    """Print a line for each kind of call."""
    # Any file will do: it is never read, only looked at once a second.
    sites = SiteRegistry(Path(__file__), read=lambda _path: {"shop": SITE}, common=Site(), is_open=False)
    access = Access(Admission(sites, SystemClock()), quotas=Quotas(share=1, monotonic=time.monotonic))
    event: Any = {"site_id": "shop"}
    page, backend = Context("origin", "https://www.shop.example"), Context("authorization", f"Bearer {KEY}")
    batch = pb.BatchCollectServerEventsRequest(events=[event] * BATCH_EVENTS)
    for name, request, context in (
        ("CollectBrowserEvent", pb.CollectBrowserEventRequest(event=event), page),
        ("CollectServerEvent", pb.CollectServerEventRequest(event=event), backend),
        ("BatchCollectServerEvents", batch, backend),
    ):
        call = access._checked(RULES[f"/qrumb.v1.CollectorService/{name}"], served)  # noqa: SLF001
        number = 200 if request is batch else 20_000
        cost = microseconds(call, request, context, number) - microseconds(served, request, context, number)
        each = f", {cost / BATCH_EVENTS:.2f} for each of its {BATCH_EVENTS} events" if request is batch else ""
        print(f"{name}: {cost:.1f} µs{each}")


if __name__ == "__main__":
    main()
