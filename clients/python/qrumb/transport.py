"""How a client reaches the collector: address, TLS, key, and the bytes of its calls."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc

from qrumb.address import Address, checked_key
from qrumb.buffer import Batch, Kind
from qrumb.settings import Settings
from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.scan_session_service_pb2 import BatchRegisterScanSessionsResponse

__all__ = ["Calls", "Tls", "Way", "encode_batch", "receipts_of"]

# A batch of rejected events has many violations: more than gRPC's 4 MiB.
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_EVENTS_TAG: Final = b"\x0a"  # field 1, length-delimited: what every batch request carries
_OF_A_SCAN: Final = re.compile(r"scan_sessions\[(\d+)\]\.?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates, each as the bytes of a PEM file. All empty: the roots that gRPC brings."""

    root_certificates: bytes | None = None
    """Who may have signed the server's certificate."""
    certificate: bytes | None = None
    """The client's own, with its chain, where the server asks for one."""
    private_key: bytes | None = None
    """Of `certificate`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A batch call."""

    path: str
    response: Any


Calls = Mapping[Kind, Any]
METHODS: Final[Mapping[Kind, Method]] = {
    Kind.SERVER: Method(
        path="/qrumb.v1.CollectorService/BatchCollectServerEvents", response=pb.BatchCollectServerEventsResponse
    ),
    Kind.BROWSER: Method(
        path="/qrumb.v1.CollectorService/BatchCollectBrowserEvents", response=pb.BatchCollectBrowserEventsResponse
    ),
    Kind.SCAN: Method(
        path="/qrumb.v1.ScanSessionService/BatchRegisterScanSessions", response=BatchRegisterScanSessionsResponse
    ),
}


class Way:
    """Where calls go and what goes with each; both kinds of channels are made from it.

    Args:
        url: as `Address` reads it.
        key: sent as `authorization: Bearer`; empty: none.
        tls: certificates; needs an address with TLS.
        settings: of the client.

    Raises:
        ValueError: the url or the certificates cannot be meant.
    """

    def __init__(self, url: str, key: str, tls: Tls | None, settings: Settings) -> None:
        address = Address.parse(url)
        self.target = address.target
        if tls is not None and not address.is_secure:
            raise ValueError("url: has no TLS, which certificates need; it begins with grpcs:// or https://")
        self.credentials = _credentials(tls or Tls()) if address.is_secure else None
        self.metadata = (("authorization", f"Bearer {checked_key(key)}"),) if key else ()
        self.compression = grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression
        self.options: list[tuple[str, Any]] = [
            ("grpc.enable_retries", 0),
            ("grpc.max_receive_message_length", _MAX_ANSWER_BYTES),
            # Else a channel that has seen a long outage looks for its server only every two minutes.
            ("grpc.initial_reconnect_backoff_ms", _milliseconds(settings.first_backoff)),
            ("grpc.min_reconnect_backoff_ms", _milliseconds(settings.first_backoff)),
            ("grpc.max_reconnect_backoff_ms", _milliseconds(settings.max_backoff)),
        ]

    def channel(self) -> grpc.Channel:
        """A channel for threads."""
        if self.credentials is None:
            return grpc.insecure_channel(self.target, self.options, self.compression)
        return grpc.secure_channel(self.target, self.credentials, self.options, self.compression)

    def aio_channel(self) -> grpc.aio.Channel:
        """A channel for asyncio."""
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.target, self.options, self.compression)
        return grpc.aio.secure_channel(self.target, self.credentials, self.options, self.compression)

    def calls(self, channel: Any) -> Calls:
        """What sends a batch of each kind over a channel of this way."""
        return {
            kind: channel.unary_unary(method.path, None, method.response.FromString) for kind, method in METHODS.items()
        }


def encode_batch(batch: Batch) -> bytes:
    """The bytes of a batch request: its events were serialised when they were sent."""
    parts = []
    for queued in batch:
        parts += [_EVENTS_TAG, _varint(len(queued.payload)), queued.payload]
    return b"".join(parts)


def receipts_of(answer: Any) -> Sequence[EventReceipt]:
    """The receipts of a batch's answer. Scans are registered all or none, so each gets one that says ACCEPTED."""
    if not isinstance(answer, BatchRegisterScanSessionsResponse):
        receipts: Sequence[EventReceipt] = answer.receipts
        return receipts
    made = [EventReceipt(event_id=scan.scan_session_id, outcome=EventReceipt.ACCEPTED) for scan in answer.scan_sessions]
    for warning in answer.warnings:
        place = _OF_A_SCAN.match(warning.field)
        if place and int(place[1]) < len(made):
            made[int(place[1])].warnings.add(
                field=warning.field[place.end() :], code=warning.code, description=warning.description
            )
    return made


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1_000))


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    if (tls.certificate is None) != (tls.private_key is None):
        raise ValueError("a client's certificate and its private key come together")
    return grpc.ssl_channel_credentials(tls.root_certificates, tls.private_key, tls.certificate)
