"""Bad configuration is refused at once, with every problem named."""

from pathlib import Path

import pytest

from qrumb_server.config import CONSOLE_FILES, DATA_CENTRE_ASNS, Settings, load_settings
from qrumb_server.config.groups import FETCHED_DATABASES
from qrumb_server.errors import ConfigError


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside."""
    monkeypatch.chdir(tmp_path)
    own = ("HTTP_PORT", "GRPC_PORT", "METRICS_PORT", "DATA_DIR", "QRUMB_WORKERS", "GEOIP_CITY_DB", "GEOIP_ASN_DB")
    for name in own:
        monkeypatch.delenv(name, raising=False)


def test_defaults_run_on_a_laptop(tmp_path: Path) -> None:
    """Loopback, the documented ports, data beside the caller."""
    settings = load_settings(environment={})
    assert (settings.http_host, settings.http_port, settings.grpc_port) == ("127.0.0.1", 8080, 9090)
    assert settings.data_dir == tmp_path / "data"


def test_environment_comes_before_the_file_and_options_before_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Option, environment, file, default."""
    file = tmp_path / "own.toml"
    file.write_text("http_port = 1\ngrpc_port = 2\n[spool]\nsegment_max_records = 7\n")
    monkeypatch.setenv("GRPC_PORT", "3")
    monkeypatch.setenv("QRUMB_LOADER__BATCH_MAX_EVENTS", "5")
    settings = load_settings(file=file, environment={}, http_port=4)
    assert (settings.http_port, settings.grpc_port) == (4, 3)
    assert settings.spool.segment_max_records == 7
    assert settings.loader.batch_max_events == 5


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A typo in the file, a wrong value in the environment and an unknown variable, in one go."""
    file = tmp_path / "own.toml"
    file.write_text("http_prot = 1\n[spool]\nmax_byte = 7\n")
    monkeypatch.setenv("GRPC_PORT", "many")
    with pytest.raises(ConfigError) as refused:
        load_settings(file=file, environment={"QRUMB_HTTP_PROT": "1"})
    text = str(refused.value)
    for part in ("http_prot", "spool.max_byte", "grpc_port", "QRUMB_HTTP_PROT", "no such setting", "many"):
        assert part.lower() in text.lower(), text


def test_what_the_guides_export_for_programs_is_no_unknown_setting() -> None:
    """They export it in the shell in which qrumb's commands are run next."""
    exported = {"QRUMB_KEY", "QRUMB_URL", "QRUMB_SESSION_SECRET", "QRUMB_SPOOL_DIR"}
    load_settings(environment=dict.fromkeys(exported, "1"))


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ({"HTTP_PORT": "eight"}, "http_port (HTTP_PORT in the environment): "),
        ({"QRUMB_HTTP_PORT": "eight", "HTTP_PORT": "8"}, "http_port (QRUMB_HTTP_PORT in the environment): "),
        ({"METRICS_PORT": "nine"}, "metrics.port (METRICS_PORT in the environment): "),
        ({"QRUMB_SPOOL__MAX_BYTES": "x"}, "spool.max_bytes (QRUMB_SPOOL__MAX_BYTES in the environment): "),
        ({"QRUMB_SPOOL": '{"max_bytes": "x"}'}, "spool.max_bytes (QRUMB_SPOOL in the environment): "),
    ],
)
def test_a_wrong_value_is_laid_to_its_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: dict[str, str], text: str
) -> None:
    """The variable that was set, else the option, else the file."""
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "own.toml"
    file.write_text("grpc_port = 'ten'\n")
    with pytest.raises(ConfigError) as refused:
        load_settings(file=file, environment={}, workers="none")
    assert text in str(refused.value)
    assert f"grpc_port (in {file}): " in str(refused.value)
    assert "workers (an option): " in str(refused.value)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"HTTP_PORT": "9090"}, "grpc_port and http_port are both 9090"),
        ({"METRICS_PORT": "8080", "QRUMB_METRICS__HOST": "0.0.0.0"}, "http_port and metrics.port are both 8080"),
        ({"QRUMB_SPOOL__SEAL_AFTER": "5m"}, 'should be a duration, such as "PT20S"'),
        (
            {"QRUMB_GATEWAY__UPSTREAM": "node-1:9090"},
            "QRUMB_GATEWAY__UPSTREAM in the environment: lists are written as JSON",
        ),
    ],
)
def test_what_cannot_be_meant_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], text: str
) -> None:
    """Two settings that name one port would let Envoy take what is the workers'."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load_settings(environment={})
    assert text in str(refused.value)


def test_equal_ports_of_what_does_not_meet_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another address, of any free one, and of what is not served."""
    for name, value in {"QRUMB_GRPC_HOST": "192.0.2.1", "GRPC_PORT": "8080", "QRUMB_METRICS__ENABLED": "false"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("METRICS_PORT", "8080")
    assert load_settings(environment={}).grpc_port == 8080
    for name in ("GRPC_PORT", "METRICS_PORT", "HTTP_PORT"):
        monkeypatch.setenv(name, "0")
    assert load_settings(environment={}).http_port == 0


def test_a_password_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an address that is refused."""
    monkeypatch.setenv("QRUMB_TRACES__ENDPOINT", "http://me:secret@collector:4317")
    with pytest.raises(ConfigError, match="must be http://HOST:PORT") as refused:
        load_settings(environment={})
    assert "secret" not in str(refused.value)


def test_broken_toml_names_file_and_line(tmp_path: Path) -> None:
    """Not a traceback."""
    file = tmp_path / "own.toml"
    file.write_text("http_port = = 1\n")
    with pytest.raises(ConfigError, match=r"own\.toml: not valid TOML.*line 1"):
        load_settings(file=file, environment={})


def test_missing_file_is_said(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_settings(file=tmp_path / "none.toml", environment={})


def test_databases_of_places_are_those_of_the_set_up_where_they_are_there() -> None:
    """And none of networks."""
    geoip = load_settings(environment={}).geoip
    assert geoip.city_databases == tuple(sorted(FETCHED_DATABASES.glob("*city*.mmdb")))
    assert geoip.asn_databases == ()


def test_plain_variables_name_databases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Relative ones from where the node was started; a file that is not there is no error here."""
    monkeypatch.setenv("GEOIP_CITY_DB", "v4.mmdb, /srv/v6.mmdb,")
    monkeypatch.setenv("GEOIP_ASN_DB", "asn.mmdb")
    geoip = load_settings(environment={}).geoip
    assert geoip.city_databases == (tmp_path / "v4.mmdb", Path("/srv/v6.mmdb"))
    assert geoip.asn_databases == (tmp_path / "asn.mmdb",)


def test_an_empty_variable_stands_for_no_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where the file names some."""
    file = tmp_path / "own.toml"
    file.write_text('[geoip]\ncity_databases = ["a.mmdb"]\nasn_database = "b.mmdb"\n')
    assert load_settings(file=file, environment={}).geoip.city_databases == (tmp_path / "a.mmdb",)
    monkeypatch.setenv("GEOIP_CITY_DB", "")
    monkeypatch.setenv("GEOIP_ASN_DB", "")
    geoip = load_settings(file=file, environment={}).geoip
    assert (geoip.city_databases, geoip.asn_databases) == ((), ())


def test_an_empty_variable_is_no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the working folder, with spool/ and run/ among somebody's files."""
    monkeypatch.setenv("DATA_DIR", "")
    with pytest.raises(ConfigError, match=r"(?i)data_dir.*is empty; name a folder, or leave it out for \./data"):
        load_settings(environment={})


def test_the_prefixed_variable_comes_before_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it does not name stays as the plain one says."""
    monkeypatch.setenv("GEOIP_CITY_DB", "/plain/city.mmdb")
    monkeypatch.setenv("GEOIP_ASN_DB", "/plain/asn.mmdb")
    monkeypatch.setenv("QRUMB_GEOIP__CITY_DATABASES", '["/prefixed/city.mmdb"]')
    geoip = load_settings(environment={}).geoip
    assert geoip.city_databases == (Path("/prefixed/city.mmdb"),)
    assert geoip.asn_database == Path("/plain/asn.mmdb")


def test_paths_of_browser_events_can_be_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment with commas between."""
    assert load_settings(environment={}).gateway.collect_paths == ("/collect",)
    monkeypatch.setenv("COLLECT_PATHS", "/e, /a.b/C_d-1")
    assert load_settings(environment={}).gateway.collect_paths == ("/e", "/a.b/C_d-1")


@pytest.mark.parametrize(
    "paths",
    [
        *("e", "/", "/e/", "//e", "/a//b", "/a*", "/a|b", "/{x}", "/a:b", "/a%20", "/ä", "/..", "/a/./b", "/e?x=1"),
        *("/v1/sites", "/healthz", "/server-events", "/validate/x", "/qrumb.v1.CollectorService/X", "/e" * 33),
        *("/e,/e", "/e,/e/batch", "/e,/e.gif"),
    ],
)
def test_paths_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch, paths: str) -> None:
    """Whatever would be no route, another route, or more than itself."""
    monkeypatch.setenv("COLLECT_PATHS", paths)
    with pytest.raises(ConfigError, match=r"gateway.collect_paths.*paths? of browser events"):
        load_settings(environment={})


