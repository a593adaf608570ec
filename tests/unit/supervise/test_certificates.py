"""A certificate that cannot be served is refused with its file, its fault and how to fix it."""

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qrumb_server.config import TlsFiles
from qrumb_server.errors import ConfigError
from qrumb_server.supervise import certificates
from qrumb_server.supervise.certificates import Pair, Use, read_pair, renewals
from tests.support.certificates import Authority, Files
from tests.support.patience import patient


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def as_settings(files: Files) -> TlsFiles:
    return TlsFiles(certificate_file=files.certificate, key_file=files.key)


@pytest.mark.parametrize("use", list(Use))
def test_a_good_pair_is_read_as_it_is(authority: Authority, use: Use) -> None:
    files = authority.issue("good")
    found = read_pair(as_settings(files), "gateway.tls", use)
    assert (found.certificate, found.key) == (files.certificate.read_bytes(), files.key.read_bytes())
    assert timedelta(hours=20) < found.not_after - datetime.now(UTC) < timedelta(hours=28)


def break_pair(authority: Authority, fault: str) -> Files:
    """A pair with one fault."""
    files = authority.issue("faulty", days=-1 if fault == "expired" else 1)
    if fault == "missing":
        files.certificate.unlink()
    elif fault == "another's key":
        files.key.write_bytes(authority.issue("other").key.read_bytes())
    elif fault == "no certificate":
        files.certificate.write_text("hello")
    elif fault == "empty key":
        files.key.write_text("")
    elif fault == "password":
        command = [
            "openssl",
            "pkey",
            "-aes256",
            "-passout",
            "pass:x",
            "-in",
            str(files.key),
            "-out",
            f"{files.key}.locked",
        ]
        subprocess.run(command, check=True, capture_output=True)
        Path(f"{files.key}.locked").rename(files.key)
    return files


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", r"faulty.pem: cannot be read: No such file or directory; see gateway.tls.certificate_file"),
        ("another's key", r"gateway.tls: .*faulty.pem with .*faulty.key: they do not belong together"),
        ("expired", r"gateway.tls: .*faulty.pem .*: the certificate has expired; renew it"),
        ("no certificate", r"gateway.tls: .*not a certificate and its key"),
        ("empty key", r"gateway.tls: .*not a certificate and its key"),
        ("password", r"gateway.tls: .*the key has a password.*openssl pkey -in"),
    ],
)
def test_each_fault_has_its_words(authority: Authority, fault: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_pair(as_settings(break_pair(authority, fault)), "gateway.tls")


async def test_a_renewal_is_seen_once_it_is_whole(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As certbot does it: a link is taken away and set again, first the one, then the other."""
    monkeypatch.setattr(certificates, "LOOK_SECONDS", 0.01)
    first, second = authority.issue("1"), authority.issue("2")
    links = Files(certificate=tmp_path / "fullchain.pem", key=tmp_path / "privkey.pem")
    links.certificate.symlink_to(first.certificate)
    links.key.symlink_to(first.key)
    seen: list[Pair] = []

    async def follow() -> None:
        async for pair in renewals(as_settings(links), "gateway.tls"):
            seen.append(pair)  # noqa: PERF401  (it has no end)

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.1)
    for link, target in [(links.certificate, second.certificate), (links.key, second.key)]:
        link.unlink()
        await asyncio.sleep(0.1)
        assert not seen, "half a renewal"
        link.symlink_to(target)
        await asyncio.sleep(0.1)
    async with asyncio.timeout(patient(20)):
        while not seen:
            await asyncio.sleep(0.01)
    assert [pair.certificate for pair in seen] == [second.certificate.read_bytes()]
    following.cancel()
