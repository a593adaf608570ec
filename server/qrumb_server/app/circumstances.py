"""The circumstances under which events are received: time, names for events, and what can be looked up on the spot."""

import time
import uuid
from collections.abc import Callable
from typing import Final

import uuid_utils

from qrumb_server.access.registry import SiteRegistry
from qrumb_server.config import Settings
from qrumb_server.enrich.address import NetworkReader, PlaceReader
from qrumb_server.enrich.address_key import address_key
from qrumb_server.model import TABLE_RETENTION_MS, RawEvent
from qrumb_server.pipeline.stamp import Arrival, Enrichers
from qrumb_server.ports import Clock

__all__ = ["arrivals", "enrichers", "make_event_id"]

# Event ids made from a request's id live in a namespace of their own.
EVENT_ID_NAMESPACE: Final = uuid.UUID("7d5a3e64-5f0b-5a55-9a53-0c7f3f1f2d11")


def enrichers(settings: Settings, sites: SiteRegistry, address_secret: bytes) -> Enrichers:
    """Readers of the databases that the settings name; addresses are hashed with the secret."""
    geoip, copies = settings.geoip, settings.run_dir / "geoip"
    places = PlaceReader.open(
        geoip.city_databases, copies=copies, reload_interval=geoip.reload_interval, monotonic=time.monotonic
    )
    networks = NetworkReader.open(
        geoip.asn_databases,
        data_centre_asns=geoip.all_data_centre_asns,
        copies=copies,
        reload_interval=geoip.reload_interval,
        monotonic=time.monotonic,
    )
    return Enrichers(
        locate=places.locate,
        is_data_centre=lambda address: networks.is_data_centre(networks.asn(address)),
        address_key=address_key(address_secret),
        policy=sites.policy,
    )


def arrivals(clock: Clock, looked_up_by: Enrichers) -> Callable[[], Arrival]:
    """The circumstances of each moment, one call of a collector after another."""

    def new_arrival() -> Arrival:
        return Arrival(
            received_time_ms=clock.now_ms(),
            retention_ms=TABLE_RETENTION_MS,
            make_event_id=make_event_id,
            enrichers=looked_up_by,
        )

    return new_arrival


def make_event_id(event: RawEvent) -> str:
    """The same id for the same request and place, so that the gateway's retry is the same event."""
    if event.caller.request_id:
        return str(uuid.uuid5(EVENT_ID_NAMESPACE, f"{event.caller.request_id}/{event.index}"))
    return str(uuid_utils.uuid7())
