"""A plugin for `buf generate`: gRPC stubs for Python, whose generator grpcio-tools has inside its protoc only."""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc


def main() -> None:
    """Answer the request on standard input; files without a service are left out."""
    request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    wanted = [file.name for file in request.proto_file if file.service and file.name in request.file_to_generate]
    answer = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    with tempfile.TemporaryDirectory() as scratch:
        descriptors = Path(scratch, "request.binpb")
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        out = Path(scratch, "out")
        out.mkdir()
        if wanted and protoc.main(["", f"--descriptor_set_in={descriptors}", f"--grpc_python_out={out}", *wanted]) != 0:
            sys.exit("protoc failed for the gRPC stubs")
        for path in sorted(out.rglob("*.py")):
            answer.file.add(name=str(path.relative_to(out)), content=path.read_text(encoding="utf-8"))
    sys.stdout.buffer.write(answer.SerializeToString())


if __name__ == "__main__":
    main()
