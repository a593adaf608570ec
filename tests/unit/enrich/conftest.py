"""Readers of small databases, with a clock of the test's own."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb_server.enrich.address import NetworkReader, PlaceReader
from tests.support.mmdb import Clock

RELOAD = timedelta(seconds=30)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_places(tmp_path: Path, clock: Clock) -> Callable[..., PlaceReader]:
    """Opens a reader of places, as a worker does."""

    def open_reader(*paths: Path) -> PlaceReader:
        return PlaceReader.open(paths, copies=tmp_path / "copies", reload_interval=RELOAD, monotonic=clock)

    return open_reader


@pytest.fixture
def open_networks(tmp_path: Path, clock: Clock) -> Callable[..., NetworkReader]:
    """Opens a reader of networks, as a worker does."""

    def open_reader(*paths: Path, data_centre_asns: Iterable[int] = ()) -> NetworkReader:
        return NetworkReader.open(
            paths,
            data_centre_asns=tuple(data_centre_asns),
            copies=tmp_path / "copies",
            reload_interval=RELOAD,
            monotonic=clock,
        )

    return open_reader
