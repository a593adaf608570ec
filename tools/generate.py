"""Generates code from proto/: `python tools/generate.py [DIRECTORY]`; the default directory is the checkout.

| output | what |
| --- | --- |
| clients/python/qrumb/v1 | the contract's messages, type stubs and gRPC stubs |
| clients/python/buf/validate | the options that the contract's descriptors carry |
| clients/go/qrumbv1 | the contract's messages and gRPC stubs, without those options |
| clients/java/src/main/java/dev/qrumb/v1 | the same, where Maven is (else what is there stays) |
| server/qrumb_server/wire/v1 | what the processes of a node say to each other |
| gateway/qrumb.binpb | descriptor set for Envoy, with the error details in it |
| clients/typescript/src/gen | the contract and what it imports, where npm is (else what is there stays) |
| docs/openapi.yaml | the JSON endpoints, see openapi.py |
"""

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc
from maven import PLUGIN as JAVA_PLUGIN
from maven import PROTOC as JAVA_PROTOC

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = sorted(str(path.relative_to(ROOT / "proto")) for path in ROOT.glob("proto/qrumb/**/*.proto"))
INTERNAL = sorted(str(path.relative_to(ROOT / "proto")) for path in ROOT.glob("proto/qrumb_server/**/*.proto"))
VALIDATE = ["buf/validate/validate.proto"]
# Imported for their options alone, which a program would have to link: in Go, two copies of one file make it panic.
OPTIONS_ONLY = {"buf/validate/validate.proto", "google/api/annotations.proto"}
GO_MODULE = "github.com/qrumb/qrumb-go"
JAVA_PACKAGE = "dev.qrumb.v1"
# Envoy renders an error detail only if its type is in the set; an unknown one makes the reply's body empty.
ERROR_DETAILS = ["google/rpc/error_details.proto"]
INCLUDES = [f"-I{ROOT / 'proto'}", f"-I{ROOT / 'third_party'}", f"-I{files('grpc_tools') / '_proto'}"]


def run(*arguments: str) -> None:
    """Run protoc or stop."""
    if protoc.main(["protoc", *INCLUDES, *arguments]) != 0:
        sys.exit("protoc failed; is third_party/ there? (make setup-dev)")


def generate_python(out: Path, sources: list[str], *, services: bool) -> None:
    """Messages with stubs; for services the gRPC code and its type stubs too."""
    out.mkdir(parents=True, exist_ok=True)
    run(f"--python_out={out}", f"--pyi_out={out}", *sources)
    if services:
        plugin = Path(sysconfig.get_path("scripts")) / "protoc-gen-mypy_grpc"
        with_service = [name for name in sources if name.endswith("_service.proto")]
        run(
            f"--plugin=protoc-gen-mypy_grpc={plugin}",
            f"--grpc_python_out={out}",
            f"--mypy_grpc_out=quiet:{out}",
            *with_service,
        )


def without_options() -> FileDescriptorSet:
    """The contract without its custom options, and without what defines them.

    These are unknown fields as long as nothing has imported their code, as generate_openapi does.
    """
    with tempfile.TemporaryDirectory() as scratch:
        descriptors = Path(scratch, "contract.binpb")
        run("--include_imports", "--include_source_info", f"--descriptor_set_out={descriptors}", *CONTRACT)
        found = FileDescriptorSet.FromString(descriptors.read_bytes())
    found.DiscardUnknownFields()
    for file in found.file:
        file.dependency[:] = [name for name in file.dependency if name not in OPTIONS_ONLY]
    return found


def generate_go(target: Path) -> None:
    """Messages and stubs, without the options of field rules and HTTP paths."""
    out = target / "clients" / "go"
    out.mkdir(parents=True, exist_ok=True)
    scripts = Path(sysconfig.get_path("scripts"))
    with tempfile.TemporaryDirectory() as scratch:
        descriptors = Path(scratch, "contract.binpb")
        descriptors.write_bytes(without_options().SerializeToString())
        options = [f"module={GO_MODULE}", *(f"M{name}={GO_MODULE}/qrumbv1" for name in CONTRACT)]
        arguments = [
            "protoc",
            f"--descriptor_set_in={descriptors}",
            f"--plugin=protoc-gen-go={scripts / 'protoc-gen-go'}",
            f"--plugin=protoc-gen-go-grpc={scripts / 'protoc-gen-go-grpc'}",
            f"--go_out={out}",
            f"--go-grpc_out={out}",
            *(f"--{plugin}_opt={option}" for plugin in ("go", "go-grpc") for option in options),
        ]
        if protoc.main([*arguments, *CONTRACT]) != 0:
            sys.exit("protoc failed for Go")


