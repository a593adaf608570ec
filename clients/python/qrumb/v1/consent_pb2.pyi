from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class Consent(_message.Message):
    __slots__ = ()
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CONSENT_UNSPECIFIED: _ClassVar[Consent.State]
        GRANTED: _ClassVar[Consent.State]
        DENIED: _ClassVar[Consent.State]
        PENDING: _ClassVar[Consent.State]
    CONSENT_UNSPECIFIED: Consent.State
    GRANTED: Consent.State
    DENIED: Consent.State
    PENDING: Consent.State
    def __init__(self) -> None: ...
