"""The settings of a node's two edges: the gateway for HTTP, and direct gRPC."""

import re
from datetime import timedelta
from typing import Final

from pydantic import Field, field_validator

from qrumb_server.config.groups import MIB, Group

__all__ = ["GatewaySettings", "RpcSettings"]

COLLECT_PATH: Final = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")
MAX_PATH_LENGTH: Final = 64
# What the contract and the gateway's own routes use.
TAKEN_PATH: Final = re.compile(r"/(v\d+|server-events|scan-sessions|validate|healthz|qrumb\.|grpc\.)")


class RpcSettings(Group):
    """Limits of the gRPC edge. The gateway has its own, smaller ones; a test compares them."""

    max_message_bytes: int = Field(default=16 * MIB, ge=1 * MIB)
    """Largest gRPC message. Bigger than the gateway's body limit, because JSON can grow as protobuf."""
    max_metadata_bytes: int = Field(default=64 * 1024, ge=8 * 1024)
    """Largest header block. Bigger than the gateway's, so that the gateway answers first."""
    max_batch_events: int = Field(default=1_000, ge=1, le=1_000)
    """Events of one batch call. The contract says 1,000."""
    max_connection_age: timedelta = timedelta(minutes=5)
    """Age at which a direct connection is asked to reconnect, so that load spreads over the workers."""
    drain_timeout: timedelta = timedelta(seconds=10)
    """How long a shutdown waits for calls in flight."""


class GatewaySettings(Group):
    """Envoy, the HTTP edge."""

    enabled: bool = True
    """Off: gRPC only."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """Worker threads of Envoy."""
    access_log: bool = False
    """One JSON line per request on standard output; no addresses, no queries."""
    collect_paths: tuple[str, ...] = Field(default=("/collect",), min_length=1, max_length=16)
    """Paths for browser events, COLLECT_PATHS in the environment with commas between; "/collect" stands on the lists of
    ad blockers. Each path takes one event, with "/batch" behind it a batch, with ".gif" an image's address."""

    @field_validator("collect_paths")
    @classmethod
    def _usable_paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for path in value:
            if not COLLECT_PATH.fullmatch(path) or len(path) > MAX_PATH_LENGTH:
                raise ValueError(
                    f"{path[:MAX_PATH_LENGTH]!r} cannot be a path of browser events: segments of A-Z a-z 0-9 _ - and, "
                    f'inside, dots; each after a slash, none at the end, {MAX_PATH_LENGTH} characters; such as "/e"'
                )
            if TAKEN_PATH.match(path):
                raise ValueError(f"{path!r} cannot be a path of browser events: the gateway has other routes there")
        everything = [f"{path}{suffix}" for path in value for suffix in ("", "/batch", ".gif")]
        if len(set(everything)) < len(everything):
            raise ValueError('paths of browser events clash, with their "/batch" or ".gif", or are given twice')
        return value
