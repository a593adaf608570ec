"""Ports are taken before anything starts."""

import socket

import pytest

from qrumb_server.errors import ConfigError
from qrumb_server.supervise.surroundings import reserve_port_for_quic
from tests.support.ports import claimed_port


def test_a_udp_port_that_is_taken_is_told() -> None:
    """Else only Envoy would, and each time again."""
    port = claimed_port()  # free for TCP, and taken for UDP
    with pytest.raises(ConfigError, match=rf"127.0.0.1:{port}: the UDP port is taken.*HTTP_PORT.*http3"):
        reserve_port_for_quic("127.0.0.1", port, "HTTP_PORT")


def test_any_port_is_one_that_udp_can_have_too() -> None:
    with reserve_port_for_quic("127.0.0.1", 0, "HTTP_PORT") as reserved:
        port = reserved.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as envoy:
            envoy.bind(("127.0.0.1", port))
