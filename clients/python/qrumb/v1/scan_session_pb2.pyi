import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrumb.v1 import consent_pb2 as _consent_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScanSession(_message.Message):
    __slots__ = ("site_id", "scan_session_id", "qr_code_id", "scan_time", "user_id", "consent", "client_ip", "user_agent", "client_hints", "request_method", "is_prefetch", "referrer", "landing_page_url", "labels")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    QR_CODE_ID_FIELD_NUMBER: _ClassVar[int]
    SCAN_TIME_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_IP_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_HINTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_METHOD_FIELD_NUMBER: _ClassVar[int]
    IS_PREFETCH_FIELD_NUMBER: _ClassVar[int]
    REFERRER_FIELD_NUMBER: _ClassVar[int]
    LANDING_PAGE_URL_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    scan_session_id: str
    qr_code_id: str
    scan_time: _timestamp_pb2.Timestamp
    user_id: str
    consent: _consent_pb2.Consent.State
    client_ip: str
    user_agent: str
    client_hints: ClientHints
    request_method: str
    is_prefetch: bool
    referrer: str
    landing_page_url: str
    labels: _struct_pb2.Struct
    def __init__(self, site_id: _Optional[str] = ..., scan_session_id: _Optional[str] = ..., qr_code_id: _Optional[str] = ..., scan_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., user_id: _Optional[str] = ..., consent: _Optional[_Union[_consent_pb2.Consent.State, str]] = ..., client_ip: _Optional[str] = ..., user_agent: _Optional[str] = ..., client_hints: _Optional[_Union[ClientHints, _Mapping]] = ..., request_method: _Optional[str] = ..., is_prefetch: _Optional[bool] = ..., referrer: _Optional[str] = ..., landing_page_url: _Optional[str] = ..., labels: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ClientHints(_message.Message):
    __slots__ = ("brands", "mobile", "platform")
    BRANDS_FIELD_NUMBER: _ClassVar[int]
    MOBILE_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    brands: str
    mobile: str
    platform: str
    def __init__(self, brands: _Optional[str] = ..., mobile: _Optional[str] = ..., platform: _Optional[str] = ...) -> None: ...
