from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from qrumb.v1 import receipt_pb2 as _receipt_pb2
from qrumb.v1 import scan_session_pb2 as _scan_session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterScanSessionRequest(_message.Message):
    __slots__ = ("scan_session",)
    SCAN_SESSION_FIELD_NUMBER: _ClassVar[int]
    scan_session: _scan_session_pb2.ScanSession
    def __init__(self, scan_session: _Optional[_Union[_scan_session_pb2.ScanSession, _Mapping]] = ...) -> None: ...

class RegisterScanSessionResponse(_message.Message):
    __slots__ = ("scan_session", "warnings")
    SCAN_SESSION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    scan_session: _scan_session_pb2.ScanSession
    warnings: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.EventWarning]
    def __init__(self, scan_session: _Optional[_Union[_scan_session_pb2.ScanSession, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[_receipt_pb2.EventWarning, _Mapping]]] = ...) -> None: ...

class BatchRegisterScanSessionsRequest(_message.Message):
    __slots__ = ("scan_sessions",)
    SCAN_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    scan_sessions: _containers.RepeatedCompositeFieldContainer[_scan_session_pb2.ScanSession]
    def __init__(self, scan_sessions: _Optional[_Iterable[_Union[_scan_session_pb2.ScanSession, _Mapping]]] = ...) -> None: ...

class BatchRegisterScanSessionsResponse(_message.Message):
    __slots__ = ("scan_sessions", "warnings")
    SCAN_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    scan_sessions: _containers.RepeatedCompositeFieldContainer[_scan_session_pb2.ScanSession]
    warnings: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.EventWarning]
    def __init__(self, scan_sessions: _Optional[_Iterable[_Union[_scan_session_pb2.ScanSession, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[_receipt_pb2.EventWarning, _Mapping]]] = ...) -> None: ...

class GetScanSessionRequest(_message.Message):
    __slots__ = ("site_id", "scan_session_id")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    scan_session_id: str
    def __init__(self, site_id: _Optional[str] = ..., scan_session_id: _Optional[str] = ...) -> None: ...

class GetScanSessionResponse(_message.Message):
    __slots__ = ("scan_session", "verdict")
    SCAN_SESSION_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    scan_session: _scan_session_pb2.ScanSession
    verdict: ScanVerdict
    def __init__(self, scan_session: _Optional[_Union[_scan_session_pb2.ScanSession, _Mapping]] = ..., verdict: _Optional[_Union[ScanVerdict, _Mapping]] = ...) -> None: ...

class ScanVerdict(_message.Message):
    __slots__ = ("device_type", "browser_family", "os_family", "country_code", "city", "consent", "fraud_reasons", "is_confirmed", "is_suspect")
    DEVICE_TYPE_FIELD_NUMBER: _ClassVar[int]
    BROWSER_FAMILY_FIELD_NUMBER: _ClassVar[int]
    OS_FAMILY_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    FRAUD_REASONS_FIELD_NUMBER: _ClassVar[int]
    IS_CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    IS_SUSPECT_FIELD_NUMBER: _ClassVar[int]
    device_type: str
    browser_family: str
    os_family: str
    country_code: str
    city: str
    consent: str
    fraud_reasons: _containers.RepeatedScalarFieldContainer[str]
    is_confirmed: bool
    is_suspect: bool
    def __init__(self, device_type: _Optional[str] = ..., browser_family: _Optional[str] = ..., os_family: _Optional[str] = ..., country_code: _Optional[str] = ..., city: _Optional[str] = ..., consent: _Optional[str] = ..., fraud_reasons: _Optional[_Iterable[str]] = ..., is_confirmed: _Optional[bool] = ..., is_suspect: _Optional[bool] = ...) -> None: ...
