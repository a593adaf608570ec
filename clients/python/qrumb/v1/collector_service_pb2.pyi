import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import httpbody_pb2 as _httpbody_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrumb.v1 import browser_event_pb2 as _browser_event_pb2
from qrumb.v1 import consent_pb2 as _consent_pb2
from qrumb.v1 import event_row_pb2 as _event_row_pb2
from qrumb.v1 import receipt_pb2 as _receipt_pb2
from qrumb.v1 import server_event_pb2 as _server_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CollectBrowserEventRequest(_message.Message):
    __slots__ = ("event", "validate_only")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    event: _browser_event_pb2.BrowserEvent
    validate_only: bool
    def __init__(self, event: _Optional[_Union[_browser_event_pb2.BrowserEvent, _Mapping]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class CollectBrowserEventResponse(_message.Message):
    __slots__ = ("receipt", "row", "is_incomplete")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    IS_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    receipt: _receipt_pb2.EventReceipt
    row: _event_row_pb2.EventRow
    is_incomplete: bool
    def __init__(self, receipt: _Optional[_Union[_receipt_pb2.EventReceipt, _Mapping]] = ..., row: _Optional[_Union[_event_row_pb2.EventRow, _Mapping]] = ..., is_incomplete: _Optional[bool] = ...) -> None: ...

class BatchCollectBrowserEventsRequest(_message.Message):
    __slots__ = ("events", "validate_only")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_browser_event_pb2.BrowserEvent]
    validate_only: bool
    def __init__(self, events: _Optional[_Iterable[_Union[_browser_event_pb2.BrowserEvent, _Mapping]]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class BatchCollectBrowserEventsResponse(_message.Message):
    __slots__ = ("receipts", "rows", "is_incomplete")
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    IS_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    receipts: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.EventReceipt]
    rows: _containers.RepeatedCompositeFieldContainer[_event_row_pb2.EventRow]
    is_incomplete: bool
    def __init__(self, receipts: _Optional[_Iterable[_Union[_receipt_pb2.EventReceipt, _Mapping]]] = ..., rows: _Optional[_Iterable[_Union[_event_row_pb2.EventRow, _Mapping]]] = ..., is_incomplete: _Optional[bool] = ...) -> None: ...

class CollectServerEventRequest(_message.Message):
    __slots__ = ("event", "validate_only")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    event: _server_event_pb2.ServerEvent
    validate_only: bool
    def __init__(self, event: _Optional[_Union[_server_event_pb2.ServerEvent, _Mapping]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class CollectServerEventResponse(_message.Message):
    __slots__ = ("receipt", "row", "is_incomplete")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    IS_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    receipt: _receipt_pb2.EventReceipt
    row: _event_row_pb2.EventRow
    is_incomplete: bool
    def __init__(self, receipt: _Optional[_Union[_receipt_pb2.EventReceipt, _Mapping]] = ..., row: _Optional[_Union[_event_row_pb2.EventRow, _Mapping]] = ..., is_incomplete: _Optional[bool] = ...) -> None: ...

class BatchCollectServerEventsRequest(_message.Message):
    __slots__ = ("events", "validate_only")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_server_event_pb2.ServerEvent]
    validate_only: bool
    def __init__(self, events: _Optional[_Iterable[_Union[_server_event_pb2.ServerEvent, _Mapping]]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class BatchCollectServerEventsResponse(_message.Message):
    __slots__ = ("receipts", "rows", "is_incomplete")
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    IS_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    receipts: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.EventReceipt]
    rows: _containers.RepeatedCompositeFieldContainer[_event_row_pb2.EventRow]
    is_incomplete: bool
    def __init__(self, receipts: _Optional[_Iterable[_Union[_receipt_pb2.EventReceipt, _Mapping]]] = ..., rows: _Optional[_Iterable[_Union[_event_row_pb2.EventRow, _Mapping]]] = ..., is_incomplete: _Optional[bool] = ...) -> None: ...

class StreamServerEventsRequest(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _server_event_pb2.ServerEvent
    def __init__(self, event: _Optional[_Union[_server_event_pb2.ServerEvent, _Mapping]] = ...) -> None: ...

class StreamServerEventsResponse(_message.Message):
    __slots__ = ("receipts",)
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    receipts: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.EventReceipt]
    def __init__(self, receipts: _Optional[_Iterable[_Union[_receipt_pb2.EventReceipt, _Mapping]]] = ...) -> None: ...

class CollectPixelRequest(_message.Message):
    __slots__ = ("site_id", "event_id", "event_time", "scan_session_id", "consent", "event_type", "page_url", "page_title", "referrer")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAGE_URL_FIELD_NUMBER: _ClassVar[int]
    PAGE_TITLE_FIELD_NUMBER: _ClassVar[int]
    REFERRER_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    event_id: str
    event_time: _timestamp_pb2.Timestamp
    scan_session_id: str
    consent: _consent_pb2.Consent.State
    event_type: str
    page_url: str
    page_title: str
    referrer: str
    def __init__(self, site_id: _Optional[str] = ..., event_id: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scan_session_id: _Optional[str] = ..., consent: _Optional[_Union[_consent_pb2.Consent.State, str]] = ..., event_type: _Optional[str] = ..., page_url: _Optional[str] = ..., page_title: _Optional[str] = ..., referrer: _Optional[str] = ...) -> None: ...
