from qrumb.v1 import event_row_pb2 as _event_row_pb2
from qrumb_server.wire.v1 import record_pb2 as _record_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PreviewRowsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_record_pb2.AcceptedEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[_record_pb2.AcceptedEvent, _Mapping]]] = ...) -> None: ...

class PreviewRowsResponse(_message.Message):
    __slots__ = ("rows", "is_incomplete")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    IS_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[_event_row_pb2.EventRow]
    is_incomplete: bool
    def __init__(self, rows: _Optional[_Iterable[_Union[_event_row_pb2.EventRow, _Mapping]]] = ..., is_incomplete: _Optional[bool] = ...) -> None: ...
