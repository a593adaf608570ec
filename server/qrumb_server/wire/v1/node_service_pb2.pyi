from qrumb.v1 import status_service_pb2 as _status_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeNodeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeNodeResponse(_message.Message):
    __slots__ = ("status", "store_error", "sites_at_share", "sites_over_quota", "compiled")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STORE_ERROR_FIELD_NUMBER: _ClassVar[int]
    SITES_AT_SHARE_FIELD_NUMBER: _ClassVar[int]
    SITES_OVER_QUOTA_FIELD_NUMBER: _ClassVar[int]
    COMPILED_FIELD_NUMBER: _ClassVar[int]
    status: _status_service_pb2.GetStatusResponse
    store_error: str
    sites_at_share: _containers.RepeatedScalarFieldContainer[str]
    sites_over_quota: _containers.RepeatedScalarFieldContainer[str]
    compiled: bool
    def __init__(self, status: _Optional[_Union[_status_service_pb2.GetStatusResponse, _Mapping]] = ..., store_error: _Optional[str] = ..., sites_at_share: _Optional[_Iterable[str]] = ..., sites_over_quota: _Optional[_Iterable[str]] = ..., compiled: _Optional[bool] = ...) -> None: ...
