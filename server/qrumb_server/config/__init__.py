"""All settings of a node: one module for each kind of group, `settings.py` for the whole and for where it is read."""

from qrumb_server.config.clickhouse import REVEAL, ClickHouseSettings
from qrumb_server.config.edges import GatewaySettings, RpcSettings, RpcTls, TlsFiles, UpstreamTls
from qrumb_server.config.groups import (
    DATA_CENTRE_ASNS,
    GeoipSettings,
    LoaderSettings,
    MetricsSettings,
    QueriesSettings,
    SpoolSettings,
    TracesSettings,
    WatchSettings,
)
from qrumb_server.config.settings import CONSOLE_FILES, Settings, load_settings
from qrumb_server.config.site_file import SiteFile, read_sites
from qrumb_server.config.sites import FraudSettings, QuotaSettings, SiteSettings

__all__ = [
    "CONSOLE_FILES",
    "DATA_CENTRE_ASNS",
    "REVEAL",
    "ClickHouseSettings",
    "FraudSettings",
    "GatewaySettings",
    "GeoipSettings",
    "LoaderSettings",
    "MetricsSettings",
    "QueriesSettings",
    "QuotaSettings",
    "RpcSettings",
    "RpcTls",
    "Settings",
    "SiteFile",
    "SiteSettings",
    "SpoolSettings",
    "TlsFiles",
    "TracesSettings",
    "UpstreamTls",
    "WatchSettings",
    "load_settings",
    "read_sites",
]
