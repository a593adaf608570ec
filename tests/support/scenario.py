"""The scenarios of tests/golden/scenarios as steps on a mini node; their README.md describes the notation."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import grpc
import pytest
import yaml
from google.protobuf.json_format import ParseDict
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1 import privacy_service_pb2 as privacy_pb
from qrumb.v1 import scan_session_service_pb2 as session_pb
from qrumb.v1.receipt_pb2 import EventReceipt, EventWarning, Violation
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.config.sites import SiteEntry
from qrumb_server.errors import BadRowsError, OutcomeUnknownError
from qrumb_server.instants import timestamp
from qrumb_server.model import SitePolicy
from qrumb_server.pipeline.identity import own_label
from qrumb_server.ports import TableBatch
from qrumb_server.wire.v1 import upkeep_service_pb2 as upkeep_pb
from tests.support.collector_calls import to_message
from tests.support.mini_node import AGENT_KEY, LoaderDied, MiniNode

__all__ = ["FILES", "Play", "Scenario", "hash_of", "load_scenarios"]

FILES = tuple(sorted((Path(__file__).resolve().parent.parent / "golden" / "scenarios").glob("*.yaml")))
SITE: Final = "shop"
# What a browser sends unless a step says otherwise.
FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
AGENTS: Final = {
    "iphone": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1",
    "twitterbot": "Twitterbot/1.0",
}
UNITS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
TIME: Final = re.compile(r"T(?:([+-])(\d+)(d|h|ms|m|s))?")
DEFAULTS: Final = {"browser": {"event_type": "pageview"}, "server": {"event_name": "lead"}}
TIME_FIELDS: Final = {"event_time", "scan_time"}
HASHES: Final = {"email_hash", "phone_hash"}
STEP_KEYS: Final = {
    "register": {"worker", "refused", "times"},
    "browser": {
        "as",
        "worker",
        "agent",
        "address",
        "headers",
        "attempt",
        "request",
        "direct",
        "refused",
        "times",
        "warned",
    },
    "server": {"as", "worker", "attempt", "request", "direct", "refused", "times", "warned"},
    "clock": set(),
    "seal": set(),
    "load": set(),
    "restart": set(),
    "policy": {"site"},
    "fault": {"stored", "then"},
    "poison": set(),
    "replay": {"counts"},
    "rescore": {"counts"},
    "erase": {"counts", "gone"},
    "export": {"counts", "absent"},
    "split": {"counts"},
    "dry_run": {"row", "incomplete"},
    "expect": {"site"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One story."""

    name: str
    policy: Mapping[str, Any]
    """Settings of the site at the start, as qrumb.toml has them."""
    steps: Sequence[tuple[str, Any, Mapping[str, Any]]]
    """Verb, what it is done with, options."""


def load_scenarios(path: Path) -> list[Scenario]:
    """The scenarios of one file."""
    scenarios = []
    for written in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader):
        unknown = written.keys() - {"name", "policy", "steps"}
        assert not unknown, f"{path.name}, {written['name']}: no such key: {unknown}"
        steps = [_as_step(step) for step in written["steps"]]
        scenarios.append(Scenario(name=written["name"], policy=written.get("policy", {}), steps=steps))
    names = [scenario.name for scenario in scenarios]
    assert len(names) == len(set(names)), f"{path.name}: two scenarios of one name"
    return scenarios


def _as_step(written: str | dict[str, Any]) -> tuple[str, Any, Mapping[str, Any]]:
    step = {written: None} if isinstance(written, str) else written
    [verb] = step.keys() & STEP_KEYS.keys()
    options = {key: value for key, value in step.items() if key != verb}
    unknown = options.keys() - STEP_KEYS[verb]
    assert not unknown, f"step {verb} has no {unknown}"
    return verb, step[verb], options


