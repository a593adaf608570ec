from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from qrumb.v1 import server_event_pb2 as _server_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EraseSubjectRequest(_message.Message):
    __slots__ = ("site_id", "user_id", "user_identifiers", "scan_session_id", "validate_only")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_IDENTIFIERS_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    user_id: str
    user_identifiers: _server_event_pb2.UserIdentifiers
    scan_session_id: str
    validate_only: bool
    def __init__(self, site_id: _Optional[str] = ..., user_id: _Optional[str] = ..., user_identifiers: _Optional[_Union[_server_event_pb2.UserIdentifiers, _Mapping]] = ..., scan_session_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class EraseSubjectResponse(_message.Message):
    __slots__ = ("event_count", "rejected_event_count", "scan_session_count", "identity_count", "spooled_event_count", "user_ids", "shared_identifier_count", "shared_session_count", "erasure_id", "validate_only")
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_COUNT_FIELD_NUMBER: _ClassVar[int]
    SPOOLED_EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    SHARED_IDENTIFIER_COUNT_FIELD_NUMBER: _ClassVar[int]
    SHARED_SESSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    event_count: int
    rejected_event_count: int
    scan_session_count: int
    identity_count: int
    spooled_event_count: int
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    shared_identifier_count: int
    shared_session_count: int
    erasure_id: str
    validate_only: bool
    def __init__(self, event_count: _Optional[int] = ..., rejected_event_count: _Optional[int] = ..., scan_session_count: _Optional[int] = ..., identity_count: _Optional[int] = ..., spooled_event_count: _Optional[int] = ..., user_ids: _Optional[_Iterable[str]] = ..., shared_identifier_count: _Optional[int] = ..., shared_session_count: _Optional[int] = ..., erasure_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class ExportSubjectRequest(_message.Message):
    __slots__ = ("site_id", "user_id", "user_identifiers", "scan_session_id", "page_token")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_IDENTIFIERS_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    user_id: str
    user_identifiers: _server_event_pb2.UserIdentifiers
    scan_session_id: str
    page_token: str
    def __init__(self, site_id: _Optional[str] = ..., user_id: _Optional[str] = ..., user_identifiers: _Optional[_Union[_server_event_pb2.UserIdentifiers, _Mapping]] = ..., scan_session_id: _Optional[str] = ..., page_token: _Optional[str] = ...) -> None: ...

class ExportSubjectResponse(_message.Message):
    __slots__ = ("records", "next_page_token", "user_ids", "shared_identifier_count", "shared_session_count")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    SHARED_IDENTIFIER_COUNT_FIELD_NUMBER: _ClassVar[int]
    SHARED_SESSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[SubjectRecord]
    next_page_token: str
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    shared_identifier_count: int
    shared_session_count: int
    def __init__(self, records: _Optional[_Iterable[_Union[SubjectRecord, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., user_ids: _Optional[_Iterable[str]] = ..., shared_identifier_count: _Optional[int] = ..., shared_session_count: _Optional[int] = ...) -> None: ...

class SubjectRecord(_message.Message):
    __slots__ = ("table", "row")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    table: str
    row: str
    def __init__(self, table: _Optional[str] = ..., row: _Optional[str] = ...) -> None: ...
