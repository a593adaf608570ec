from qrumb.v1 import status_service_pb2 as _status_service_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeNodeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeNodeResponse(_message.Message):
    __slots__ = ("status", "store_error")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STORE_ERROR_FIELD_NUMBER: _ClassVar[int]
    status: _status_service_pb2.GetStatusResponse
    store_error: str
    def __init__(self, status: _Optional[_Union[_status_service_pb2.GetStatusResponse, _Mapping]] = ..., store_error: _Optional[str] = ...) -> None: ...