def test_tls_takes_both_files_and_http3_takes_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Relative ones from where the node was started."""
    monkeypatch.setenv("QRUMB_GATEWAY__TLS__CERTIFICATE_FILE", "c.pem")
    with pytest.raises(ConfigError, match=r"gateway.tls.key_file.*Field required"):
        load_settings(environment={})
    monkeypatch.setenv("QRUMB_GATEWAY__TLS__KEY_FILE", "/srv/k.pem")
    tls = load_settings(environment={}).gateway.tls
    assert tls is not None
    assert (tls.certificate_file, tls.key_file) == (tmp_path / "c.pem", Path("/srv/k.pem"))
    monkeypatch.delenv("QRUMB_GATEWAY__TLS__CERTIFICATE_FILE")
    monkeypatch.delenv("QRUMB_GATEWAY__TLS__KEY_FILE")
    monkeypatch.setenv("QRUMB_GATEWAY__HTTP3", "true")
    with pytest.raises(ConfigError, match=r"gateway .*http3 needs tls"):
        load_settings(environment={})


def test_gateways_are_believed_only_where_certificates_are_asked_for(tmp_path: Path) -> None:
    """Else a name would prove nothing."""
    file = tmp_path / "own.toml"
    file.write_text('[rpc.tls]\ncertificate_file = "c"\nkey_file = "k"\ngateway_names = ["gateway.example"]\n')
    with pytest.raises(ConfigError, match=r"rpc.tls .*gateway_names needs client_ca_file"):
        load_settings(file=file, environment={})


@pytest.mark.parametrize("upstream", ["node", "http://node:9090", "node:port", "::1:9090"])
def test_nodes_are_host_and_port(monkeypatch: pytest.MonkeyPatch, upstream: str) -> None:
    """As gateway-config needs them."""
    monkeypatch.setenv("QRUMB_GATEWAY__UPSTREAM", f'["{upstream}"]')
    with pytest.raises(ConfigError, match=r"gateway.upstream.0"):
        load_settings(environment={})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("TRUSTED_HOPS", "-1"), ("REQUESTS_PER_SECOND", "0"), ("REQUEST_BURST", "many"), ("MAX_CONNECTIONS", "0")],
        *[("MAX_HEAP_BYTES", "1000"), ("HEADER_TIMEOUT", "0"), ("IDLE_TIMEOUT", "soon")],
    ],
)
def test_limits_of_the_gateway_that_cannot_be_meant_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """With the setting's name."""
    monkeypatch.setenv(f"QRUMB_GATEWAY__{name}", value)
    with pytest.raises(ConfigError, match=f"gateway.{name.lower()}"):
        load_settings(environment={})


