"""Puts the imported .proto files into third_party/, so that buf and protoc work without a network.

google/api, google/rpc and google/type come out of the installed googleapis-common-protos. The one file
buf/validate/validate.proto is only in protovalidate's source archive, which `unearth` fetches without building.
Versions are those of constraints.txt; the archive's hash is checked.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from importlib.metadata import distribution, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "third_party"
GOOGLE_PACKAGES = ("google/api/", "google/rpc/", "google/type/")
VALIDATE_PROTO = "buf/validate/validate.proto"
# Of protovalidate-2.1.0.tar.gz. A new version of protovalidate in constraints.txt needs its hash here.
PROTOVALIDATE_SHA256 = "d2f66bd8c7e8c4929116ad598348e83d90bd718f0387f2307b34f83b1740f318"


def copy_google(target: Path) -> None:
    """Copy the Google API .proto files of the installed package."""
    package = distribution("googleapis-common-protos")
    for file in package.files or ():
        if file.suffix == ".proto" and str(file).startswith(GOOGLE_PACKAGES):
            destination = target / str(file)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(package.locate_file(file)), destination)


def fetch_validate(target: Path) -> None:
    """Fetch protovalidate's source archive from the configured package index and take the one file."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [str(Path(sysconfig.get_path("scripts")) / "unearth"), "--no-binary", "--download", scratch]
        if index := os.environ.get("PIP_INDEX_URL"):
            command += ["--index-url", index]
        subprocess.run([*command, f"protovalidate=={version('protovalidate')}"], check=True, stdout=subprocess.DEVNULL)
        archive = next(Path(scratch).glob("protovalidate-*.tar.gz"))
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != PROTOVALIDATE_SHA256:
            sys.exit(f"{archive.name} has SHA-256 {found}, expected {PROTOVALIDATE_SHA256}: see tools/third_party.py")
        with tarfile.open(archive) as tar:
            member = next(name for name in tar.getnames() if name.endswith(f"/{VALIDATE_PROTO}"))
            content = tar.extractfile(member)
            assert content is not None
            destination = target / VALIDATE_PROTO
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_bytes(content.read())


def main() -> None:
    """Fill third_party/ anew; the old imports stay until the new ones are complete."""
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".third_party-") as scratch:
        copy_google(Path(scratch))
        fetch_validate(Path(scratch))
        for fresh in sorted(Path(scratch).iterdir()):
            shutil.rmtree(TARGET / fresh.name, ignore_errors=True)
            fresh.rename(TARGET / fresh.name)


if __name__ == "__main__":
    main()
