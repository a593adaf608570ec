from qrumb.v1 import event_row_pb2 as _event_row_pb2
from qrumb.v1 import receipt_pb2 as _receipt_pb2
from qrumb.v1 import scan_session_pb2 as _scan_session_pb2
from qrumb.v1 import server_event_pb2 as _server_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Record(_message.Message):
    __slots__ = ("accepted_event", "dead_letter", "session_registration", "registration_refusal", "traceparent")
    ACCEPTED_EVENT_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_FIELD_NUMBER: _ClassVar[int]
    SESSION_REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_REFUSAL_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    accepted_event: AcceptedEvent
    dead_letter: DeadLetter
    session_registration: SessionRegistration
    registration_refusal: RegistrationRefusal
    traceparent: str
    def __init__(self, accepted_event: _Optional[_Union[AcceptedEvent, _Mapping]] = ..., dead_letter: _Optional[_Union[DeadLetter, _Mapping]] = ..., session_registration: _Optional[_Union[SessionRegistration, _Mapping]] = ..., registration_refusal: _Optional[_Union[RegistrationRefusal, _Mapping]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class AcceptedEvent(_message.Message):
    __slots__ = ("row", "user_identifiers", "ip_key", "event_id_generated", "retried")
    ROW_FIELD_NUMBER: _ClassVar[int]
    USER_IDENTIFIERS_FIELD_NUMBER: _ClassVar[int]
    IP_KEY_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_GENERATED_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    row: _event_row_pb2.EventRow
    user_identifiers: _server_event_pb2.UserIdentifiers
    ip_key: str
    event_id_generated: bool
    retried: bool
    def __init__(self, row: _Optional[_Union[_event_row_pb2.EventRow, _Mapping]] = ..., user_identifiers: _Optional[_Union[_server_event_pb2.UserIdentifiers, _Mapping]] = ..., ip_key: _Optional[str] = ..., event_id_generated: _Optional[bool] = ..., retried: _Optional[bool] = ...) -> None: ...

class SessionRegistration(_message.Message):
    __slots__ = ("scan_session", "received_time_ms", "facts")
    SCAN_SESSION_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    scan_session: _scan_session_pb2.ScanSession
    received_time_ms: int
    facts: ScanFacts
    def __init__(self, scan_session: _Optional[_Union[_scan_session_pb2.ScanSession, _Mapping]] = ..., received_time_ms: _Optional[int] = ..., facts: _Optional[_Union[ScanFacts, _Mapping]] = ...) -> None: ...

class ScanFacts(_message.Message):
    __slots__ = ("consent", "device_type", "browser_family", "os_family", "country_code", "city", "labels", "fraud_reasons", "ip_key")
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TYPE_FIELD_NUMBER: _ClassVar[int]
    BROWSER_FAMILY_FIELD_NUMBER: _ClassVar[int]
    OS_FAMILY_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    FRAUD_REASONS_FIELD_NUMBER: _ClassVar[int]
    IP_KEY_FIELD_NUMBER: _ClassVar[int]
    consent: str
    device_type: str
    browser_family: str
    os_family: str
    country_code: str
    city: str
    labels: str
    fraud_reasons: _containers.RepeatedScalarFieldContainer[str]
    ip_key: str
    def __init__(self, consent: _Optional[str] = ..., device_type: _Optional[str] = ..., browser_family: _Optional[str] = ..., os_family: _Optional[str] = ..., country_code: _Optional[str] = ..., city: _Optional[str] = ..., labels: _Optional[str] = ..., fraud_reasons: _Optional[_Iterable[str]] = ..., ip_key: _Optional[str] = ...) -> None: ...

class RegistrationRefusal(_message.Message):
    __slots__ = ("site_id", "received_time_ms", "number")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    received_time_ms: int
    number: int
    def __init__(self, site_id: _Optional[str] = ..., received_time_ms: _Optional[int] = ..., number: _Optional[int] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("site_id", "event_id", "source", "received_time_ms", "violations", "payload")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    event_id: str
    source: str
    received_time_ms: int
    violations: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.Violation]
    payload: str
    def __init__(self, site_id: _Optional[str] = ..., event_id: _Optional[str] = ..., source: _Optional[str] = ..., received_time_ms: _Optional[int] = ..., violations: _Optional[_Iterable[_Union[_receipt_pb2.Violation, _Mapping]]] = ..., payload: _Optional[str] = ...) -> None: ...
