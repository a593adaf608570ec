"""Is the installation as it should be: sites, certificates, databases of places, the collector of traces."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc

from qrumb_server.app.doctor.finding import Check, Finding, fault, note, refused, well
from qrumb_server.app.tracing import check_traces
from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError
from qrumb_server.ports import Clock
from qrumb_server.supervise.certificates import RPC_TLS_SETTING, TLS_SETTING, read_authority, read_pair

__all__ = ["INSTALLATION"]

RENEW_WITHIN: Final = timedelta(days=14)
# OTLP's call, which takes an empty request as well; OpenTelemetry's packages are not needed to make it.
EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
EXPORT_SECONDS: Final = 3


def _sites(settings: Settings, clock: Clock) -> Iterator[Finding]:
    if settings.access == "open":
        yield note("sites", "access = open: every caller on this machine may do everything", "set access = keys")
        return
    path = settings.sites_path
    if not path.exists():
        if settings.sites_file != Path("sites.toml"):
            yield fault("sites", f"{path} (sites_file): no such file, so a node does not start", "qrumb sites add SITE")
        elif settings.spool_dir.exists():
            said = f"{path}: gone; the next start makes the site demo, and refuses the senders of all other sites"
            yield note("sites", said, "put it back")
        else:
            yield note("sites", f"{path}: not there; the first start makes the site demo", "qrumb sites add SITE")
        return
    try:
        sites = settings.site_file.sites()
    except ConfigError as error:
        yield from refused("sites", error)
        return
    if path.stat().st_mode & 0o007:
        yield note("sites", f"{path} can be read by every user", f"chmod 600 {path}")
    for name, site in sorted(sites.items()):
        valid = [key for key in site.keys if key.expires_ms is None or key.expires_ms > clock.now_ms()]
        if not valid:
            why = "all its keys have expired" if site.keys else "it has no key"
            yield note("sites", f"{name}: {why}, so no backend can send its events", f"qrumb sites key {name}")
        if "*" in site.origins.patterns:
            yield note("sites", f"{name}: pages of any origin may send its events", f"qrumb sites set {name}")
    yield well("sites", f"{path}: {len(sites)}")


def _certificates(settings: Settings, clock: Clock) -> Iterator[Finding]:
    now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    for files, setting in ((settings.gateway.tls, TLS_SETTING), (settings.rpc.tls, RPC_TLS_SETTING)):
        if files is None:
            continue
        try:
            pair = read_pair(files, setting)
        except ConfigError as error:
            yield from refused("certificates", error)
            continue
        said = f"{setting}: {files.certificate_file} is valid until {pair.not_after:%Y-%m-%d}"
        if pair.not_after - now < RENEW_WITHIN:
            yield note("certificates", said, "renew it (certbot renew); the node takes it over by itself")
        else:
            yield well("certificates", said)
    authority = settings.rpc.tls.client_ca_file if settings.rpc.tls else None
    if authority is not None:
        try:
            read_authority(authority, f"{RPC_TLS_SETTING}.client_ca_file")
        except ConfigError as error:
            yield from refused("certificates", error)


def _places(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    missing = [path for path in settings.geoip.city_databases if not os.access(path, os.R_OK)]
    for path in missing:
        yield note("places", f"{path} cannot be read", "see GEOIP_CITY_DB")
    if not settings.geoip.city_databases:
        yield note("places", "no database: country and city stay empty", "make geoip, or set GEOIP_CITY_DB")
    elif not missing:
        yield well("places", ", ".join(map(str, settings.geoip.city_databases)))


def _traces(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    if not settings.traces.endpoint:
        return
    try:
        check_traces(settings.traces)
    except ConfigError as error:
        yield from refused("traces", error)
        return
    said = f"{settings.traces.endpoint}: "
    with grpc.insecure_channel(settings.traces.address) as channel:
        try:
            export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
            export(b"", timeout=EXPORT_SECONDS)
        except grpc.RpcError as error:
            if error.code().name == "UNIMPLEMENTED":  # another service
                yield note("traces", f"{said}takes no spans", "name the collector's port of OTLP over gRPC, often 4317")
            else:
                why = f"{said}{error.code().name}, {error.details()}: spans are lost, events are not"
                yield note("traces", why, "start the collector, or see traces.endpoint")
        else:
            yield well("traces", f"{said}takes spans, of {settings.traces.sample_ratio:.2%} of calls")


INSTALLATION: Final[Sequence[Check]] = (_sites, _certificates, _places, _traces)
