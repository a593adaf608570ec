import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrumb.v1 import receipt_pb2 as _receipt_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReplayRejectedEventsRequest(_message.Message):
    __slots__ = ("site_id", "reason", "since_time", "event_id", "validate_only")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    reason: _receipt_pb2.Violation.Reason
    since_time: _timestamp_pb2.Timestamp
    event_id: str
    validate_only: bool
    def __init__(self, site_id: _Optional[str] = ..., reason: _Optional[_Union[_receipt_pb2.Violation.Reason, str]] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class ReplayRejectedEventsResponse(_message.Message):
    __slots__ = ("accepted_count", "rejected_count", "unreadable_count")
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    accepted_count: int
    rejected_count: int
    unreadable_count: int
    def __init__(self, accepted_count: _Optional[int] = ..., rejected_count: _Optional[int] = ..., unreadable_count: _Optional[int] = ...) -> None: ...
