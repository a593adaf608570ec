"""Certificates for tests, of an authority of their own."""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

__all__ = ["Authority", "Files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A certificate and its key on the disk."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Issues certificates into a folder."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def certificate(self) -> Path:
        """Its own certificate, for those who are to trust it."""
        path = self.folder / f"authority-{id(self)}.pem"
        if not path.exists():
            self.ca.cert_pem.write_to_path(str(path))
        return path

    def trusting(self) -> ssl.SSLContext:
        """For clients that trust this authority alone."""
        context = ssl.create_default_context(cafile=self.certificate)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def issue(self, name: str, *names: str, days: float = 1) -> Files:
        """Write `name.pem` and `name.key`, for 127.0.0.1 and localhost or for the given names; over old ones, if any.

        Args:
            days: until it expires; negative: that long ago.
        """
        # trustme's certificates begin in the year 2000.
        expires = datetime.now(UTC) + timedelta(days=days)
        leaf = self.ca.issue_cert(*(names or ("127.0.0.1", "localhost")), not_after=expires)
        files = Files(certificate=self.folder / f"{name}.pem", key=self.folder / f"{name}.key")
        files.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        files.key.write_bytes(leaf.private_key_pem.bytes())
        return files
