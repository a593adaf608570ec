from qrumb.v1 import query_service_pb2 as _query_service_pb2
from qrumb.v1 import receipt_pb2 as _receipt_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchRequest(_message.Message):
    __slots__ = ("site_id", "is_test")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    IS_TEST_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    is_test: bool
    def __init__(self, site_id: _Optional[str] = ..., is_test: _Optional[bool] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("verdicts", "waiting", "tests")
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    TESTS_FIELD_NUMBER: _ClassVar[int]
    verdicts: _containers.RepeatedCompositeFieldContainer[WatchVerdict]
    waiting: _containers.RepeatedCompositeFieldContainer[WatchMessage]
    tests: _containers.RepeatedCompositeFieldContainer[WatchMessage]
    def __init__(self, verdicts: _Optional[_Iterable[_Union[WatchVerdict, _Mapping]]] = ..., waiting: _Optional[_Iterable[_Union[WatchMessage, _Mapping]]] = ..., tests: _Optional[_Iterable[_Union[WatchMessage, _Mapping]]] = ...) -> None: ...

class WatchVerdict(_message.Message):
    __slots__ = ("site_id", "rule", "qr_code_id", "state", "text", "began_time_ms")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    QR_CODE_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BEGAN_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    rule: str
    qr_code_id: str
    state: str
    text: str
    began_time_ms: int
    def __init__(self, site_id: _Optional[str] = ..., rule: _Optional[str] = ..., qr_code_id: _Optional[str] = ..., state: _Optional[str] = ..., text: _Optional[str] = ..., began_time_ms: _Optional[int] = ...) -> None: ...

class WatchMessage(_message.Message):
    __slots__ = ("site_id", "id", "tries", "failure", "made_time_ms")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    MADE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    id: str
    tries: int
    failure: str
    made_time_ms: int
    def __init__(self, site_id: _Optional[str] = ..., id: _Optional[str] = ..., tries: _Optional[int] = ..., failure: _Optional[str] = ..., made_time_ms: _Optional[int] = ...) -> None: ...

class VerifyLedgerRequest(_message.Message):
    __slots__ = ("site_id", "since_time_ms")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    since_time_ms: int
    def __init__(self, site_id: _Optional[str] = ..., since_time_ms: _Optional[int] = ...) -> None: ...

class VerifyLedgerResponse(_message.Message):
    __slots__ = ("differences", "difference_count")
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    differences: _containers.RepeatedCompositeFieldContainer[LedgerDifference]
    difference_count: int
    def __init__(self, differences: _Optional[_Iterable[_Union[LedgerDifference, _Mapping]]] = ..., difference_count: _Optional[int] = ...) -> None: ...

class LedgerDifference(_message.Message):
    __slots__ = ("site_id", "minute_time_ms", "stored_count", "stored_rows", "rejected_count", "rejected_rows", "registered_count", "session_rows", "lost_session_count")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    MINUTE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    STORED_COUNT_FIELD_NUMBER: _ClassVar[int]
    STORED_ROWS_FIELD_NUMBER: _ClassVar[int]
    REJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_ROWS_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ROWS_FIELD_NUMBER: _ClassVar[int]
    LOST_SESSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    minute_time_ms: int
    stored_count: int
    stored_rows: int
    rejected_count: int
    rejected_rows: int
    registered_count: int
    session_rows: int
    lost_session_count: int
    def __init__(self, site_id: _Optional[str] = ..., minute_time_ms: _Optional[int] = ..., stored_count: _Optional[int] = ..., stored_rows: _Optional[int] = ..., rejected_count: _Optional[int] = ..., rejected_rows: _Optional[int] = ..., registered_count: _Optional[int] = ..., session_rows: _Optional[int] = ..., lost_session_count: _Optional[int] = ...) -> None: ...

class ListRejectedRequest(_message.Message):
    __slots__ = ("selection",)
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    selection: _query_service_pb2.ListRejectedEventsRequest
    def __init__(self, selection: _Optional[_Union[_query_service_pb2.ListRejectedEventsRequest, _Mapping]] = ...) -> None: ...

class ListRejectedResponse(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: _query_service_pb2.ListRejectedEventsResponse
    def __init__(self, page: _Optional[_Union[_query_service_pb2.ListRejectedEventsResponse, _Mapping]] = ...) -> None: ...

class ReplayRequest(_message.Message):
    __slots__ = ("site_id", "reason", "since_time_ms", "event_id", "validate_only")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    reason: _receipt_pb2.Violation.Reason
    since_time_ms: int
    event_id: str
    validate_only: bool
    def __init__(self, site_id: _Optional[str] = ..., reason: _Optional[_Union[_receipt_pb2.Violation.Reason, str]] = ..., since_time_ms: _Optional[int] = ..., event_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class ReplayResponse(_message.Message):
    __slots__ = ("accepted_count", "rejected_count", "unreadable_count")
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    accepted_count: int
    rejected_count: int
    unreadable_count: int
    def __init__(self, accepted_count: _Optional[int] = ..., rejected_count: _Optional[int] = ..., unreadable_count: _Optional[int] = ...) -> None: ...

class RescoreRequest(_message.Message):
    __slots__ = ("site_id", "since_time_ms")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    since_time_ms: int
    def __init__(self, site_id: _Optional[str] = ..., since_time_ms: _Optional[int] = ...) -> None: ...

class RescoreResponse(_message.Message):
    __slots__ = ("examined_count", "changed_count", "examined_scan_count", "changed_scan_count")
    EXAMINED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXAMINED_SCAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_SCAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    examined_count: int
    changed_count: int
    examined_scan_count: int
    changed_scan_count: int
    def __init__(self, examined_count: _Optional[int] = ..., changed_count: _Optional[int] = ..., examined_scan_count: _Optional[int] = ..., changed_scan_count: _Optional[int] = ...) -> None: ...

class SplitIdentifierRequest(_message.Message):
    __slots__ = ("site_id", "kind", "name", "is_undone")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_UNDONE_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    kind: _query_service_pb2.SuspiciousIdentifier.Kind
    name: str
    is_undone: bool
    def __init__(self, site_id: _Optional[str] = ..., kind: _Optional[_Union[_query_service_pb2.SuspiciousIdentifier.Kind, str]] = ..., name: _Optional[str] = ..., is_undone: _Optional[bool] = ...) -> None: ...

class SplitIdentifierResponse(_message.Message):
    __slots__ = ("identifier_count",)
    IDENTIFIER_COUNT_FIELD_NUMBER: _ClassVar[int]
    identifier_count: int
    def __init__(self, identifier_count: _Optional[int] = ...) -> None: ...

class BackupRequest(_message.Message):
    __slots__ = ("folder",)
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    folder: str
    def __init__(self, folder: _Optional[str] = ...) -> None: ...

class BackupResponse(_message.Message):
    __slots__ = ("row_counts",)
    class RowCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ROW_COUNTS_FIELD_NUMBER: _ClassVar[int]
    row_counts: _containers.ScalarMap[str, int]
    def __init__(self, row_counts: _Optional[_Mapping[str, int]] = ...) -> None: ...
