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

class ServerEvent(_message.Message):
    __slots__ = ("site_id", "event_id", "event_time", "scan_session_id", "consent", "event_name", "user_identifiers", "conversion_value", "properties", "client_ip", "user_agent")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_NAME_FIELD_NUMBER: _ClassVar[int]
    USER_IDENTIFIERS_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_VALUE_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    CLIENT_IP_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    event_id: str
    event_time: _timestamp_pb2.Timestamp
    scan_session_id: str
    consent: _consent_pb2.Consent.State
    event_name: str
    user_identifiers: UserIdentifiers
    conversion_value: ConversionValue
    properties: _struct_pb2.Struct
    client_ip: str
    user_agent: str
    def __init__(self, site_id: _Optional[str] = ..., event_id: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scan_session_id: _Optional[str] = ..., consent: _Optional[_Union[_consent_pb2.Consent.State, str]] = ..., event_name: _Optional[str] = ..., user_identifiers: _Optional[_Union[UserIdentifiers, _Mapping]] = ..., conversion_value: _Optional[_Union[ConversionValue, _Mapping]] = ..., properties: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., client_ip: _Optional[str] = ..., user_agent: _Optional[str] = ...) -> None: ...

class UserIdentifiers(_message.Message):
    __slots__ = ("email_hash", "phone_hash", "external_id")
    EMAIL_HASH_FIELD_NUMBER: _ClassVar[int]
    PHONE_HASH_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    email_hash: str
    phone_hash: str
    external_id: str
    def __init__(self, email_hash: _Optional[str] = ..., phone_hash: _Optional[str] = ..., external_id: _Optional[str] = ...) -> None: ...

class ConversionValue(_message.Message):
    __slots__ = ("amount", "currency")
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    amount: float
    currency: str
    def __init__(self, amount: _Optional[float] = ..., currency: _Optional[str] = ...) -> None: ...
