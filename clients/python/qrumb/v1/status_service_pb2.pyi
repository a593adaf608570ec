from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("condition", "reasons", "processes", "spool_bytes", "oldest_segment_seconds", "version")
    class Condition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CONDITION_UNSPECIFIED: _ClassVar[GetStatusResponse.Condition]
        READY: _ClassVar[GetStatusResponse.Condition]
        DEGRADED: _ClassVar[GetStatusResponse.Condition]
        NOT_READY: _ClassVar[GetStatusResponse.Condition]
    CONDITION_UNSPECIFIED: GetStatusResponse.Condition
    READY: GetStatusResponse.Condition
    DEGRADED: GetStatusResponse.Condition
    NOT_READY: GetStatusResponse.Condition
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    SPOOL_BYTES_FIELD_NUMBER: _ClassVar[int]
    OLDEST_SEGMENT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    condition: GetStatusResponse.Condition
    reasons: _containers.RepeatedScalarFieldContainer[str]
    processes: _containers.RepeatedCompositeFieldContainer[ProcessStatus]
    spool_bytes: int
    oldest_segment_seconds: float
    version: str
    def __init__(self, condition: _Optional[_Union[GetStatusResponse.Condition, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., processes: _Optional[_Iterable[_Union[ProcessStatus, _Mapping]]] = ..., spool_bytes: _Optional[int] = ..., oldest_segment_seconds: _Optional[float] = ..., version: _Optional[str] = ...) -> None: ...

class ProcessStatus(_message.Message):
    __slots__ = ("name", "serving", "restart_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    serving: bool
    restart_count: int
    def __init__(self, name: _Optional[str] = ..., serving: _Optional[bool] = ..., restart_count: _Optional[int] = ...) -> None: ...