def test_data_centres_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the well-known ones, not in their place."""
    monkeypatch.setenv("QRUMB_GEOIP__DATA_CENTRE_ASNS", "[64500]")
    assert load_settings(environment={}).geoip.all_data_centre_asns == {*DATA_CENTRE_ASNS, 64500}


def test_problems_of_the_databases_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A typo, and a number that is none."""
    file = tmp_path / "own.toml"
    file.write_text("[geoip]\ncity_database = 'a.mmdb'\ndata_centre_asns = [0]\n")
    with pytest.raises(ConfigError) as refused:
        load_settings(file=file, environment={})
    assert "geoip.city_database " in str(refused.value)
    assert "geoip.data_centre_asns.0" in str(refused.value)
    monkeypatch.setenv("QRUMB_GEOIP__CITY_DATABASES", "a.mmdb,b.mmdb")
    with pytest.raises(ConfigError, match=r"QRUMB_GEOIP__CITY_DATABASES in the environment: lists are written as JSON"):
        load_settings(environment={})


def test_a_process_of_the_node_has_the_settings_of_its_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its folder is and its environment says."""
    monkeypatch.setenv("GEOIP_CITY_DB", "v4.mmdb")
    settings = load_settings(environment={})
    monkeypatch.setenv("GEOIP_ASN_DB", "other.mmdb")
    monkeypatch.chdir("/")
    child = Settings.model_validate_json(settings.model_dump_json())
    assert child.model_dump() == settings.model_dump()


def test_a_site_keeps_rows_as_long_as_it_says_and_no_longer_than_the_tables(tmp_path: Path) -> None:
    """What is not stated for a site is as for all; more than the tables' 400 days is refused."""
    file = tmp_path / "qrumb.toml"
    file.write_text('[site]\nretention = "P90D"\n')
    sites = tmp_path / "sites.toml"
    sites.write_text('[shop]\nretention = "P30D"\n[blog]\n')
    policy = load_settings(file=file, environment={}, data_dir=tmp_path).open_sites().policy
    assert [policy(site).retention_ms // 86_400_000 for site in ("shop", "blog", "other")] == [30, 90, 90]
    sites.write_text('[shop]\nretention = "P401D"\n')
    with pytest.raises(ConfigError, match=r"sites\.toml: shop\.retention"):
        load_settings(file=file, environment={}, data_dir=tmp_path).open_sites()


def test_the_console_is_served_where_it_is_whole_and_wanted(tmp_path: Path) -> None:
    """A build that broke off leaves a node without one, and no gateway that cannot start."""
    for name in CONSOLE_FILES.values():
        assert load_settings(environment={}, console_dir=tmp_path).console_files is None
        (tmp_path / name).touch()
    assert load_settings(environment={}, console_dir=tmp_path).console_files == tmp_path
    assert load_settings(environment={}, console_dir=tmp_path, console=False).console_files is None
