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
    __slots__ = ("scan_session",)
    SCAN_SESSION_FIELD_NUMBER: _ClassVar[int]
    scan_session: _scan_session_pb2.ScanSession
    def __init__(self, scan_session: _Optional[_Union[_scan_session_pb2.ScanSession, _Mapping]] = ...) -> None: ...
