"""TCP ports for servers that are ended and must come back on the same port.

A port that the kernel gave for 0 may be given to another process while its server is down. These are below the range
that the kernel gives from, and a UDP socket on the same number keeps other test processes from choosing them too.
"""

import atexit
import contextlib
import itertools
import os
import socket
from collections.abc import Iterator
from pathlib import Path

__all__ = ["claimed_port", "claimed_ports"]

LOWEST = 10_240
_claims = contextlib.ExitStack()
atexit.register(_claims.close)


def _candidates() -> Iterator[int]:
    first_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    span = first_given - LOWEST
    assert span > 1000, f"too few ports below {first_given}, from where the kernel gives them"
    # Test processes start at different places.
    start = os.getpid() * 37 % span
    return (LOWEST + (start + step) % span for step in range(span))


_untried = itertools.chain.from_iterable(_candidates() for _ in itertools.count())


def claimed_port() -> int:
    """A free port that no other caller is given while this process lives."""
    for port in _untried:
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            with socket.create_server(("127.0.0.1", port)):
                pass
        except OSError:
            claim.close()
            continue
        _claims.enter_context(claim)
        return port
    raise AssertionError("no free port")


def claimed_ports(number: int) -> list[int]:
    """Several of them."""
    return [claimed_port() for _ in range(number)]
