import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
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
    __slots__ = ("condition", "reasons", "processes", "spool_bytes", "oldest_segment_seconds", "version", "spool_limit_bytes", "spool_segments", "spool_rows", "full_in_seconds", "quarantined_segments", "free_disk_bytes", "loading")
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
    SPOOL_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SPOOL_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    SPOOL_ROWS_FIELD_NUMBER: _ClassVar[int]
    FULL_IN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    QUARANTINED_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    FREE_DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOADING_FIELD_NUMBER: _ClassVar[int]
    condition: GetStatusResponse.Condition
    reasons: _containers.RepeatedScalarFieldContainer[str]
    processes: _containers.RepeatedCompositeFieldContainer[ProcessStatus]
    spool_bytes: int
    oldest_segment_seconds: float
    version: str
    spool_limit_bytes: int
    spool_segments: int
    spool_rows: int
    full_in_seconds: float
    quarantined_segments: int
    free_disk_bytes: int
    loading: LoadingStatus
    def __init__(self, condition: _Optional[_Union[GetStatusResponse.Condition, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., processes: _Optional[_Iterable[_Union[ProcessStatus, _Mapping]]] = ..., spool_bytes: _Optional[int] = ..., oldest_segment_seconds: _Optional[float] = ..., version: _Optional[str] = ..., spool_limit_bytes: _Optional[int] = ..., spool_segments: _Optional[int] = ..., spool_rows: _Optional[int] = ..., full_in_seconds: _Optional[float] = ..., quarantined_segments: _Optional[int] = ..., free_disk_bytes: _Optional[int] = ..., loading: _Optional[_Union[LoadingStatus, _Mapping]] = ...) -> None: ...

class LoadingStatus(_message.Message):
    __slots__ = ("store_available", "store_error_code", "rows_per_second", "last_received_time", "lag_seconds")
    STORE_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    STORE_ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ROWS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LAST_RECEIVED_TIME_FIELD_NUMBER: _ClassVar[int]
    LAG_SECONDS_FIELD_NUMBER: _ClassVar[int]
    store_available: bool
    store_error_code: int
    rows_per_second: float
    last_received_time: _timestamp_pb2.Timestamp
    lag_seconds: float
    def __init__(self, store_available: _Optional[bool] = ..., store_error_code: _Optional[int] = ..., rows_per_second: _Optional[float] = ..., last_received_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lag_seconds: _Optional[float] = ...) -> None: ...

class ProcessStatus(_message.Message):
    __slots__ = ("name", "serving", "restart_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    serving: bool
    restart_count: int
    def __init__(self, name: _Optional[str] = ..., serving: _Optional[bool] = ..., restart_count: _Optional[int] = ...) -> None: ...
