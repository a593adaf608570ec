"""TLS at the gateway: which versions and protocols, and a certificate that is renewed while connections are open."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from qrumb.v1.collector_service_pb2 import CollectServerEventRequest
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from tests.support.certificates import Authority
from tests.support.envoy_process import Gateway, running_gateway, until, write_secret
from tests.support.patience import patient

pytestmark = pytest.mark.envoy

REQUEST = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def secure(authority: Authority) -> AsyncIterator[Gateway]:
    """A gateway with TLS."""
    async with running_gateway(authority=authority) as running:
        yield running


@contextmanager
def only(authority: Authority, version: ssl.TLSVersion, *protocols: str) -> Iterator[ssl.SSLContext]:
    """A client that speaks one version of TLS."""
    context = authority.trusting()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(list(protocols))
    yield context


async def handshake(gateway: Gateway, context: ssl.SSLContext) -> tuple[str | None, str | None]:
    """Version and protocol that were agreed on."""
    _reader, writer = await asyncio.open_connection("127.0.0.1", gateway.options.http_port, ssl=context)
    agreed: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.close()
    return agreed.version(), agreed.selected_alpn_protocol()


async def test_json_and_grpc_pass_over_tls(secure: Gateway, authority: Authority) -> None:
    assert (await secure.http.post("/collect", json={})).status_code == 200
    credentials = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
    async with grpc.aio.secure_channel(secure.target, credentials) as channel:
        await CollectorServiceStub(channel).CollectServerEvent(CollectServerEventRequest())
    assert [call.method for call in secure.worker.calls] == ["CollectBrowserEvent", "CollectServerEvent"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
async def test_todays_versions_are_spoken(
    secure: Gateway, authority: Authority, version: ssl.TLSVersion, protocol: str
) -> None:
    with only(authority, version, protocol) as context:
        agreed = await handshake(secure, context)
    assert agreed == (version.name.replace("_", "."), protocol)


async def test_old_versions_and_plain_http_are_not(secure: Gateway, authority: Authority) -> None:
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with only(authority, version) as context, pytest.raises((ssl.SSLError, ConnectionError)):
            await handshake(secure, context)
    reader, writer = await asyncio.open_connection("127.0.0.1", secure.options.http_port)
    writer.write(REQUEST)
    try:
        assert b"HTTP/1.1 200" not in await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def test_a_renewed_certificate_is_served_while_old_connections_go_on(
    secure: Gateway, authority: Authority
) -> None:
    context = authority.trusting()

    async def serial() -> str:
        _reader, writer = await asyncio.open_connection("127.0.0.1", secure.options.http_port, ssl=context)
        certificate = writer.get_extra_info("ssl_object").getpeercert()
        writer.close()
        return str(certificate["serialNumber"])

    before = await serial()
    reader, writer = await asyncio.open_connection("127.0.0.1", secure.options.http_port, ssl=context)
    write_secret(secure.folder / "tls.json", authority.issue("renewed"))

    async def renewed() -> bool:
        return await serial() != before

    await until(renewed)
    for _ in range(2):
        writer.write(REQUEST)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await reader.read(65536)
    assert writer.get_extra_info("ssl_object").getpeercert()["serialNumber"] == before
    writer.close()


async def test_a_handshake_that_does_not_end_is_closed(authority: Authority) -> None:
    async with running_gateway(authority=authority, header_timeout=timedelta(seconds=0.3)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.options.http_port)
        writer.write(b"\x16\x03\x01")
        async with asyncio.timeout(patient(3)):
            assert await reader.read() == b""
        writer.close()