def generate_java(target: Path) -> bool:
    """As generate_go, by the protoc and the plugin that the pom pins; False where Maven has not fetched them."""
    if not JAVA_PROTOC.exists():
        return False
    found = without_options()
    for file in found.file:
        if file.name in CONTRACT:
            file.options.java_package = JAVA_PACKAGE
            file.options.java_multiple_files = True
    out = target / "clients/java/src/main/java"
    shutil.rmtree(out / JAVA_PACKAGE.replace(".", "/"), ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        descriptors = Path(scratch, "contract.binpb")
        descriptors.write_bytes(found.SerializeToString())
        command = [
            str(JAVA_PROTOC),
            f"--descriptor_set_in={descriptors}",
            f"--plugin={JAVA_PLUGIN}",
            f"--java_out={out}",
            f"--grpc-java_out=@generated=omit:{out}",
        ]
        subprocess.run([*command, *CONTRACT], check=True)
    return True


def generate_typescript(target: Path) -> bool:
    """The contract for clients/typescript, by the plugin that its package.json pins; False where npm is missing."""
    package = ROOT / "clients/typescript"
    plugin = package / "node_modules/.bin/protoc-gen-es"
    if not plugin.exists():
        if shutil.which("npm") is None:
            return False
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=package, check=True)
    out = target / "clients/typescript/src/gen"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    imports = [*VALIDATE, *ERROR_DETAILS, "google/api/annotations.proto", "google/api/http.proto"]
    run(
        f"--plugin=protoc-gen-es={plugin}",
        f"--es_out={out}",
        "--es_opt=target=ts,import_extension=js",
        *CONTRACT,
        *imports,
        "google/api/httpbody.proto",
    )
    return True


def generate_openapi(target: Path) -> None:
    """The JSON endpoints, out of the contract and its descriptor set."""
    from openapi import complete  # needs the options' code, which was only now generated

    plugin = Path(sysconfig.get_path("scripts")) / "protoc-gen-openapi"
    options = ["naming=proto", "fq_schema_naming=true", "enum_type=string", "default_response=false", "version=v1"]
    options += [f"M{name}=qrumb/go/{Path(name).parent}" for name in CONTRACT + VALIDATE]  # Go's, of no consequence
    with tempfile.TemporaryDirectory() as scratch:
        run(
            f"--plugin=protoc-gen-openapi={plugin}",
            f"--openapi_out={scratch}",
            f"--openapi_opt={','.join(options)}",
            *CONTRACT,
        )
        generated = Path(scratch, "openapi.yaml").read_text(encoding="utf-8")
    (target / "docs").mkdir(exist_ok=True)
    text = complete(generated, (target / "gateway" / "qrumb.binpb").read_bytes())
    (target / "docs" / "openapi.yaml").write_text(text, encoding="utf-8")


def main(target: Path) -> None:
    """Generate everything below `target`, replacing what was generated before."""
    for folder in (
        "clients/python/qrumb/v1",
        "clients/python/buf",
        "clients/go/qrumbv1",
        "server/qrumb_server/wire/v1",
    ):
        shutil.rmtree(target / folder, ignore_errors=True)
    generate_python(target / "clients/python", CONTRACT, services=True)
    generate_python(target / "clients/python", VALIDATE, services=False)
    generate_python(target / "server", INTERNAL, services=True)
    generate_go(target)
    if not generate_java(target):
        print("clients/java/src/main/java/dev/qrumb/v1 is left as it is: there is no Maven")
    (target / "gateway").mkdir(exist_ok=True)
    run(
        "--include_imports",
        f"--descriptor_set_out={target / 'gateway' / 'qrumb.binpb'}",
        *CONTRACT,
        *ERROR_DETAILS,
    )
    generate_openapi(target)
    if not generate_typescript(target):
        print("clients/typescript/src/gen is left as it is: there is no npm")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
