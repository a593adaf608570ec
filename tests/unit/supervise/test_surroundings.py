"""Ports are taken before anything starts."""

import socket

import pytest

from qrumb_server.errors import ConfigError
from qrumb_server.supervise.surroundings import reserve_port_for_quic


def test_a_udp_port_that_is_taken_is_told() -> None:
    """Else only Envoy would, and each time again."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        port = stranger.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127.0.0.1:{port}: the UDP port is taken.*HTTP_PORT.*http3"):
            reserve_port_for_quic("127.0.0.1", port, "HTTP_PORT")


def test_any_port_is_one_that_udp_can_have_too() -> None:
    with reserve_port_for_quic("127.0.0.1", 0, "HTTP_PORT") as reserved:
        port = reserved.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as envoy:
            envoy.bind(("127.0.0.1", port))
