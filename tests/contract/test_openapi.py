"""docs/openapi.yaml is a valid document, says what the contract says, and leaves out what has no JSON endpoint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import protovalidate
import pytest
import yaml
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import ParseDict
from jsonschema import Draft4Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.rpc.json_opening import JSON_KINDS
from qrumb_server.rpc.json_requests import JSON_REQUEST_SERVICE, JSON_REQUESTS

ROOT = Path(__file__).resolve().parent.parent.parent
REQUESTS = JSON_REQUEST_SERVICE.rpartition(".")[2]
ERRORS = {"400", "401", "403", "404", "405", "408", "413", "415", "429", "431", "500", "501", "503", "504"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return yaml.load((ROOT / "docs/openapi.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)


def rules() -> Iterator[tuple[str, str, str]]:
    """Path, HTTP method and operation of every google.api.http rule of the gateway's descriptor set."""
    files = FileDescriptorSet.FromString((ROOT / "gateway/qrumb.binpb").read_bytes())
    for package, service in [(file.package, service) for file in files.file for service in file.service]:
        if package != "qrumb.v1" and service.name != REQUESTS:
            continue
        for method in service.method:
            typed = JSON_REQUESTS.get(f"/{package}.{service.name}/{method.name}")
            owner = typed.split("/")[1].rpartition(".")[2] if typed else service.name
            rule = method.options.Extensions[annotations_pb2.http]
            if verb := rule.WhichOneof("pattern"):
                yield getattr(rule, verb), verb, f"{owner}_{method.name}"
            for number, other in enumerate(rule.additional_bindings, start=2):
                verb = other.WhichOneof("pattern")
                yield getattr(other, verb), verb, f"{owner}_{method.name}_{number}"


def test_is_a_valid_document(document: dict[str, Any]) -> None:
    OpenAPIV30SpecValidator(document).validate()


def test_has_the_paths_that_the_gateway_serves_and_no_others(document: dict[str, Any]) -> None:
    """One operation for each rule; a method without a rule, such as a stream, has none."""
    found = {
        (path, verb, operation["operationId"])
        for path, operations in document["paths"].items()
        for verb, operation in operations.items()
    }
    assert found == set(rules())
    assert len(found) > 15


def test_every_operation_says_how_it_fails(document: dict[str, Any]) -> None:
    """With google.rpc.Status; where a retry helps there is Retry-After."""
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["responses"].keys() == {"200"} | ERRORS
    for status, response in document["components"]["responses"].items():
        assert response["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}}
        assert ("Retry-After" in response.get("headers", {})) is (status in {"429", "503", "504"})


VALID: dict[str, dict[str, Any]] = {
    "BrowserEvent": {
        "site_id": "demo",
        "event_type": "pageview",
        "page_url": "https://shop.example/",
        "consent": "GRANTED",
        "metadata": {"a": [1]},
    },
    "ServerEvent": {"site_id": "demo", "scan_session_id": "s", "event_name": "lead"},
}
CHANGES = [
    ("BrowserEvent", {}),
    ("BrowserEvent", {"site_id": "a b"}),
    ("BrowserEvent", {"site_id": ""}),
    ("BrowserEvent", {"event_type": ""}),
    ("BrowserEvent", {"page_url": "shop.example"}),
    ("BrowserEvent", {"referrer": "/before"}),
    ("BrowserEvent", {"page_title": "x" * 1025}),
    ("BrowserEvent", {"device": {"screen_width": 100_001}}),
    ("ServerEvent", {}),
    ("ServerEvent", {"event_name": ""}),
    ("ServerEvent", {"conversion_value": {"amount": 1, "currency": "EUR"}}),
    ("ServerEvent", {"conversion_value": {"amount": 1, "currency": "eur"}}),
    ("ServerEvent", {"conversion_value": {"amount": 0, "currency": "EUR"}}),
    ("ServerEvent", {"conversion_value": {"amount": 1e13, "currency": "EUR"}}),
    ("ServerEvent", {"user_identifiers": {"email_hash": "0" * 63}}),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=str)
def test_schema_refuses_what_the_annotations_refuse(
    document: dict[str, Any], name: str, change: dict[str, Any]
) -> None:
    """The rules of the .proto are in the schemas, so a client made from them fails early."""
    event = VALID[name] | change
    message = ParseDict(event, {"BrowserEvent": BrowserEvent, "ServerEvent": ServerEvent}[name]())
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    is_valid = not protovalidate.collect_violations(message)
    assert Draft4Validator(schema).is_valid(event) is is_valid


def test_required_parameters_and_lists_are_required(document: dict[str, Any]) -> None:
    """A path's by nature, the pixel's two by the rules of BrowserEvent, a list by its least length."""
    pixel = document["paths"]["/collect.gif"]["get"]["parameters"]
    assert {parameter["name"] for parameter in pixel if parameter.get("required")} == {"site_id", "event_type"}
    assert document["components"]["schemas"]["BatchCollectBrowserEventsRequest"]["required"] == ["events"]


def test_enum_values_differ_by_more_than_case(document: dict[str, Any]) -> None:
    """Lower case is accepted too, but listing it breaks clients whose constants are made from the names."""
    values = document["components"]["schemas"]["BrowserEvent"]["properties"]["consent"]["enum"]
    assert values == ["CONSENT_UNSPECIFIED", "GRANTED", "DENIED", "PENDING"]


def test_the_gateway_reads_no_body_itself() -> None:
    """It would drop the members that it does not know. Events' and sessions' are read by it where a setting says so."""
    files = FileDescriptorSet.FromString((ROOT / "gateway/qrumb.binpb").read_bytes())
    messages = {f".{file.package}.{one.name}": one for file in files.file for one in file.message_type}
    unread = {kind.typed for kind in JSON_KINDS.values()} | JSON_KINDS.keys()
    derived = set()
    for package, service in [(file.package, service) for file in files.file for service in file.service]:
        for method in service.method:
            name = f"/{package}.{service.name}/{method.name}"
            body = method.options.Extensions[annotations_pb2.http].body
            if not body or name in unread:
                continue
            fields = {field.name: field for field in messages[method.input_type].field}
            assert fields[body].type_name == ".google.api.HttpBody", name
            if service.name == REQUESTS:
                derived.add(name)
                assert max(field.number for field in fields.values()) == fields[body].number
    assert derived == JSON_REQUESTS.keys()
