import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrumb.v1 import consent_pb2 as _consent_pb2
from qrumb.v1 import device_pb2 as _device_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BrowserEvent(_message.Message):
    __slots__ = ("site_id", "event_id", "event_time", "scan_session_id", "consent", "event_type", "page_url", "page_title", "referrer", "device", "metadata")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAGE_URL_FIELD_NUMBER: _ClassVar[int]
    PAGE_TITLE_FIELD_NUMBER: _ClassVar[int]
    REFERRER_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    event_id: str
    event_time: _timestamp_pb2.Timestamp
    scan_session_id: str
    consent: _consent_pb2.Consent.State
    event_type: str
    page_url: str
    page_title: str
    referrer: str
    device: _device_pb2.Device
    metadata: _struct_pb2.Struct
    def __init__(self, site_id: _Optional[str] = ..., event_id: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scan_session_id: _Optional[str] = ..., consent: _Optional[_Union[_consent_pb2.Consent.State, str]] = ..., event_type: _Optional[str] = ..., page_url: _Optional[str] = ..., page_title: _Optional[str] = ..., referrer: _Optional[str] = ..., device: _Optional[_Union[_device_pb2.Device, _Mapping]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
