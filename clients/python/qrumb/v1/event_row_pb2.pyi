import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrumb.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventRow(_message.Message):
    __slots__ = ("event_id", "event_time", "received_time", "site_id", "scan_session_id", "qr_code_id", "user_id", "event_type", "event_name", "source", "page_url", "referrer", "device_type", "browser_family", "os_family", "country_code", "city", "conversion_value", "conversion_currency", "metadata", "is_duplicate", "is_fraud", "page_title", "consent", "fraud_reasons", "client_event_time", "fingerprint", "user_id_source", "is_counterpart", "unknown_fields")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_FIELD_NUMBER: _ClassVar[int]
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    QR_CODE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_NAME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PAGE_URL_FIELD_NUMBER: _ClassVar[int]
    REFERRER_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TYPE_FIELD_NUMBER: _ClassVar[int]
    BROWSER_FAMILY_FIELD_NUMBER: _ClassVar[int]
    OS_FAMILY_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_VALUE_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    IS_DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    IS_FRAUD_FIELD_NUMBER: _ClassVar[int]
    PAGE_TITLE_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    FRAUD_REASONS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_SOURCE_FIELD_NUMBER: _ClassVar[int]
    IS_COUNTERPART_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELDS_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    event_time: _timestamp_pb2.Timestamp
    received_time: _timestamp_pb2.Timestamp
    site_id: str
    scan_session_id: str
    qr_code_id: str
    user_id: str
    event_type: str
    event_name: str
    source: str
    page_url: str
    referrer: str
    device_type: str
    browser_family: str
    os_family: str
    country_code: str
    city: str
    conversion_value: str
    conversion_currency: str
    metadata: str
    is_duplicate: int
    is_fraud: int
    page_title: str
    consent: str
    fraud_reasons: _containers.RepeatedScalarFieldContainer[str]
    client_event_time: _timestamp_pb2.Timestamp
    fingerprint: int
    user_id_source: str
    is_counterpart: int
    unknown_fields: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, event_id: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., received_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., site_id: _Optional[str] = ..., scan_session_id: _Optional[str] = ..., qr_code_id: _Optional[str] = ..., user_id: _Optional[str] = ..., event_type: _Optional[str] = ..., event_name: _Optional[str] = ..., source: _Optional[str] = ..., page_url: _Optional[str] = ..., referrer: _Optional[str] = ..., device_type: _Optional[str] = ..., browser_family: _Optional[str] = ..., os_family: _Optional[str] = ..., country_code: _Optional[str] = ..., city: _Optional[str] = ..., conversion_value: _Optional[str] = ..., conversion_currency: _Optional[str] = ..., metadata: _Optional[str] = ..., is_duplicate: _Optional[int] = ..., is_fraud: _Optional[int] = ..., page_title: _Optional[str] = ..., consent: _Optional[str] = ..., fraud_reasons: _Optional[_Iterable[str]] = ..., client_event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., fingerprint: _Optional[int] = ..., user_id_source: _Optional[str] = ..., is_counterpart: _Optional[int] = ..., unknown_fields: _Optional[_Iterable[str]] = ...) -> None: ...
