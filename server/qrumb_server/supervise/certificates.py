"""Certificates and their keys: checked before they are used, and followed when they are renewed.

A pair is read as a whole and judged before anything is done with it. So a renewal that is half done, or done wrong, is
never served: the old pair is, until the new one is right.
"""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Final

import structlog

from qrumb_server.config import RpcTls, TlsFiles
from qrumb_server.errors import ConfigError

__all__ = [
    "RPC_TLS_SETTING",
    "TLS_SETTING",
    "Pair",
    "Use",
    "check_certificates",
    "read_authority",
    "read_pair",
    "renewals",
    "state_of",
]

log = structlog.get_logger()

# The groups of settings, for errors.
TLS_SETTING: Final = "gateway.tls"
RPC_TLS_SETTING: Final = "rpc.tls"
# How soon a renewed certificate is noticed. Looked at rather than watched: certbot replaces links, others rename
# folders or write over files, and each announces itself in another way.
LOOK_SECONDS: Final = 1.0
# OpenSSL's codes for a certificate's time.
NOT_YET_VALID: Final = 9
EXPIRED: Final = 10


class Use(Enum):
    """What a certificate has to prove its owner to be."""

    SERVER = "a server"
    CLIENT = "a client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate with those that lead to its authority, and its key; both PEM."""

    certificate: bytes
    key: bytes
    not_after: datetime = field(compare=False)
    """Until when the certificate is valid."""


def check_certificates(gateway: TlsFiles | None, rpc: RpcTls | None) -> None:
    """Raises ConfigError for every pair that cannot be used, all at once."""
    problems = []
    for check_one in (
        lambda: gateway and read_pair(gateway, TLS_SETTING),
        lambda: rpc and read_pair(rpc, RPC_TLS_SETTING),
        lambda: rpc and rpc.client_ca_file and read_authority(rpc.client_ca_file, f"{RPC_TLS_SETTING}.client_ca_file"),
    ):
        try:
            check_one()
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))


def read_pair(files: TlsFiles, setting: str, use: Use = Use.SERVER) -> Pair:
    """The pair in the files, if it can be used now.

    Args:
        setting: name of the group of settings, for the error.

    Raises:
        ConfigError: says which file, what is wrong with it and what to do.
    """
    certificate = _read(files.certificate_file, f"{setting}.certificate_file")
    key = _read(files.key_file, f"{setting}.key_file")
    where = f"{setting}: {files.certificate_file} with {files.key_file}"
    try:
        with _as_file(certificate) as certificate_path, _as_file(key) as key_path:
            not_after = _try_out(certificate, certificate_path, key_path, use)
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(f"{where}: {_mend(error, use)}") from error
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        fault = "they do not belong together" if "mismatch" in reason else f"not a certificate and its key ({reason})"
        raise ConfigError(
            f"{where}: {fault}; the first must hold the certificate and its chain, the other its private key, both PEM"
        ) from error
    except _PasswordAskedError as error:
        raise ConfigError(
            f"{where}: the key has a password, and a node cannot type it; take it off: "
            f"openssl pkey -in {files.key_file} -out KEY_FILE"
        ) from error
    return Pair(certificate=certificate, key=key, not_after=not_after)


def read_authority(path: Path, setting: str) -> bytes:
    """The certificates of authorities.

    Raises:
        ConfigError: there is none in the file.
    """
    content = _read(path, setting)
    try:
        with _as_file(content) as readable:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(readable)
    except ssl.SSLError as error:
        raise ConfigError(f"{path}: no certificate (PEM) in it; see {setting}") from error
    return content


def state_of(*paths: Path) -> tuple[tuple[int, ...], ...]:
    """Something that differs after the files were replaced or written to; what is not there is a state too."""
    found: list[tuple[int, ...]] = []
    for path in paths:
        try:
            seen = path.stat()
            found.append((seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size))
        except OSError as error:
            found.append((error.errno or 0,))
    return tuple(found)


async def renewals(files: TlsFiles, setting: str, use: Use = Use.SERVER) -> AsyncIterator[Pair]:
    """Each new pair in the files from now on; one that cannot be used is logged and left out."""
    paths = (files.certificate_file, files.key_file)
    known = state_of(*paths)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        state = state_of(*paths)
        if state == known:
            continue
        known = state
        try:
            pair = await asyncio.to_thread(read_pair, files, setting, use)
        except ConfigError as error:
            log.error("certificate_not_taken", error=str(error))
            continue
        log.info("certificate_renewed", setting=setting, file=str(files.certificate_file))
        yield pair


class _PasswordAskedError(Exception):
    """OpenSSL wants a password for the key."""


def _try_out(certificate: bytes, certificate_path: str, key_path: str, use: Use) -> datetime:
    """A handshake in memory, in which the certificate is its own authority: so its time and purpose are looked at.

    Returns until when it is valid.

    Raises:
        ssl.SSLError: it fails.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    for context in (server, client):
        context.load_cert_chain(certificate_path, key_path, _refuse_password)
    judge = client if use is Use.SERVER else server
    judge.load_verify_locations(cadata=_first(certificate))
    judge.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    judge.verify_mode = ssl.CERT_REQUIRED
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_side=False),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):  # more messages than a handshake has, one way each
        for side in sides:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    judged = sides[0 if judge is client else 1].getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(judged["notAfter"])), UTC)


def _refuse_password() -> bytes:
    raise _PasswordAskedError


def _first(chain: bytes) -> str:
    """The certificate itself, without those that lead to its authority."""
    end = "-----END CERTIFICATE-----"
    return chain.decode(errors="replace").partition(end)[0] + end + "\n"


def _mend(error: ssl.SSLCertVerificationError, use: Use) -> str:
    if error.verify_code == EXPIRED:
        return "the certificate has expired; renew it (certbot renew)"
    if error.verify_code == NOT_YET_VALID:
        return "the certificate is not valid yet; is this machine's clock right?"
    return f"the certificate cannot be used for {use.value}: {error.verify_message}; get one that can"


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; see {setting}, and let the user that runs qrumb read it"
        ) from error


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path for what takes nothing else, without a copy on a disk."""
    descriptor = os.memfd_create("qrumb-pem")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
