"""Bad configuration is refused at once, with every problem named."""

from pathlib import Path

import pytest

from qrumb_server.config import load_settings
from qrumb_server.errors import ConfigError


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PORT", "GRPC_PORT", "DATA_DIR", "QRUMB_WORKERS"):
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
