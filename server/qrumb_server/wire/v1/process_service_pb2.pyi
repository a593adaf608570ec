from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMetricsResponse(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class GetLoadingRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetLoadingResponse(_message.Message):
    __slots__ = ("rows_per_second", "last_received_time_ms", "store_error", "is_refused", "store_error_code", "reasons")
    ROWS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LAST_RECEIVED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    STORE_ERROR_FIELD_NUMBER: _ClassVar[int]
    IS_REFUSED_FIELD_NUMBER: _ClassVar[int]
    STORE_ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    rows_per_second: float
    last_received_time_ms: int
    store_error: str
    is_refused: bool
    store_error_code: int
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rows_per_second: _Optional[float] = ..., last_received_time_ms: _Optional[int] = ..., store_error: _Optional[str] = ..., is_refused: _Optional[bool] = ..., store_error_code: _Optional[int] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class GetCollectingRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCollectingResponse(_message.Message):
    __slots__ = ("sites_at_share", "sites_over_quota", "forecast_factor", "disk_silent_seconds")
    SITES_AT_SHARE_FIELD_NUMBER: _ClassVar[int]
    SITES_OVER_QUOTA_FIELD_NUMBER: _ClassVar[int]
    FORECAST_FACTOR_FIELD_NUMBER: _ClassVar[int]
    DISK_SILENT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    sites_at_share: _containers.RepeatedScalarFieldContainer[str]
    sites_over_quota: _containers.RepeatedScalarFieldContainer[str]
    forecast_factor: float
    disk_silent_seconds: float
    def __init__(self, sites_at_share: _Optional[_Iterable[str]] = ..., sites_over_quota: _Optional[_Iterable[str]] = ..., forecast_factor: _Optional[float] = ..., disk_silent_seconds: _Optional[float] = ...) -> None: ...

class Pulse(_message.Message):
    __slots__ = ("process", "pid", "said_seconds", "is_serving", "loading", "collecting")
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    SAID_SECONDS_FIELD_NUMBER: _ClassVar[int]
    IS_SERVING_FIELD_NUMBER: _ClassVar[int]
    LOADING_FIELD_NUMBER: _ClassVar[int]
    COLLECTING_FIELD_NUMBER: _ClassVar[int]
    process: str
    pid: int
    said_seconds: float
    is_serving: bool
    loading: GetLoadingResponse
    collecting: GetCollectingResponse
    def __init__(self, process: _Optional[str] = ..., pid: _Optional[int] = ..., said_seconds: _Optional[float] = ..., is_serving: _Optional[bool] = ..., loading: _Optional[_Union[GetLoadingResponse, _Mapping]] = ..., collecting: _Optional[_Union[GetCollectingResponse, _Mapping]] = ...) -> None: ...
