"""Splits an identifier that joins people who have nothing in common: a link that names no user says so."""

import uuid
from collections.abc import Sequence

from qrumb.v1.query_service_pb2 import SuspiciousIdentifier
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.rows import RowId, link_batch
from qrumb_server.pipeline.identity import EMAIL, PHONE, SESSION, Key, Link
from qrumb_server.ports import Clock, EventStore
from qrumb_server.upkeep.replay import LOADER_PATIENCE
from qrumb_server.wire.v1 import upkeep_service_pb2 as pb

__all__ = ["Splitter"]

_KINDS = {
    SuspiciousIdentifier.EMAIL_HASH: EMAIL,
    SuspiciousIdentifier.PHONE_HASH: PHONE,
    SuspiciousIdentifier.SCAN_SESSION: SESSION,
}


class Splitter:
    """Splits in the loader's process. Calls block; every one may raise a StoreError."""

    def __init__(self, *, store: EventStore, loader: Loader, clock: Clock) -> None:
        self._store = store
        self._loader = loader
        self._clock = clock

    def run(self, request: pb.SplitIdentifierRequest) -> pb.SplitIdentifierResponse:
        """Split, or undo it. An external_id names its user as it is: what is split are the hashes seen with it."""
        keys = self._known_keys(request)
        if keys:
            with self._loader.exclusively(LOADER_PATIENCE):
                if request.is_undone:
                    self._join(request.site_id, keys)
                else:
                    self._split(keys)
                self._loader.forget()
        return pb.SplitIdentifierResponse(identifier_count=len(keys))

    def _known_keys(self, request: pb.SplitIdentifierRequest) -> Sequence[Key]:
        is_account = request.kind == SuspiciousIdentifier.EXTERNAL_ID
        kinds = [EMAIL, PHONE] if is_account else [_KINDS[request.kind]]
        rows = self._store.query(
            "SELECT DISTINCT kind, identifier FROM events.identity_links "  # noqa: S608
            "WHERE site_id = {site:String} AND kind IN {kinds:Array(String)} "
            f"AND {'user_id' if is_account else 'identifier'} = {{name:String}}",
            {"site": request.site_id, "kinds": kinds, "name": request.name},
        )
        return [(request.site_id, row["kind"], row["identifier"]) for row in rows]

    def _split(self, keys: Sequence[Key]) -> None:
        links = {Link(key, ""): self._clock.now_ms() for key in keys}
        self._store.insert(link_batch(links, RowId(segment_id=f"split-{uuid.uuid4()}", segment_row=0)))

    def _join(self, site_id: str, keys: Sequence[Key]) -> None:
        self._store.mutate(
            "ALTER TABLE events.identity_links DELETE WHERE site_id = {site:String} AND user_id = '' "
            "AND (kind, identifier) IN {keys:Array(Tuple(String, String))}",
            {"site": site_id, "keys": [(kind, identifier) for _site, kind, identifier in keys]},
        )
