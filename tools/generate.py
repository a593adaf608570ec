"""Generates code from proto/: `python tools/generate.py`. Each buf.gen*.yaml says what it makes. Beside these:

descriptor_sets.py makes what the builds of the Java client and of the compiled way read, and Envoy's descriptor set, to
which json_methods.py adds the methods that take the bodies of events unread; docs/openapi.yaml is what the plugin
makes, completed by openapi.py; the pages of PAGES come from the server's own tables, each by the program beside its
name, and Grafana's dashboards from dashboards.py.
"""

import shutil
import subprocess
import sys
from typing import Final

from descriptor_sets import ROOT, buf, for_gateway, for_java, for_rust

FOLDERS: Final = ("clients/python/qrumb/v1", "clients/python/buf", "clients/go/qrumbv1", "server/qrumb_server/wire")
PAGES: Final = {f"docs/{name}.md": f"{name}.py" for name in ("commands", "contract", "errors", "settings", "tables")}
TYPESCRIPT: Final = ROOT / "clients/typescript"


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
    contract = for_gateway()
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
    subprocess.run([sys.executable, ROOT / "tools/dashboards.py"], check=True)
    if shutil.which("npm") is None:
        print("clients/typescript/src/gen is left as it is: there is no npm")
        return
    if not (TYPESCRIPT / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=TYPESCRIPT, check=True)
    buf("generate", "--clean", "--template", "buf.gen.typescript.yaml")


if __name__ == "__main__":
    main()
