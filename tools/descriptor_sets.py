"""Sets of descriptors that other builds read, each made of the contract by buf."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

__all__ = ["ROOT", "buf", "for_gateway", "for_java", "for_page", "for_rust"]

ROOT: Final = Path(__file__).resolve().parent.parent
# Envoy renders an error detail only if its type is in the set; an unknown one makes the reply's body empty.
ERROR_DETAILS: Final = "third_party/google/rpc/error_details.proto"
# Imported for their options alone, which a program would have to link.
OPTIONS_ONLY: Final = {"buf/validate/validate.proto", "google/api/annotations.proto", "qrumb/v1/options.proto"}
# What the compiled way reads and writes; with what these import.
COMPILED: Final = ("proto/qrumb/v1/browser_event.proto", "proto/qrumb_server/wire/v1/record.proto")


def buf(*arguments: str) -> bytes:
    """Run buf with the plugins of this environment, or stop."""
    environment = {**os.environ, "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["buf", *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=False)
    return done.stdout if done.returncode == 0 else sys.exit("buf failed; is third_party/ there? (make setup-dev)")


def for_gateway() -> FileDescriptorSet:
    """The contract and the error details, with the options that Envoy reads."""
    return _descriptors("proto/qrumb", ERROR_DETAILS, comments=False)


def for_java() -> bytes:
    """The contract, each file in a Java package."""
    contract = _without_options(_descriptors("proto/qrumb", comments=True))
    for file in contract.file:
        if file.package == "qrumb.v1":
            file.options.java_package = "dev.qrumb.v1"
            file.options.java_multiple_files = True
    return contract.SerializeToString()


def for_rust() -> bytes:
    """Events, receipts and the spool's records."""
    return _without_options(_descriptors(*COMPILED, comments=False)).SerializeToString()


def for_page() -> FileDescriptorSet:
    """The contract with its comments and the options that say its paths."""
    return _descriptors("proto/qrumb", comments=True)


def _descriptors(*paths: str, comments: bool) -> FileDescriptorSet:
    """The files below `paths` and what they import."""
    options = [f"--path={path}" for path in paths] + ([] if comments else ["--exclude-source-info"])
    return FileDescriptorSet.FromString(buf("build", "--as-file-descriptor-set", *options, "-o", "-"))


def _without_options(files: FileDescriptorSet) -> FileDescriptorSet:
    """The same without custom options: they are unknown fields as long as nothing has imported their code."""
    files.DiscardUnknownFields()
    for file in (kept := [file for file in files.file if file.name not in OPTIONS_ONLY]):
        file.dependency[:] = [name for name in file.dependency if name not in OPTIONS_ONLY]
    return FileDescriptorSet(file=kept)