@dataclass(slots=True)
class Play:
    """A scenario under way on a node: knows what its names stand for, and what was sent."""

    node: MiniNode
    prefix: str
    """Of all its site ids: what keeps it apart from others in the same store."""
    start_ms: int
    policies: dict[str, SitePolicy]
    """The node's, by site_id."""
    ids: dict[str, str] = field(default_factory=dict)
    """Event id by its name in the scenario."""
    received: dict[str, int] = field(default_factory=dict)
    registered: dict[str, int] = field(default_factory=dict)
    """Registrations of scan sessions by site, rejected ones too."""
    """Events that were answered with a verdict, by site."""
    letters_erased: bool = False

    def site(self, name: str | None) -> str:
        """The site_id that a site's name stands for."""
        return f"{self.prefix}-{name or SITE}"

    def session(self, name: str) -> str:
        """The scan_session_id that a session's name stands for: the same for all sites of the scenario."""
        return f"{self.prefix}-{name}" if name else ""

    def set_policy(self, written: Mapping[str, Any], site: str | None = None) -> None:
        """What a site wants from now on."""
        name = self.site(site)
        self.policies[name] = SiteEntry.model_validate(written).site(name).policy

    def time_ms(self, written: str) -> int:
        """An instant such as T-5m."""
        found = TIME.fullmatch(written)
        assert found, f"no instant: {written}"
        sign, number, unit = found.groups()
        return self.start_ms + (int(f"{sign}{number}") * UNITS[unit] if sign else 0)

    def event_id(self, name: str) -> str:
        """The id that a name stands for, made at its first use; `v7 name` makes one that holds the time."""
        kind, _, alias = name.rpartition(" ")
        if alias not in self.ids:
            digest = hashlib.sha256(f"{self.prefix}/{alias}".encode()).hexdigest()
            if kind == "v7":
                digest = f"{self.node.clock.now_ms():012x}7{digest[13:16]}8{digest[17:32]}"
            self.ids[alias] = str(UUID(digest)) if kind == "v7" else str(UUID(digest[:32], version=4))
        return self.ids[alias].upper() if kind == "upper" else self.ids[alias]

    def user(self, written: str, site_id: str) -> str:
        """A user_id; `email jane` and `phone jane` are those that their hashes name."""
        kind, _, person = written.partition(" ")
        if kind in ("email", "phone") and person:
            return own_label(site_id, {f"{kind}_hash": _sha(person)}, 0).user_id
        return written

    async def take(self, verb: str, argument: Any, options: Mapping[str, Any]) -> None:
        """One step, but for `expect`."""
        match verb:
            case "register":
                await self._register(argument, options)
            case "browser" | "server":
                await self._send(verb, argument, options)
            case "clock":
                self.node.clock.set(self.time_ms(argument))
            case "seal":
                await self.node.seal(argument)
            case "load":
                await self._load(argument)
            case "restart":
                assert argument == "loader"
                await self.node.restart_loader()
            case "policy":
                self.set_policy(argument, options.get("site"))
            case "fault":
                error = LoaderDied() if options["then"] == "dies" else OutcomeUnknownError("connection lost")
                self.node.store.fail_next(f"events.{argument}", error, is_stored=options["stored"])
            case "poison":
                self._poison(argument)
            case "dry_run":
                await self._dry_run(argument, options)
            case "export":
                await self._export(argument, options)
            case _:
                await self._upkeep(verb, argument, options)

    async def _register(self, written: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        session = dict(written)
        session["site_id"] = site_id = self.site(session.get("site_id"))
        session["scan_session_id"] = self.session(session["scan_session_id"])
        if agent := session.get("user_agent"):
            session["user_agent"] = AGENTS.get(agent, agent)
        request = session_pb.RegisterScanSessionRequest(scan_session=ParseDict(self._timed(session), ScanSession()))
        stub = self.node.sessions[options.get("worker", 0)]
        for number in range(options.get("times", 1)):
            self.node.clock.tick()
            if number:
                request.scan_session.scan_session_id = self.session(f"{written['scan_session_id']}-{number}")
            self.registered[site_id] = self.registered.get(site_id, 0) + 1
            if options.get("refused"):
                with pytest.raises(grpc.aio.AioRpcError):
                    await stub.RegisterScanSession(request)
            else:
                await stub.RegisterScanSession(request)

    async def _send(self, source: str, written: Any, options: Mapping[str, Any]) -> None:
        """One event by itself, a list of them as a batch."""
        worker = options.get("worker", 0)
        stub = (self.node.direct if options.get("direct") else self.node.gateway)[worker]
        metadata = self._metadata(source, options)
        for _ in range(options.get("times", 1)):
            self.node.clock.tick()
            if isinstance(written, list):
                events: Any = [to_message(source, self._event(source, one)) for one in written]
                receipts = await _send_batch(stub, source, events, metadata)
            else:
                event = to_message(source, self._event(source, written))
                receipts = [await _send_one(stub, source, event, metadata)]
            sites = [
                self._event(source, one)["site_id"] for one in (written if isinstance(written, list) else [written])
            ]
            for site_id in sites:
                self.received[site_id] = self.received.get(site_id, 0) + 1
            if "as" in options:
                names = options["as"] if isinstance(written, list) else [options["as"]]
                self.ids |= {name: receipt.event_id for name, receipt in zip(names, receipts, strict=True)}
            refused = {Violation.Reason.Name(broken.reason) for receipt in receipts for broken in receipt.violations}
            assert refused == set(options.get("refused", [])), f"refused for {refused}"
            warned = {EventWarning.Code.Name(warning.code) for receipt in receipts for warning in receipt.warnings}
            assert warned == set(options.get("warned", warned)), f"warned of {warned}"

    def _event(self, source: str, written: Mapping[str, Any]) -> dict[str, Any]:
        event = {**DEFAULTS[source], **written}
        event["site_id"] = self.site(event.get("site_id"))
        if "scan_session_id" in event:
            event["scan_session_id"] = self.session(event["scan_session_id"])
        if event.get("event_id"):
            event["event_id"] = self.event_id(event["event_id"])
        if "user_identifiers" in event:
            event["user_identifiers"] = _identifiers(event["user_identifiers"])
        return self._timed(event)

    def _timed(self, written: dict[str, Any]) -> dict[str, Any]:
        times = {key: timestamp(self.time_ms(written[key])).ToJsonString() for key in written.keys() & TIME_FIELDS}
        return {**written, **times}

    def _metadata(self, source: str, options: Mapping[str, Any]) -> list[tuple[str, str]]:
        said = {key: str(value) for key, value in options.get("headers", {}).items()}
        if source == "browser":
            said[AGENT_KEY] = options.get("agent", FIREFOX)
        if "address" in options:
            said["x-client-ip"] = options["address"]
        if "attempt" in options:
            said["x-envoy-attempt-count"] = str(options["attempt"])
        if "request" in options:
            said["x-request-id"] = f"{self.prefix}-{options['request']}"
        return list(said.items())

    async def _load(self, outcome: str | int | None) -> None:
        """All that is durable; of one worker where its number is given; `dies`: the loader does not survive it."""
        if isinstance(outcome, int):
            await self.node.seal(outcome)
            await self.node.wait_for_loader()
            return
        if outcome is None:
            await self.node.load()
            return
        assert outcome == "dies"
        try:
            await self.node.load()
        except LoaderDied:
            return
        raise AssertionError("the loader has not died")

    def _poison(self, name: str | None) -> None:
        """The store refuses the event of that name from now on; none: no more."""
        event_id = self.event_id(name) if name else ""

        def refuse(batch: TableBatch) -> BaseException | None:
            columns = dict(zip(batch.columns, batch.data, strict=True))
            is_hit = batch.table == "events.valid_events" and event_id in columns["event_id"]
            return BadRowsError("cannot parse", 27) if is_hit else None

        self.node.store.poison = refuse

    def named(self, kind: str, written: str, site_id: str) -> str:
        """The name under which a suspicious identifier is listed."""
        return self.session(written) if kind == "scan_session" else self.user(written, site_id)

    def _subject(self, written: Mapping[str, Any], site_id: str) -> dict[str, Any]:
        """What names a person."""
        said = dict(written)
        said["user_identifiers"] = _identifiers(said.get("user_identifiers", {}))
        if "scan_session_id" in said:
            said["scan_session_id"] = self.session(said["scan_session_id"])
        if "user_id" in said:
            said["user_id"] = self.user(said["user_id"], site_id)
        return {**said, "site_id": site_id}

    async def _dry_run(self, written: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        event: Any = to_message("browser", self._event("browser", written))
        request = pb.CollectBrowserEventRequest(event=event, validate_only=True)
        metadata = tuple(self._metadata("browser", {}))
        answer = await self.node.gateway[0].CollectBrowserEvent(request, metadata=metadata)
        shown = {name: getattr(answer.row, name) for name in options.get("row", {})}
        assert shown == options.get("row", {}), f"the dry run's row has {shown}"
        assert answer.is_incomplete == options.get("incomplete", False)

    async def _export(self, written: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        site_id = self.site(None)
        request = privacy_pb.ExportSubjectRequest(**self._subject(written, site_id))
        await self.node.load()
        records: list[privacy_pb.SubjectRecord] = []
        while True:
            page = await self.node.privacy.ExportSubject(request)
            records += page.records
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        counted = Counter(record.table for record in records)
        assert dict(counted) == options["counts"], f"exported {counted}"
        said = "\n".join(record.row for record in records)
        absent = [self.user(name, site_id) for name in options.get("absent", [])]
        assert [name for name in absent if name in said] == []

    async def _upkeep(self, verb: str, argument: Any, options: Mapping[str, Any]) -> None:
        node, said = self.node, dict(argument or {})
        site_id = self.site(said.pop("site_id", None))
        if verb == "replay":
            if "reason" in said:
                said["reason"] = Violation.Reason.Value(said["reason"])
            if "event_id" in said:
                said["event_id"] = self.event_id(said["event_id"])
            answer: Any = await node.upkeep.Replay(upkeep_pb.ReplayRequest(site_id=site_id, **said))
        elif verb == "rescore":
            answer = await node.upkeep.Rescore(upkeep_pb.RescoreRequest(site_id=site_id, **said))
        elif verb == "split":
            kind = said.pop("kind").upper()
            name = self.named(kind.lower(), said.pop("name"), site_id)
            split = upkeep_pb.SplitIdentifierRequest(site_id=site_id, kind=kind, name=name, **said)
            answer = await node.upkeep.SplitIdentifier(split)
        else:
            request = privacy_pb.EraseSubjectRequest(**self._subject(said, site_id))
            ask = partial(node.privacy.EraseSubject, request)
            answer = await (ask() if request.validate_only else node.erase(ask))
            self.letters_erased = self.letters_erased or answer.rejected_event_count > 0
        counted = {name.removesuffix("_count"): getattr(answer, name) for name in answer.DESCRIPTOR.fields_by_name}
        wanted = options.get("counts", {})
        assert {name: counted[name] for name in wanted} == wanted, f"{verb} counted {counted}"


async def _send_one(stub: Any, source: str, event: Any, metadata: list[tuple[str, str]]) -> EventReceipt:
    try:
        if source == "browser":
            request = pb.CollectBrowserEventRequest(event=event)
            return (await stub.CollectBrowserEvent(request, metadata=metadata)).receipt
        return (await stub.CollectServerEvent(pb.CollectServerEventRequest(event=event), metadata=metadata)).receipt
    except grpc.aio.AioRpcError as error:
        return _refusal(error)


async def _send_batch(stub: Any, source: str, events: Any, metadata: list[tuple[str, str]]) -> list[EventReceipt]:
    if source == "browser":
        request = pb.BatchCollectBrowserEventsRequest(events=events)
        return list((await stub.BatchCollectBrowserEvents(request, metadata=metadata)).receipts)
    answer = await stub.BatchCollectServerEvents(pb.BatchCollectServerEventsRequest(events=events), metadata=metadata)
    return list(answer.receipts)


def _refusal(error: grpc.aio.AioRpcError) -> EventReceipt:
    """A rejected event's error as a receipt."""
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error
    trailing = dict(error.trailing_metadata() or ())
    status = Status.FromString(trailing["grpc-status-details-bin"])
    bad, info = BadRequest(), ErrorInfo()
    for detail in status.details:
        _ = detail.Unpack(bad) or detail.Unpack(info)
    return EventReceipt(
        event_id=info.metadata["event_id"],
        violations=[Violation(field=found.field, reason=found.reason) for found in bad.field_violations],
    )


def _identifiers(written: Mapping[str, str]) -> dict[str, str]:
    """With the hashes that are written as `sha jane`."""
    return {kind: hash_of(value) if kind in HASHES else value for kind, value in written.items()}


def hash_of(written: str) -> str:
    """The hash of a person: `sha jane`, or `SHA jane` in upper case; any other text as it is."""
    kind, _, person = written.partition(" ")
    return _sha(person).upper() if kind == "SHA" else _sha(person) if kind == "sha" else written


def _sha(person: str) -> str:
    return hashlib.sha256(person.encode()).hexdigest()
