"""A gateway of its own for every test, so that no test meets another's requests, limits or dead workers."""

from collections.abc import AsyncIterator

import grpc
import pytest

from tests.support.envoy_process import Gateway, running_gateway


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """Envoy with its default limits before one worker."""
    async with running_gateway() as running:
        yield running


@pytest.fixture
async def channel(gateway: Gateway) -> AsyncIterator[grpc.aio.Channel]:
    """Native gRPC through the gateway."""
    async with grpc.aio.insecure_channel(gateway.target) as opened:
        yield opened
