"""A node with TLS: announced, served, and followed through a renewal as certbot makes it."""

import re
import ssl
from pathlib import Path

import httpx
import pytest

from tests.support import stack as stacks
from tests.support.certificates import Authority, Files
from tests.support.patience import patient
from tests.support.stack import running_stack, wait_until

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def https_is_ready_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "READY", re.compile(r"^ready: (https?://\S+) grpcs?://(\S+)$", re.MULTILINE))


def served_serial(url: str, trusting: ssl.SSLContext) -> str:
    """Of the certificate that a new connection is shown."""
    with httpx.Client(verify=trusting, timeout=patient(20)) as client, client.stream("GET", f"{url}/healthz") as reply:
        stream = reply.extensions["network_stream"]
        return str(stream.get_extra_info("ssl_object").getpeercert()["serialNumber"])


def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    """certbot takes the links away and sets them anew, one after the other; a half-done renewal changes nothing."""
    authority = Authority(tmp_path)
    first, second, stranger = (authority.issue(name) for name in ("first", "second", "stranger"))
    links = Files(certificate=tmp_path / "fullchain.pem", key=tmp_path / "privkey.pem")
    links.certificate.symlink_to(first.certificate)
    links.key.symlink_to(first.key)
    settings = {
        "QRUMB_GATEWAY__TLS__CERTIFICATE_FILE": str(links.certificate),
        "QRUMB_GATEWAY__TLS__KEY_FILE": str(links.key),
        "QRUMB_GATEWAY__HTTP3": "true",
        "QRUMB_WORKERS": "1",
    }
    with running_stack(tmp_path / "data", **settings) as stack:
        assert stack.url.startswith("https://")
        trusting = authority.trusting()
        with httpx.Client(base_url=stack.url, verify=trusting, timeout=patient(20)) as old:
            assert old.post("/collect", json={"site_id": "demo", "event_type": "click"}).status_code == 200
            before = served_serial(stack.url, trusting)
            links.certificate.unlink()
            links.certificate.symlink_to(stranger.certificate)  # not this key's
            wait_until(lambda: "they do not belong together" in stack.log())
            assert served_serial(stack.url, trusting) == before
            links.certificate.unlink()
            links.certificate.symlink_to(second.certificate)
            links.key.unlink()
            links.key.symlink_to(second.key)
            wait_until(lambda: served_serial(stack.url, trusting) != before)
            assert old.get("/healthz").status_code == 200
        leaked = [
            path for path in (tmp_path / "data" / "run").iterdir() if path.stat().st_mode & 0o077 and path.is_file()
        ]
        assert leaked == [], "the key's copy must be the owner's alone"
        assert stack.stop() == 0
