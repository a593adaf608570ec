"""What the metrics of all processes have in common: a registry of their own, and labels that stay few.

Invariant: a label is a site id that could be one, a reason of the contract, a table or a kind of error of ours; nothing
else that a sender chose.
"""

from typing import Final

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

from qrumb_server.model import is_site_id

__all__ = ["OTHER_SITE", "SiteLabels", "metrics_text", "new_registry"]

# Site ids can be made up, and each label value is a time series in the monitoring system.
MAX_SITES: Final = 1_000
OTHER_SITE: Final = "other"


class SiteLabels:
    """Site ids as labels: the first thousand as they are, all further ones and what is no site id as one."""

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


def new_registry() -> CollectorRegistry:
    """A registry for the metrics of one process."""
    # A second series for each counter, which says when it began: our processes' starts are metrics already.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return CollectorRegistry()


def metrics_text(registry: CollectorRegistry) -> str:
    """All metrics in Prometheus' text format."""
    return generate_latest(registry).decode()
