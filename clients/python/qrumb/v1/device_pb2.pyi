from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Device(_message.Message):
    __slots__ = ("type", "user_agent", "language", "screen_width", "screen_height", "viewport_width", "viewport_height", "timezone", "max_touch_points")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SCREEN_WIDTH_FIELD_NUMBER: _ClassVar[int]
    SCREEN_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    VIEWPORT_WIDTH_FIELD_NUMBER: _ClassVar[int]
    VIEWPORT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    MAX_TOUCH_POINTS_FIELD_NUMBER: _ClassVar[int]
    type: str
    user_agent: str
    language: str
    screen_width: int
    screen_height: int
    viewport_width: int
    viewport_height: int
    timezone: str
    max_touch_points: int
    def __init__(self, type: _Optional[str] = ..., user_agent: _Optional[str] = ..., language: _Optional[str] = ..., screen_width: _Optional[int] = ..., screen_height: _Optional[int] = ..., viewport_width: _Optional[int] = ..., viewport_height: _Optional[int] = ..., timezone: _Optional[str] = ..., max_touch_points: _Optional[int] = ...) -> None: ...
