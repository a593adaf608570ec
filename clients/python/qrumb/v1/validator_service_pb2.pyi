from google.api import annotations_pb2 as _annotations_pb2
from google.api import httpbody_pb2 as _httpbody_pb2
from qrumb.v1 import event_row_pb2 as _event_row_pb2
from qrumb.v1 import receipt_pb2 as _receipt_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ValidateBrowserEventRequest(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: _httpbody_pb2.HttpBody
    def __init__(self, body: _Optional[_Union[_httpbody_pb2.HttpBody, _Mapping]] = ...) -> None: ...

class ValidateBrowserEventResponse(_message.Message):
    __slots__ = ("receipt", "row", "is_incomplete")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    IS_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    receipt: _receipt_pb2.EventReceipt
    row: _event_row_pb2.EventRow
    is_incomplete: bool
    def __init__(self, receipt: _Optional[_Union[_receipt_pb2.EventReceipt, _Mapping]] = ..., row: _Optional[_Union[_event_row_pb2.EventRow, _Mapping]] = ..., is_incomplete: _Optional[bool] = ...) -> None: ...

class ValidateServerEventRequest(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: _httpbody_pb2.HttpBody
    def __init__(self, body: _Optional[_Union[_httpbody_pb2.HttpBody, _Mapping]] = ...) -> None: ...

class ValidateServerEventResponse(_message.Message):
    __slots__ = ("receipt", "row", "is_incomplete")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    IS_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    receipt: _receipt_pb2.EventReceipt
    row: _event_row_pb2.EventRow
    is_incomplete: bool
    def __init__(self, receipt: _Optional[_Union[_receipt_pb2.EventReceipt, _Mapping]] = ..., row: _Optional[_Union[_event_row_pb2.EventRow, _Mapping]] = ..., is_incomplete: _Optional[bool] = ...) -> None: ...
