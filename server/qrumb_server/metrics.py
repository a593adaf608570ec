"""What the metrics of all processes have in common: a registry of their own, and labels that stay few.

Invariant: a label is a site id that could be one, a reason of the contract, a table or a kind of error of ours; nothing
else that a sender chose.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from qrumb_server.model import is_site_id

__all__ = ["OTHER_SITE", "SiteCounts", "SiteLabels", "Timings", "metrics_text", "new_registry"]

# Site ids can be made up, and each label value is a time series in the monitoring system.
MAX_SITES: Final = 1_000
OTHER_SITE: Final = "other"


class SiteLabels:
    """Site ids as labels: the first thousand as they are, all further ones and what is not a site id as one."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def label(self, site_id: str) -> str:
        """The label of a site."""
        if site_id in self._known:
            return site_id
        if len(self._known) >= MAX_SITES or not is_site_id(site_id):
            return OTHER_SITE
        self._known.add(site_id)
        return site_id


class SiteCounts(Collector):
    """A counter by site that every call adds to: the package's own takes six times as long. For one thread."""

    def __init__(self, name: str, text: str, labels: SiteLabels, registry: CollectorRegistry) -> None:
        self._name, self._text = name, text
        self._labels = labels
        self._counts: dict[str, int] = {}
        registry.register(self)

    def add(self, site_id: str, number: int) -> None:
        """Count so many of a site."""
        label = site_id if site_id in self._counts else self._labels.label(site_id)
        self._counts[label] = self._counts.get(label, 0) + number

    def collect(self) -> Iterator[CounterMetricFamily]:
        """As the package asks for it."""
        family = CounterMetricFamily(self._name, self._text, labels=["site_id"])
        for label, number in self._counts.items():
            family.add_metric([label], number)
        yield family


class Timing:
    """Times of one kind."""

    __slots__ = ("_bounds", "counts", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """By the bound that each is not above; the last ones are above all."""
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.seconds += seconds


class Timings(Collector):
    """A histogram that every call adds to: the package's own takes five times as long. For one thread."""

    def __init__(
        self, name: str, text: str, bounds: Sequence[float], registry: CollectorRegistry, labels: Sequence[str] = ()
    ) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._bounds = bounds
        self._known: dict[tuple[str, ...], Timing] = {}
        registry.register(self)

    def of(self, *labels: str) -> Timing:
        """Those of one kind, to be kept and added to."""
        found = self._known.get(labels)
        if found is None:
            found = self._known[labels] = Timing(self._bounds)
        return found

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """As the package asks for it."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for labels, timing in self._known.items():
            buckets = list(zip(names, accumulate(timing.counts), strict=True))
            family.add_metric(labels, buckets, timing.seconds)
        yield family


def new_registry() -> CollectorRegistry:
    """A registry for the metrics of one process."""
    # A second series for each counter, which says when it began: our processes' starts are metrics already.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return CollectorRegistry()


def metrics_text(registry: CollectorRegistry) -> str:
    """All metrics in Prometheus' text format."""
    return generate_latest(registry).decode()
