"""How the loaders of tests read, and what they are given."""

from qrumb_server.loader.batch import PlainReading, read_batch, read_compiled
from qrumb_server.loader.rows import PlacedSession, RowId
from qrumb_server.rpc.hotpath import is_built
from qrumb_server.wire.v1.record_pb2 import SessionRegistration

__all__ = ["registered", "usual_reading"]


def registered(site_id: str, scan_session_id: str, received_ms: int) -> PlacedSession:
    """A registration of a session, for its row."""
    sent = SessionRegistration(received_time_ms=received_ms)
    sent.scan_session.site_id, sent.scan_session.scan_session_id = site_id, scan_session_id
    return PlacedSession(row_id=RowId("stored", 0), registration=sent)


def usual_reading() -> PlainReading:
    """As a node's: compiled, where that is built."""
    return PlainReading(read_compiled if is_built() else read_batch)
