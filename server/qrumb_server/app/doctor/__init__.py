"""What `qrumb doctor` looks at: the machine, and the installation that the settings describe.

Each check answers for one subject and stands alone: what it cannot find out is a finding too, never an error.
"""

from collections.abc import Iterator

from qrumb_server.app.doctor.finding import Finding, Level
from qrumb_server.app.doctor.installation import INSTALLATION
from qrumb_server.app.doctor.machine import MACHINE
from qrumb_server.app.doctor.server import clickhouse
from qrumb_server.config import Settings
from qrumb_server.ports import Clock

__all__ = ["Finding", "Level", "examine"]


def examine(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """All findings, as they are made: some take seconds."""
    for check in (*MACHINE, *INSTALLATION, clickhouse):
        yield from check(settings, clock)
