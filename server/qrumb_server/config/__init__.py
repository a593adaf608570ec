"""All settings of a node: one module for each kind of group, `settings.py` for the whole and for where it is read."""

from qrumb_server.config.clickhouse import REVEAL, ClickHouseSettings
from qrumb_server.config.edges import GatewaySettings, RpcSettings, RpcTls, TlsFiles
from qrumb_server.config.geoip import DATA_CENTRE_ASNS, GeoipSettings
from qrumb_server.config.groups import LoaderSettings, MetricsSettings, SpoolSettings
from qrumb_server.config.settings import Settings, load_settings
from qrumb_server.config.sites import FraudSettings, SiteSettings

__all__ = [
    "DATA_CENTRE_ASNS",
    "REVEAL",
    "ClickHouseSettings",
    "FraudSettings",
    "GatewaySettings",
    "GeoipSettings",
    "LoaderSettings",
    "MetricsSettings",
    "RpcSettings",
    "RpcTls",
    "Settings",
    "SiteSettings",
    "SpoolSettings",
    "TlsFiles",
    "load_settings",
]
