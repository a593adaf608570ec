"""Generates code from proto/: `python tools/generate.py`. Each buf.gen*.yaml says what it makes. Beside these:

gateway/qrumb.binpb is Envoy's descriptor set: the contract, the error details, and the methods that take the bodies of
events unread (json_methods.py); the Java client's build generates its code from
clients/java/src/main/protobuf/contract.binpb, and the compiled way's from server/hotpath/messages.binpb;
docs/openapi.yaml is what the plugin makes, completed by openapi.py; the pages of PAGES come from the server's own
tables, each by the program beside its name.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDERS: Final = ("clients/python/qrumb/v1", "clients/python/buf", "clients/go/qrumbv1", "server/qrumb_server/wire")
PAGES: Final = {"docs/errors.md": "errors.py", "docs/settings.md": "settings.py"}
TYPESCRIPT: Final = ROOT / "clients/typescript"
# Envoy renders an error detail only if its type is in the set; an unknown one makes the reply's body empty.
ERROR_DETAILS: Final = "third_party/google/rpc/error_details.proto"
# Imported for their options alone, which a Java program would have to link.
OPTIONS_ONLY: Final = {"buf/validate/validate.proto", "google/api/annotations.proto", "qrumb/v1/options.proto"}
# What the compiled way reads and writes; with what these import.
COMPILED: Final = ("proto/qrumb/v1/browser_event.proto", "proto/qrumb_server/wire/v1/record.proto")


def buf(*arguments: str) -> bytes:
    """Run buf with the plugins of this environment, or stop."""
    environment = {**os.environ, "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["buf", *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=False)
    return done.stdout if done.returncode == 0 else sys.exit("buf failed; is third_party/ there? (make setup-dev)")


def descriptors(*paths: str, comments: bool) -> FileDescriptorSet:
    """The files below `paths` and what they import."""
    options = [f"--path={path}" for path in paths] + ([] if comments else ["--exclude-source-info"])
    return FileDescriptorSet.FromString(buf("build", "--as-file-descriptor-set", *options, "-o", "-"))


def for_java() -> bytes:
    """The contract without custom options, each file in a Java package.

    Custom options are unknown fields as long as nothing has imported their code.
    """
    contract = descriptors("proto/qrumb", comments=True)
    contract.DiscardUnknownFields()
    for file in (kept := [file for file in contract.file if file.name not in OPTIONS_ONLY]):
        file.dependency[:] = [name for name in file.dependency if name not in OPTIONS_ONLY]
        if file.package == "qrumb.v1":
            file.options.java_package = "dev.qrumb.v1"
            file.options.java_multiple_files = True
    return FileDescriptorSet(file=kept).SerializeToString()


def for_rust() -> bytes:
    """Events, receipts and the spool's records, without custom options."""
    messages = descriptors(*COMPILED, comments=False)
    messages.DiscardUnknownFields()
    for file in (kept := [file for file in messages.file if file.name not in OPTIONS_ONLY]):
        file.dependency[:] = [name for name in file.dependency if name not in OPTIONS_ONLY]
    return FileDescriptorSet(file=kept).SerializeToString()


def main() -> None:
    """Replace what was generated before."""
    for folder in FOLDERS:
        shutil.rmtree(ROOT / folder)
    for template in ("buf.gen.yaml", "buf.gen.wire.yaml", "buf.gen.go.yaml"):
        buf("generate", "--template", template)
    for stub in [path for folder in FOLDERS for path in (ROOT / folder).rglob("*_pb2_grpc.pyi")]:
        if not stub.with_suffix(".py").exists():
            stub.unlink()  # mypy_grpc writes one for a file without a service too
    (ROOT / "clients/java/src/main/protobuf/contract.binpb").write_bytes(for_java())
    (ROOT / "server/hotpath/messages.binpb").write_bytes(for_rust())
    contract = descriptors("proto/qrumb", ERROR_DETAILS, comments=False)
    # These import the options' code, which was only now generated.
    from json_methods import with_json_methods
    from openapi import complete

    (ROOT / "gateway/qrumb.binpb").write_bytes(with_json_methods(contract).SerializeToString())
    document = ROOT / "docs/openapi.yaml"
    text = complete(document.read_text(encoding="utf-8"), contract.SerializeToString())
    document.write_text(text, encoding="utf-8")
    for page, program in PAGES.items():  # each in a process of its own, which imports what was generated above
        made = subprocess.run([sys.executable, ROOT / "tools" / program], stdout=subprocess.PIPE, check=True)
        (ROOT / page).write_bytes(made.stdout)
    if shutil.which("npm") is None:
        print("clients/typescript/src/gen is left as it is: there is no npm")
        return
    if not (TYPESCRIPT / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=TYPESCRIPT, check=True)
    buf("generate", "--clean", "--template", "buf.gen.typescript.yaml")


if __name__ == "__main__":
    main()
