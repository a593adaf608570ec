import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventReceipt(_message.Message):
    __slots__ = ("event_id", "outcome", "received_time", "violations", "warnings")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[EventReceipt.Outcome]
        ACCEPTED: _ClassVar[EventReceipt.Outcome]
        REJECTED: _ClassVar[EventReceipt.Outcome]
        VALIDATED: _ClassVar[EventReceipt.Outcome]
    OUTCOME_UNSPECIFIED: EventReceipt.Outcome
    ACCEPTED: EventReceipt.Outcome
    REJECTED: EventReceipt.Outcome
    VALIDATED: EventReceipt.Outcome
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    outcome: EventReceipt.Outcome
    received_time: _timestamp_pb2.Timestamp
    violations: _containers.RepeatedCompositeFieldContainer[Violation]
    warnings: _containers.RepeatedCompositeFieldContainer[EventWarning]
    def __init__(self, event_id: _Optional[str] = ..., outcome: _Optional[_Union[EventReceipt.Outcome, str]] = ..., received_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., violations: _Optional[_Iterable[_Union[Violation, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[EventWarning, _Mapping]]] = ...) -> None: ...

class Violation(_message.Message):
    __slots__ = ("field", "reason", "description", "help_url")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Violation.Reason]
        REQUIRED: _ClassVar[Violation.Reason]
        TOO_LONG: _ClassVar[Violation.Reason]
        INVALID_FORMAT: _ClassVar[Violation.Reason]
        INVALID_UUID: _ClassVar[Violation.Reason]
        INVALID_ENUM: _ClassVar[Violation.Reason]
        INVALID_URL: _ClassVar[Violation.Reason]
        INVALID_IP: _ClassVar[Violation.Reason]
        OUT_OF_RANGE: _ClassVar[Violation.Reason]
        NOT_FINITE: _ClassVar[Violation.Reason]
        INVALID_CURRENCY: _ClassVar[Violation.Reason]
        NOT_HASHED: _ClassVar[Violation.Reason]
        HASH_OF_NOTHING: _ClassVar[Violation.Reason]
        CONTAINS_EMAIL: _ClassVar[Violation.Reason]
        TOO_LARGE: _ClassVar[Violation.Reason]
        TOO_DEEP: _ClassVar[Violation.Reason]
        TOO_MANY_VALUES: _ClassVar[Violation.Reason]
        NEGATIVE_AMOUNT: _ClassVar[Violation.Reason]
        UNKNOWN_FIELD: _ClassVar[Violation.Reason]
        DUPLICATE_KEY: _ClassVar[Violation.Reason]
        PRECISION_LOSS: _ClassVar[Violation.Reason]
        INVALID_JSON: _ClassVar[Violation.Reason]
        STORE_REFUSED: _ClassVar[Violation.Reason]
        INTERNAL: _ClassVar[Violation.Reason]
        INVALID_TIME: _ClassVar[Violation.Reason]
        PLACEHOLDER: _ClassVar[Violation.Reason]
        PLAN_VIOLATION: _ClassVar[Violation.Reason]
    REASON_UNSPECIFIED: Violation.Reason
    REQUIRED: Violation.Reason
    TOO_LONG: Violation.Reason
    INVALID_FORMAT: Violation.Reason
    INVALID_UUID: Violation.Reason
    INVALID_ENUM: Violation.Reason
    INVALID_URL: Violation.Reason
    INVALID_IP: Violation.Reason
    OUT_OF_RANGE: Violation.Reason
    NOT_FINITE: Violation.Reason
    INVALID_CURRENCY: Violation.Reason
    NOT_HASHED: Violation.Reason
    HASH_OF_NOTHING: Violation.Reason
    CONTAINS_EMAIL: Violation.Reason
    TOO_LARGE: Violation.Reason
    TOO_DEEP: Violation.Reason
    TOO_MANY_VALUES: Violation.Reason
    NEGATIVE_AMOUNT: Violation.Reason
    UNKNOWN_FIELD: Violation.Reason
    DUPLICATE_KEY: Violation.Reason
    PRECISION_LOSS: Violation.Reason
    INVALID_JSON: Violation.Reason
    STORE_REFUSED: Violation.Reason
    INTERNAL: Violation.Reason
    INVALID_TIME: Violation.Reason
    PLACEHOLDER: Violation.Reason
    PLAN_VIOLATION: Violation.Reason
    FIELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    HELP_URL_FIELD_NUMBER: _ClassVar[int]
    field: str
    reason: Violation.Reason
    description: str
    help_url: str
    def __init__(self, field: _Optional[str] = ..., reason: _Optional[_Union[Violation.Reason, str]] = ..., description: _Optional[str] = ..., help_url: _Optional[str] = ...) -> None: ...

class EventWarning(_message.Message):
    __slots__ = ("field", "code", "description", "help_url")
    class Code(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CODE_UNSPECIFIED: _ClassVar[EventWarning.Code]
        EVENT_TYPE_MISSING: _ClassVar[EventWarning.Code]
        CLOCK_CORRECTED: _ClassVar[EventWarning.Code]
        AMOUNT_ROUNDED: _ClassVar[EventWarning.Code]
        TIME_INTERPRETED: _ClassVar[EventWarning.Code]
        LEFT_OUT: _ClassVar[EventWarning.Code]
        EMAIL_REDACTED: _ClassVar[EventWarning.Code]
        USER_INFO_REMOVED: _ClassVar[EventWarning.Code]
        UNKNOWN_FIELD: _ClassVar[EventWarning.Code]
        MISPLACED_FIELD: _ClassVar[EventWarning.Code]
        INEXACT_NUMBER: _ClassVar[EventWarning.Code]
        REFUND_NOT_NEGATIVE: _ClassVar[EventWarning.Code]
        SHARED_IDENTIFIER: _ClassVar[EventWarning.Code]
        PLAN_VIOLATION: _ClassVar[EventWarning.Code]
    CODE_UNSPECIFIED: EventWarning.Code
    EVENT_TYPE_MISSING: EventWarning.Code
    CLOCK_CORRECTED: EventWarning.Code
    AMOUNT_ROUNDED: EventWarning.Code
    TIME_INTERPRETED: EventWarning.Code
    LEFT_OUT: EventWarning.Code
    EMAIL_REDACTED: EventWarning.Code
    USER_INFO_REMOVED: EventWarning.Code
    UNKNOWN_FIELD: EventWarning.Code
    MISPLACED_FIELD: EventWarning.Code
    INEXACT_NUMBER: EventWarning.Code
    REFUND_NOT_NEGATIVE: EventWarning.Code
    SHARED_IDENTIFIER: EventWarning.Code
    PLAN_VIOLATION: EventWarning.Code
    FIELD_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    HELP_URL_FIELD_NUMBER: _ClassVar[int]
    field: str
    code: EventWarning.Code
    description: str
    help_url: str
    def __init__(self, field: _Optional[str] = ..., code: _Optional[_Union[EventWarning.Code, str]] = ..., description: _Optional[str] = ..., help_url: _Optional[str] = ...) -> None: ...
