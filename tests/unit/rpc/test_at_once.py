"""A call that goes from its bytes to its answer at once is let in, judged, kept and answered as any other."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.json_format import ParseDict

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import add_CollectorServiceServicer_to_server
from qrumb_server.access.admission import Admission
from qrumb_server.access.keys import Scope
from qrumb_server.access.origins import Origins
from qrumb_server.access.quota import Quota, Quotas
from qrumb_server.access.registry import UNLIMITED, Site, SiteRegistry
from qrumb_server.app.servers import call_limits
from qrumb_server.config import RpcSettings
from qrumb_server.metrics import metrics_text, new_registry
from qrumb_server.pipeline.stamp import Arrival, Enrichers
from qrumb_server.rpc.access import Access
from qrumb_server.rpc.at_once import AtOnce
from qrumb_server.rpc.collector import Collector
from qrumb_server.rpc.compiled_calls import Compiled
from qrumb_server.rpc.hotpath import is_built
from qrumb_server.rpc.json_collector import add_json_collector
from qrumb_server.rpc.metrics import CollectorMetrics
from qrumb_server.rpc.opening import Opening
from qrumb_server.rpc.turns import Turns
from qrumb_server.rpc.wrappers import Context, Method, Unary, Wrappers
from tests.support.site_keys import KEYS, key

pytestmark = pytest.mark.skipif(not is_built(), reason="the compiled way is not built")

NOW_MS = 1_790_000_000_000
ONE = Quota(events_per_second=1, burst=1)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GRPC, JSON = "/qrumb.v1.CollectorService/", "/qrumb_server.wire.v1.JsonCollectorService/"


SITES = {
    "shop": Site(
        site_id="shop",
        origins=Origins(["https://shop.example"]),
        keys=(
            key("collect", Scope.COLLECT),
            key("query", Scope.QUERY),
            key("expired", Scope.COLLECT, expires_ms=NOW_MS),
        ),
    ),
    "other": Site(site_id="other", origins=Origins(["*"]), keys=(key("other", *Scope),)),
    "small": Site(site_id="small", origins=Origins(["*"]), quota=ONE),
}


class Clock:
    """Stands."""

    def now_ms(self) -> int:
        return NOW_MS


class Node:
    """What a worker has behind its ports."""

    def __init__(self, folder: Path, *, has_at_once: bool) -> None:
        self.records: list[tuple[bytes, str]] = []
        self.usual: list[str] = []
        self._registry = new_registry()
        self._metrics = CollectorMetrics(self._registry)
        turns = Turns()
        self.file = folder / "sites.toml"
        self.file.touch()
        self.sites = dict(SITES)
        self.now = 0.0
        registry = SiteRegistry(
            self.file,
            read=lambda _path: dict(self.sites),
            common=Site(quota=UNLIMITED),
            is_open=False,
            monotonic=lambda: self.now,
        )
        enrichers = Enrichers(policy=registry.policy, address_key=lambda address, _ms: f"hash of {len(address)}")
        limits = call_limits(RpcSettings())
        compiled = Compiled(turns=turns, max_event_bytes=limits.max_event_bytes, max_batch_events=10)
        access = Access(
            Admission(registry, Clock()),
            quotas=Quotas(share=1.0, monotonic=lambda: 0.0),
            count=self._metrics.count_refused,
        )
        common: dict[str, Any] = {
            "append": self._metrics.metered(self._append),
            "new_arrival": lambda: Arrival(
                received_time_ms=NOW_MS, retention_ms=400 * 86_400_000, make_event_id=lambda _event: "made",
                enrichers=enrichers,
            ),
            "turns": turns,
            "count": self._metrics.count,
        }  # fmt: skip
        self._at_once = (
            AtOnce(compiled=compiled, access=access, looks=registry.looks, now_ms=Clock().now_ms, **common)
            if has_at_once
            else None
        )
        opening = Opening(
            limits,
            turns=turns,
            may_begin=access.may_begin,
            count=self._metrics.count_refused,
            compiled=compiled,
            at_once=self if has_at_once else None,
        )
        self.server = grpc.aio.server(interceptors=[Wrappers(opening=opening, access=access)])
        collector = Collector(**common)
        add_CollectorServiceServicer_to_server(collector, self.server)
        add_json_collector(collector, self.server)

    def around(self, method: Method, usual: Unary) -> Unary:
        """What goes at once, and a note of what they leave."""

        async def noted(request: Any, context: Context) -> Any:
            self.usual.append(method.name)
            return await usual(request, context)

        assert self._at_once
        return self._at_once.around(method, noted)

    async def _append(self, records: Sequence[bytes], sites: Sequence[str]) -> None:
        self.records += zip(records, sites, strict=True)

    def remembered(self) -> int:
        """Characters that are kept of callers, keys and origins."""
        assert self._at_once
        stated = [*self._at_once._callers, *((opens,) for _scope, opens in self._at_once._let_in)]
        return sum(len(text or "") for texts in stated for text in texts)

    def counts(self) -> list[str]:
        """All metrics but for times."""
        return [line for line in metrics_text(self._registry).splitlines() if "append_seconds_" not in line]


def browser(**fields: Any) -> dict[str, Any]:
    return {"site_id": "shop", "event_id": "0192f0c1-7e1a-7c3d-9b1e-000000000001", "event_type": "click", **fields}


def backend(**fields: Any) -> dict[str, Any]:
    return {"site_id": "shop", "event_name": "signup", "scan_session_id": "scan-4a", **fields}


def bearer(name: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {KEYS[name]}")


ORIGIN = ("origin", "https://shop.example")
ADDRESS = ("x-client-ip", "203.0.113.9")
# Name: event or events, metadata, how they come in, and whether they go at once; None: where no one else has a turn.
CASES: dict[str, tuple[dict[str, Any] | list[dict[str, Any]], list[tuple[str, str]], str, bool | None]] = {
    "ordinary": (browser(), [], GRPC, True),
    "of its page": (browser(), [ORIGIN], GRPC, True),
    "without an id": (browser(event_id=""), [], GRPC, True),
    "own fields": (browser(metadata={"a": [1, {"b": None}]}, consent="DENIED"), [], GRPC, True),
    "a bot": (browser(), [("user-agent", "Googlebot/2.1")], GRPC, True),
    "of another page": (browser(), [("origin", "https://evil.example")], GRPC, False),
    "of another page by its referrer": (browser(), [("referer", "https://evil.example/a?b")], GRPC, False),
    "unknown site": (browser(site_id="nobody"), [], GRPC, False),
    "no site": (browser(site_id=""), [], GRPC, False),
    "impossible site": (browser(site_id="not a site"), [], GRPC, False),
    "rejected": (browser(event_type=""), [], GRPC, False),
    "warned of": (browser(event_time="1970-01-01T00:00:00Z"), [], GRPC, False),
    "an e-mail address": (browser(page_title="jane@example.org"), [], GRPC, False),
    "a small site": (browser(site_id="small"), [], GRPC, True),
    "a small site again": (browser(site_id="small"), [], GRPC, False),
    "long": (browser(metadata={"a": "b" * 4000}), [], GRPC, None),
    "an agent of its own": (browser(device={"user_agent": FIREFOX}), [], GRPC, False),
    "an agent of its own again": (browser(device={"user_agent": FIREFOX}), [], GRPC, True),
    "backend": (backend(), [bearer("collect")], GRPC, True),
    "backend with its visitor's address": (backend(client_ip="203.0.113.7"), [bearer("collect")], GRPC, False),
    "backend with its visitor's address again": (backend(client_ip="203.0.113.7"), [bearer("collect")], GRPC, True),
    "no key": (backend(), [], GRPC, False),
    "no key and no site": (backend(site_id=""), [], GRPC, False),
    "wrong scope": (backend(), [bearer("query")], GRPC, False),
    "expired": (backend(), [bearer("expired")], GRPC, False),
    "unknown key": (backend(), [bearer("unknown")], GRPC, False),
    "another's key": (backend(), [bearer("other")], GRPC, False),
    "two keys": (backend(), [bearer("unknown"), bearer("collect")], GRPC, False),
    "batch": ([browser(), browser(event_type="b", event_id="")], [ORIGIN], GRPC, None),
    "batch of a backend": ([backend(), backend(event_name="b")], [bearer("collect")], GRPC, None),
    "batch with another's key": ([backend(), backend()], [bearer("other")], GRPC, False),
    "batch with one that is rejected": ([browser(), browser(event_type="")], [], GRPC, False),
    "batch of two sites": ([browser(), browser(site_id="other")], [], GRPC, False),
    "batch of too many": ([browser()] * 11, [], GRPC, False),
    "batch over the quota": ([browser(site_id="small")] * 3, [], GRPC, False),
    "JSON batch": ([browser(), browser(page_title="<b>")], [ADDRESS], JSON, None),
    "JSON batch with one that is rejected": ([browser(), browser(site_id=5)], [], JSON, False),
    "empty JSON batch": ([], [], JSON, False),
    "dry JSON batch": ([browser()] * 2, [("x-envoy-original-path", "/a?validate_only=1")], JSON, False),
    "JSON": (browser(), [ORIGIN, ADDRESS], JSON, True),
    "JSON, by a retry": (browser(), [("x-envoy-attempt-count", "2"), ("x-request-id", "r")], JSON, True),
    "JSON, a page fetched ahead": (browser(), [("sec-purpose", "prefetch")], JSON, True),
    "JSON, dry": (browser(), [("x-envoy-original-path", "/collect?validate_only=true")], JSON, False),
    "JSON, another query": (browser(), [("x-envoy-original-path", "/collect?a=b")], JSON, True),
    "JSON, unknown field": (browser(colour="red"), [], JSON, False),
    "JSON, backend": (backend(), [bearer("collect")], JSON, True),
    "JSON, no key": (backend(), [], JSON, False),
}


def call_of(case: str) -> tuple[str, bytes]:
    """Method and message."""
    sent, _metadata, kind, _is_at_once = CASES[case]
    of_backend = "event_name" in (sent[0] if isinstance(sent, list) and sent else sent)
    name = "CollectServerEvent" if of_backend else "CollectBrowserEvent"
    message: dict[str, Any] = {"event": sent}
    if isinstance(sent, list):
        name, message = f"Batch{name}s", {"events": sent}
    if kind == JSON:
        text = json.dumps(message if isinstance(sent, list) else sent)
        return JSON + name, HttpBody(data=text.encode()).SerializeToString()
    return GRPC + name, ParseDict(message, getattr(pb, f"{name}Request")()).SerializeToString()


async def said(channel: grpc.aio.Channel, method: str, message: bytes, metadata: list[tuple[str, str]]) -> Any:
    """The answer, or all of the error."""
    try:
        ask: Any = channel.unary_unary(method)
        return await ask(message, metadata=tuple(metadata))
    except grpc.aio.AioRpcError as error:
        return (error.code(), error.details(), *(error.trailing_metadata() or ()))


async def test_what_goes_at_once_is_as_on_the_usual_way(tmp_path: Path) -> None:
    """Answers, errors, records and counts; and what may go at once does."""
    odd = {"broken": (GRPC, b"\xff"), "empty": (GRPC, b""), "no JSON": (JSON, b"\x12\x01{"), "no body": (JSON, b"\xff")}
    found, at_once = [], 0
    for has_at_once in (False, True):
        node = Node(tmp_path, has_at_once=has_at_once)
        socket = f"unix:{tmp_path / str(has_at_once)}"
        node.server.add_insecure_port(socket)
        await node.server.start()
        answers: dict[str, Any] = {}
        async with grpc.aio.insecure_channel(socket) as channel:
            for case, (_events, metadata, _kind, is_at_once) in CASES.items():
                node.usual.clear()
                answers[case] = await said(channel, *call_of(case), metadata)
                if is_at_once is not None:
                    assert bool(node.usual) == (has_at_once and not is_at_once), case
                at_once += has_at_once and not node.usual and isinstance(CASES[case][0], list)
            for case, (kind, message) in odd.items():
                answers[case] = await said(channel, kind + "CollectBrowserEvent", message, [])
            dry = pb.CollectBrowserEventRequest.FromString(call_of("ordinary")[1])
            dry.validate_only = True
            answers["dry"] = await said(channel, GRPC + "CollectBrowserEvent", dry.SerializeToString(), [])
        await node.server.stop(0)
        found.append((answers, node.records, node.counts()))
    assert found[0] == found[1]
    assert at_once, "a batch"
    assert sum(isinstance(answer, bytes) for answer in found[0][0].values()) > len(CASES) / 2


async def test_who_was_let_in_is_not_once_the_sites_say_otherwise(tmp_path: Path) -> None:
    """What a key or an origin opens counts until the file is looked at again."""
    node = Node(tmp_path, has_at_once=True)
    node.server.add_insecure_port(f"unix:{tmp_path / 'socket'}")
    await node.server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path / 'socket'}") as channel:
        for case in ("ordinary", "backend"):
            method, message = call_of(case)
            metadata = CASES[case][1]
            assert isinstance(await said(channel, method, message, metadata), bytes)
            del node.sites["shop"]
            node.file.write_text(case)
            node.now += 1
            assert not isinstance(await said(channel, method, message, metadata), bytes), case
            assert node.usual == [method]
            node.usual.clear()
            node.sites = dict(SITES)
            node.file.write_text(f"{case} again")
            node.now += 1
    await node.server.stop(0)


async def test_what_a_caller_states_at_length_goes_at_once_and_is_not_remembered(tmp_path: Path) -> None:
    """Ten thousand are: of 16 KiB each they took 160 MB."""
    node = Node(tmp_path, has_at_once=True)
    node.server.add_insecure_port(f"unix:{tmp_path / 'socket'}")
    await node.server.start()
    method, message = call_of("JSON")
    async with grpc.aio.insecure_channel(f"unix:{tmp_path / 'socket'}") as channel:
        for number in range(5):
            text = f"{number}" * 7_000  # beyond 8 KiB of all headers gRPC refuses some calls, by chance
            page = ("referer", f"https://shop.example/{text}")
            for metadata in ([("user-agent", text)], [("sec-ch-ua", text)], [page]):
                assert isinstance(await said(channel, method, message, metadata), bytes)
    assert node.usual == []
    assert node.remembered() < 4_000
    await node.server.stop(0)
