"""The body of an erasure, an export or a replay: read whole, or refused with each member that was not."""

import pytest
from google.protobuf.message import Message

from qrumb.v1.privacy_service_pb2 import EraseSubjectRequest, ExportSubjectRequest
from qrumb.v1.receipt_pb2 import Violation
from qrumb.v1.replay_service_pb2 import ReplayRejectedEventsRequest
from qrumb_server.reading.request import read_request

ERASE = EraseSubjectRequest(site_id="demo")
EXPORT = ExportSubjectRequest(site_id="demo")
REPLAY = ReplayRejectedEventsRequest(site_id="demo")
DRY = EraseSubjectRequest(site_id="demo", validate_only=True)
BY_HASH = EraseSubjectRequest(site_id="demo", user_identifiers={"email_hash": "e"})


@pytest.mark.parametrize(
    ("stated", "text", "expected"),
    [
        (ERASE, "", ERASE),
        (ERASE, "{}", ERASE),
        (ERASE, '{"site_id": "demo", "validateOnly": true, "user_id": null}', DRY),
        (DRY, '{"user_identifiers": {}}', EraseSubjectRequest(site_id="demo", validate_only=True, user_identifiers={})),
        (
            BY_HASH,
            '{"userIdentifiers": {"externalId": "x", "email_hash": "e"}}',
            EraseSubjectRequest(site_id="demo", user_identifiers={"email_hash": "e", "external_id": "x"}),
        ),
        (EXPORT, '{"page_token": "t"}', ExportSubjectRequest(site_id="demo", page_token="t")),
        (
            REPLAY,
            '{"reason": "too-large", "sinceTime": "1970-01-01T01:00:01+01:00"}',
            ReplayRejectedEventsRequest(site_id="demo", reason=Violation.TOO_LARGE, since_time={"seconds": 1}),
        ),
        (REPLAY, '{"reason": 14}', ReplayRejectedEventsRequest(site_id="demo", reason=Violation.TOO_LARGE)),
    ],
)
def test_what_fits_is_read_beside_what_the_address_says(stated: Message, text: str, expected: Message) -> None:
    request = type(stated).FromString(stated.SerializeToString())
    assert not read_request(text.encode(), request)
    assert request == expected


@pytest.mark.parametrize(
    ("stated", "text", "found"),
    [
        (ERASE, '{"user_id": "bob", "validate_onyl": true}', [("validate_onyl", "UNKNOWN_FIELD", "`validate_only`")]),
        (
            ERASE,
            '{"user_identifers": {"email_hash": "e"}}',
            [("user_identifers", "UNKNOWN_FIELD", "`user_identifiers`")],
        ),
        (
            ERASE,
            '{"user_identifiers": {"email_hahs": 1}, "usr_id": "bob"}',
            [
                ("user_identifiers.email_hahs", "UNKNOWN_FIELD", "`email_hash`"),
                ("usr_id", "UNKNOWN_FIELD", "`user_id`"),
            ],
        ),
        (ERASE, '{"user_id": "a", "zzz": {"user_id": "b"}}', [("zzz", "UNKNOWN_FIELD", "there are site_id, user_id,")]),
        (ERASE, '{"bob@shop.example": 1}', [("<key 1>", "UNKNOWN_FIELD", "there are")]),
        # A member of events' calls, which the reader of events passes over.
        (EXPORT, '{"user_id": "bob", "validate_only": true}', [("validate_only", "UNKNOWN_FIELD", "page_token")]),
        (ERASE, '{"user_id": "a", "user_id": "b"}', [("user_id", "DUPLICATE_KEY", "twice")]),
        (ERASE, '{"user_id": "a", "userId": "a"}', [("user_id", "DUPLICATE_KEY", "twice")]),
        (ERASE, '{"validate_only": 1}', [("validate_only", "INVALID_JSON", "true or false")]),
        (ERASE, '{"user_id": 7}', [("user_id", "INVALID_JSON", "a string")]),
        (ERASE, '{"user_identifiers": "bob"}', [("user_identifiers", "INVALID_JSON", "an object")]),
        (ERASE, '{"site_id": "other"}', [("site_id", "DUPLICATE_KEY", "address")]),
        (DRY, '{"validate_only": false}', [("validate_only", "DUPLICATE_KEY", "address")]),
        (
            BY_HASH,
            '{"user_identifiers": {"email_hash": "f"}}',
            [("user_identifiers.email_hash", "DUPLICATE_KEY", "address")],
        ),
        (REPLAY, '{"reason": "nonsense"}', [("reason", "INVALID_ENUM", "must be one of")]),
        (REPLAY, '{"reason": 77}', [("reason", "INVALID_ENUM", "must be one of")]),
        (REPLAY, '{"since_time": 1790000000}', [("since_time", "INVALID_JSON", "2026-11-01T10:20:30Z")]),
        (REPLAY, "[]", [("", "INVALID_JSON", "not a JSON object")]),
        (REPLAY, "null", [("", "INVALID_JSON", "not a JSON object")]),
        (REPLAY, " ", [("", "INVALID_JSON", "is empty")]),
        (REPLAY, '{"event_id": "e",}', [("", "INVALID_JSON", "byte 17")]),
    ],
)
def test_what_does_not_fit_is_named(stated: Message, text: str, found: list[tuple[str, str, str]]) -> None:
    """With its place, its kind, and words that help."""
    request = type(stated).FromString(stated.SerializeToString())
    violations = read_request(text.encode(), request)
    told = [(one.field, Violation.Reason.Name(one.reason)) for one in violations]
    assert told == [(path, reason) for path, reason, _words in found]
    for one, (_path, _reason, words) in zip(violations, found, strict=True):
        assert words in one.description


def test_many_faults_make_a_small_answer() -> None:
    text = "{" + ",".join(f'"{"x" * 60}{number}":1' for number in range(5_000)) + "}"
    violations = read_request(text.encode(), EraseSubjectRequest())
    assert sum(one.ByteSize() for one in violations) < 8_000
