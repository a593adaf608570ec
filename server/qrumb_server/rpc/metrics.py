"""What a collector worker counts."""

import time
from collections import Counter as Sums
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb_server.metrics import SiteCounts, SiteLabels, Timings
from qrumb_server.model import Rejected, StampedEvent
from qrumb_server.pipeline.scan import StampedScan
from qrumb_server.rpc.faults import SPOOL_ANSWERS

__all__ = ["AppendRecords", "CollectorMetrics"]

AppendRecords = Callable[[Sequence[bytes], Sequence[str]], Awaitable[None]]
"""Makes records durable, all or none; the second argument says whose each one is."""

# From one sync of a good disk to the gateway's patience.
APPEND_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class CollectorMetrics:
    """Counters of one worker; dry runs are not counted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sites = SiteLabels()
        self._accepted = SiteCounts("qrumb_events_accepted", "Events accepted and durable.", self._sites, registry)
        self._rejected = Counter("qrumb_events_rejected", "Events that break a rule.", ["site_id"], registry=registry)
        self._violations = Counter(
            "qrumb_event_violations",
            "Rejected events by what is wrong with them; one event may count under several reasons.",
            ["reason"],
            registry=registry,
        )
        self._warnings = Counter(
            "qrumb_event_warnings",
            "Accepted events of which something was changed or looks unintended; one may count under several codes.",
            ["site_id", "code"],
            registry=registry,
        )
        self._scan_warnings = Counter(
            "qrumb_scan_warnings",
            "Registered scans of which something was changed or left out; one may count under several codes.",
            ["site_id", "code"],
            registry=registry,
        )
        self._refusals = Counter(
            "qrumb_spool_refusals",
            "Requests that the spool did not take; nothing of them was kept.",
            ["reason"],
            registry=registry,
        )
        self._denials = Counter(
            "qrumb_calls_refused",
            "Calls refused by key, origin, site or quota; nothing of them was kept.",
            ["reason"],
            registry=registry,
        )
        self._append_seconds = Timings(
            "qrumb_spool_append_seconds", "Time until a request's events were durable.", APPEND_BUCKETS, registry
        ).of()

    def count_refused(self, reason: str) -> None:
        """Count a call that was not let in."""
        self._denials.labels(reason=reason).inc()

    def metered(self, append: AppendRecords) -> AppendRecords:
        """The same, timed and its refusals counted."""

        async def timed(records: Sequence[bytes], sites: Sequence[str]) -> None:
            begun = time.perf_counter()
            try:
                await append(records, sites)
            except tuple(SPOOL_ANSWERS) as error:
                self._refusals.labels(reason=SPOOL_ANSWERS[type(error)].name).inc()
                raise
            self._append_seconds.observe(time.perf_counter() - begun)

        return timed

    def count(self, verdicts: Sequence[StampedEvent | Rejected], accepted_by_site: Mapping[str, int]) -> None:
        """Count what was kept of one request: by the verdicts, and what else was accepted."""
        for site_id, number in accepted_by_site.items():
            self._accepted.add(site_id, number)
        if verdicts:  # none are the usual case, and what follows costs even so
            self._count_verdicts(verdicts)

    def _count_verdicts(self, verdicts: Sequence[StampedEvent | Rejected]) -> None:
        # Summed first: the package's own counting takes longer than all else here.
        label = self._sites.label
        accepted, rejected = Sums[str](), Sums[str]()
        warnings, violations = Sums[tuple[str, int]](), Sums[int]()
        for verdict in verdicts:
            if isinstance(verdict, StampedEvent):
                site_id = verdict.record.accepted_event.row.site_id
                accepted[site_id] += 1
                site_label = label(site_id)
                warnings.update({(site_label, warning.code) for warning in verdict.warnings})
            else:
                rejected[label(verdict.raw.message.site_id)] += 1
                violations.update({violation.reason for violation in verdict.violations})
        for site_id, number in accepted.items():
            self._accepted.add(site_id, number)
        for site_id, number in rejected.items():
            self._rejected.labels(site_id=site_id).inc(number)
        for (site_id, code), number in warnings.items():
            self._warnings.labels(site_id=site_id, code=EventWarning.Code.Name(code)).inc(number)
        for reason, number in violations.items():
            self._violations.labels(reason=Violation.Reason.Name(reason)).inc(number)

    def count_scans(self, scans: Sequence[StampedScan]) -> None:
        """Count what was said of registrations that were kept."""
        said = Sums[tuple[str, int]]()
        for scan in scans:
            site_label = self._sites.label(scan.registration.scan_session.site_id)
            said.update({(site_label, warning.code) for warning in scan.warnings})
        for (site_id, code), number in said.items():
            self._scan_warnings.labels(site_id=site_id, code=EventWarning.Code.Name(code)).inc(number)
