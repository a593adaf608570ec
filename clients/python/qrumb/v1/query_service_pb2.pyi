import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qrumb.v1 import event_row_pb2 as _event_row_pb2
from qrumb.v1 import receipt_pb2 as _receipt_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetReceiptRequest(_message.Message):
    __slots__ = ("site_id", "event_id")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    event_id: str
    def __init__(self, site_id: _Optional[str] = ..., event_id: _Optional[str] = ...) -> None: ...

class GetReceiptResponse(_message.Message):
    __slots__ = ("event_id", "fate", "received_time", "arrival_count", "conflict_count", "violations", "row", "warnings", "touches")
    class Fate(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FATE_UNSPECIFIED: _ClassVar[GetReceiptResponse.Fate]
        NOT_SEEN: _ClassVar[GetReceiptResponse.Fate]
        SPOOLED: _ClassVar[GetReceiptResponse.Fate]
        STORED: _ClassVar[GetReceiptResponse.Fate]
        DUPLICATE: _ClassVar[GetReceiptResponse.Fate]
        REJECTED: _ClassVar[GetReceiptResponse.Fate]
    FATE_UNSPECIFIED: GetReceiptResponse.Fate
    NOT_SEEN: GetReceiptResponse.Fate
    SPOOLED: GetReceiptResponse.Fate
    STORED: GetReceiptResponse.Fate
    DUPLICATE: GetReceiptResponse.Fate
    REJECTED: GetReceiptResponse.Fate
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FATE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_COUNT_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TOUCHES_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    fate: GetReceiptResponse.Fate
    received_time: _timestamp_pb2.Timestamp
    arrival_count: int
    conflict_count: int
    violations: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.Violation]
    row: _event_row_pb2.EventRow
    warnings: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.EventWarning]
    touches: _containers.RepeatedCompositeFieldContainer[Touch]
    def __init__(self, event_id: _Optional[str] = ..., fate: _Optional[_Union[GetReceiptResponse.Fate, str]] = ..., received_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., arrival_count: _Optional[int] = ..., conflict_count: _Optional[int] = ..., violations: _Optional[_Iterable[_Union[_receipt_pb2.Violation, _Mapping]]] = ..., row: _Optional[_Union[_event_row_pb2.EventRow, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[_receipt_pb2.EventWarning, _Mapping]]] = ..., touches: _Optional[_Iterable[_Union[Touch, _Mapping]]] = ...) -> None: ...

class Touch(_message.Message):
    __slots__ = ("qr_code_id", "scan_session_id", "scan_time")
    QR_CODE_ID_FIELD_NUMBER: _ClassVar[int]
    SCAN_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SCAN_TIME_FIELD_NUMBER: _ClassVar[int]
    qr_code_id: str
    scan_session_id: str
    scan_time: _timestamp_pb2.Timestamp
    def __init__(self, qr_code_id: _Optional[str] = ..., scan_session_id: _Optional[str] = ..., scan_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListRejectedEventsRequest(_message.Message):
    __slots__ = ("site_id", "reason", "since_time", "page_size", "page_token")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    reason: _receipt_pb2.Violation.Reason
    since_time: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, site_id: _Optional[str] = ..., reason: _Optional[_Union[_receipt_pb2.Violation.Reason, str]] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRejectedEventsResponse(_message.Message):
    __slots__ = ("rejected_events", "next_page_token")
    REJECTED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rejected_events: _containers.RepeatedCompositeFieldContainer[RejectedEvent]
    next_page_token: str
    def __init__(self, rejected_events: _Optional[_Iterable[_Union[RejectedEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RejectedEvent(_message.Message):
    __slots__ = ("site_id", "event_id", "source", "received_time", "violations", "payload")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIME_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    event_id: str
    source: str
    received_time: _timestamp_pb2.Timestamp
    violations: _containers.RepeatedCompositeFieldContainer[_receipt_pb2.Violation]
    payload: str
    def __init__(self, site_id: _Optional[str] = ..., event_id: _Optional[str] = ..., source: _Optional[str] = ..., received_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., violations: _Optional[_Iterable[_Union[_receipt_pb2.Violation, _Mapping]]] = ..., payload: _Optional[str] = ...) -> None: ...

class TailEventsRequest(_message.Message):
    __slots__ = ("site_id", "cursor", "limit")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    cursor: str
    limit: int
    def __init__(self, site_id: _Optional[str] = ..., cursor: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class TailEventsResponse(_message.Message):
    __slots__ = ("rows", "cursor")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[_event_row_pb2.EventRow]
    cursor: str
    def __init__(self, rows: _Optional[_Iterable[_Union[_event_row_pb2.EventRow, _Mapping]]] = ..., cursor: _Optional[str] = ...) -> None: ...

class CountEventsRequest(_message.Message):
    __slots__ = ("site_id", "from_time", "to_time", "bucket_seconds", "bucket", "time_zone", "group_by", "campaign_key", "qr_code_ids", "sources", "names", "country_codes", "device_types", "conversion_names", "fraud", "page_size", "page_token")
    class Bucket(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        BUCKET_UNSPECIFIED: _ClassVar[CountEventsRequest.Bucket]
        HOUR: _ClassVar[CountEventsRequest.Bucket]
        DAY: _ClassVar[CountEventsRequest.Bucket]
        WEEK: _ClassVar[CountEventsRequest.Bucket]
        MONTH: _ClassVar[CountEventsRequest.Bucket]
        WHOLE: _ClassVar[CountEventsRequest.Bucket]
    BUCKET_UNSPECIFIED: CountEventsRequest.Bucket
    HOUR: CountEventsRequest.Bucket
    DAY: CountEventsRequest.Bucket
    WEEK: CountEventsRequest.Bucket
    MONTH: CountEventsRequest.Bucket
    WHOLE: CountEventsRequest.Bucket
    class Dimension(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        DIMENSION_UNSPECIFIED: _ClassVar[CountEventsRequest.Dimension]
        SOURCE: _ClassVar[CountEventsRequest.Dimension]
        NAME: _ClassVar[CountEventsRequest.Dimension]
        QR_CODE: _ClassVar[CountEventsRequest.Dimension]
        COUNTRY: _ClassVar[CountEventsRequest.Dimension]
        DEVICE: _ClassVar[CountEventsRequest.Dimension]
        CAMPAIGN: _ClassVar[CountEventsRequest.Dimension]
    DIMENSION_UNSPECIFIED: CountEventsRequest.Dimension
    SOURCE: CountEventsRequest.Dimension
    NAME: CountEventsRequest.Dimension
    QR_CODE: CountEventsRequest.Dimension
    COUNTRY: CountEventsRequest.Dimension
    DEVICE: CountEventsRequest.Dimension
    CAMPAIGN: CountEventsRequest.Dimension
    class Fraud(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FRAUD_UNSPECIFIED: _ClassVar[CountEventsRequest.Fraud]
        BESIDE: _ClassVar[CountEventsRequest.Fraud]
        EXCLUDED: _ClassVar[CountEventsRequest.Fraud]
    FRAUD_UNSPECIFIED: CountEventsRequest.Fraud
    BESIDE: CountEventsRequest.Fraud
    EXCLUDED: CountEventsRequest.Fraud
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    BUCKET_SECONDS_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_KEY_FIELD_NUMBER: _ClassVar[int]
    QR_CODE_IDS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODES_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TYPES_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_NAMES_FIELD_NUMBER: _ClassVar[int]
    FRAUD_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    bucket_seconds: int
    bucket: CountEventsRequest.Bucket
    time_zone: str
    group_by: _containers.RepeatedScalarFieldContainer[CountEventsRequest.Dimension]
    campaign_key: str
    qr_code_ids: _containers.RepeatedScalarFieldContainer[str]
    sources: _containers.RepeatedScalarFieldContainer[str]
    names: _containers.RepeatedScalarFieldContainer[str]
    country_codes: _containers.RepeatedScalarFieldContainer[str]
    device_types: _containers.RepeatedScalarFieldContainer[str]
    conversion_names: _containers.RepeatedScalarFieldContainer[str]
    fraud: CountEventsRequest.Fraud
    page_size: int
    page_token: str
    def __init__(self, site_id: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., bucket_seconds: _Optional[int] = ..., bucket: _Optional[_Union[CountEventsRequest.Bucket, str]] = ..., time_zone: _Optional[str] = ..., group_by: _Optional[_Iterable[_Union[CountEventsRequest.Dimension, str]]] = ..., campaign_key: _Optional[str] = ..., qr_code_ids: _Optional[_Iterable[str]] = ..., sources: _Optional[_Iterable[str]] = ..., names: _Optional[_Iterable[str]] = ..., country_codes: _Optional[_Iterable[str]] = ..., device_types: _Optional[_Iterable[str]] = ..., conversion_names: _Optional[_Iterable[str]] = ..., fraud: _Optional[_Union[CountEventsRequest.Fraud, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class CountEventsResponse(_message.Message):
    __slots__ = ("counts", "next_page_token")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[EventCount]
    next_page_token: str
    def __init__(self, counts: _Optional[_Iterable[_Union[EventCount, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class EventCount(_message.Message):
    __slots__ = ("start_time", "source", "name", "unique_count", "duplicate_count", "fraud_count", "end_time", "is_partial", "qr_code_id", "country_code", "device_type", "campaign", "conversion_count", "amounts", "scan_count", "suspect_scan_count", "confirmed_scan_count")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FRAUD_COUNT_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    QR_CODE_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TYPE_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    SCAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    SUSPECT_SCAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_SCAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    source: str
    name: str
    unique_count: int
    duplicate_count: int
    fraud_count: int
    end_time: _timestamp_pb2.Timestamp
    is_partial: bool
    qr_code_id: str
    country_code: str
    device_type: str
    campaign: str
    conversion_count: int
    amounts: _containers.RepeatedCompositeFieldContainer[CurrencyAmount]
    scan_count: int
    suspect_scan_count: int
    confirmed_scan_count: int
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ..., name: _Optional[str] = ..., unique_count: _Optional[int] = ..., duplicate_count: _Optional[int] = ..., fraud_count: _Optional[int] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_partial: _Optional[bool] = ..., qr_code_id: _Optional[str] = ..., country_code: _Optional[str] = ..., device_type: _Optional[str] = ..., campaign: _Optional[str] = ..., conversion_count: _Optional[int] = ..., amounts: _Optional[_Iterable[_Union[CurrencyAmount, _Mapping]]] = ..., scan_count: _Optional[int] = ..., suspect_scan_count: _Optional[int] = ..., confirmed_scan_count: _Optional[int] = ...) -> None: ...

class ListAlarmsRequest(_message.Message):
    __slots__ = ("site_id",)
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    def __init__(self, site_id: _Optional[str] = ...) -> None: ...

class ListAlarmsResponse(_message.Message):
    __slots__ = ("alarms", "waiting_message_count", "failure")
    ALARMS_FIELD_NUMBER: _ClassVar[int]
    WAITING_MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    alarms: _containers.RepeatedCompositeFieldContainer[Alarm]
    waiting_message_count: int
    failure: str
    def __init__(self, alarms: _Optional[_Iterable[_Union[Alarm, _Mapping]]] = ..., waiting_message_count: _Optional[int] = ..., failure: _Optional[str] = ...) -> None: ...

class Alarm(_message.Message):
    __slots__ = ("rule", "qr_code_id", "began_time", "text")
    RULE_FIELD_NUMBER: _ClassVar[int]
    QR_CODE_ID_FIELD_NUMBER: _ClassVar[int]
    BEGAN_TIME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    rule: str
    qr_code_id: str
    began_time: _timestamp_pb2.Timestamp
    text: str
    def __init__(self, rule: _Optional[str] = ..., qr_code_id: _Optional[str] = ..., began_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., text: _Optional[str] = ...) -> None: ...

class GetLedgerRequest(_message.Message):
    __slots__ = ("site_id", "from_time", "to_time")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    def __init__(self, site_id: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetLedgerResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LedgerEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[LedgerEntry, _Mapping]]] = ...) -> None: ...

class LedgerEntry(_message.Message):
    __slots__ = ("minute_time", "received_count", "stored_count", "rejected_count", "spooled_count", "unique_count", "duplicate_count", "conflict_count", "fraud_count", "scan_received_count", "scan_registered_count", "scan_rejected_count", "scan_spooled_count")
    MINUTE_TIME_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_COUNT_FIELD_NUMBER: _ClassVar[int]
    STORED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SPOOLED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FRAUD_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCAN_RECEIVED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCAN_REGISTERED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCAN_REJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCAN_SPOOLED_COUNT_FIELD_NUMBER: _ClassVar[int]
    minute_time: _timestamp_pb2.Timestamp
    received_count: int
    stored_count: int
    rejected_count: int
    spooled_count: int
    unique_count: int
    duplicate_count: int
    conflict_count: int
    fraud_count: int
    scan_received_count: int
    scan_registered_count: int
    scan_rejected_count: int
    scan_spooled_count: int
    def __init__(self, minute_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., received_count: _Optional[int] = ..., stored_count: _Optional[int] = ..., rejected_count: _Optional[int] = ..., spooled_count: _Optional[int] = ..., unique_count: _Optional[int] = ..., duplicate_count: _Optional[int] = ..., conflict_count: _Optional[int] = ..., fraud_count: _Optional[int] = ..., scan_received_count: _Optional[int] = ..., scan_registered_count: _Optional[int] = ..., scan_rejected_count: _Optional[int] = ..., scan_spooled_count: _Optional[int] = ...) -> None: ...

class ListSuspiciousIdentifiersRequest(_message.Message):
    __slots__ = ("site_id", "more_than", "limit")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    MORE_THAN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    more_than: int
    limit: int
    def __init__(self, site_id: _Optional[str] = ..., more_than: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListSuspiciousIdentifiersResponse(_message.Message):
    __slots__ = ("identifiers",)
    IDENTIFIERS_FIELD_NUMBER: _ClassVar[int]
    identifiers: _containers.RepeatedCompositeFieldContainer[SuspiciousIdentifier]
    def __init__(self, identifiers: _Optional[_Iterable[_Union[SuspiciousIdentifier, _Mapping]]] = ...) -> None: ...

class SuspiciousIdentifier(_message.Message):
    __slots__ = ("kind", "name", "other_count", "first_time", "last_time", "is_split")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[SuspiciousIdentifier.Kind]
        EMAIL_HASH: _ClassVar[SuspiciousIdentifier.Kind]
        PHONE_HASH: _ClassVar[SuspiciousIdentifier.Kind]
        EXTERNAL_ID: _ClassVar[SuspiciousIdentifier.Kind]
        SCAN_SESSION: _ClassVar[SuspiciousIdentifier.Kind]
    KIND_UNSPECIFIED: SuspiciousIdentifier.Kind
    EMAIL_HASH: SuspiciousIdentifier.Kind
    PHONE_HASH: SuspiciousIdentifier.Kind
    EXTERNAL_ID: SuspiciousIdentifier.Kind
    SCAN_SESSION: SuspiciousIdentifier.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OTHER_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_SPLIT_FIELD_NUMBER: _ClassVar[int]
    kind: SuspiciousIdentifier.Kind
    name: str
    other_count: int
    first_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    is_split: bool
    def __init__(self, kind: _Optional[_Union[SuspiciousIdentifier.Kind, str]] = ..., name: _Optional[str] = ..., other_count: _Optional[int] = ..., first_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_split: _Optional[bool] = ...) -> None: ...

class GetFunnelRequest(_message.Message):
    __slots__ = ("site_id", "from_time", "to_time", "bucket", "time_zone", "group_by", "campaign_key", "qr_code_ids", "country_codes", "device_types", "conversion_names", "page_size", "page_token")
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_KEY_FIELD_NUMBER: _ClassVar[int]
    QR_CODE_IDS_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODES_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TYPES_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_NAMES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    bucket: CountEventsRequest.Bucket
    time_zone: str
    group_by: _containers.RepeatedScalarFieldContainer[CountEventsRequest.Dimension]
    campaign_key: str
    qr_code_ids: _containers.RepeatedScalarFieldContainer[str]
    country_codes: _containers.RepeatedScalarFieldContainer[str]
    device_types: _containers.RepeatedScalarFieldContainer[str]
    conversion_names: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    def __init__(self, site_id: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., bucket: _Optional[_Union[CountEventsRequest.Bucket, str]] = ..., time_zone: _Optional[str] = ..., group_by: _Optional[_Iterable[_Union[CountEventsRequest.Dimension, str]]] = ..., campaign_key: _Optional[str] = ..., qr_code_ids: _Optional[_Iterable[str]] = ..., country_codes: _Optional[_Iterable[str]] = ..., device_types: _Optional[_Iterable[str]] = ..., conversion_names: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GetFunnelResponse(_message.Message):
    __slots__ = ("funnels", "next_page_token")
    FUNNELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    funnels: _containers.RepeatedCompositeFieldContainer[QrCodeFunnel]
    next_page_token: str
    def __init__(self, funnels: _Optional[_Iterable[_Union[QrCodeFunnel, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class QrCodeFunnel(_message.Message):
    __slots__ = ("qr_code_id", "scan_count", "visit_count", "conversion_count", "amounts", "start_time", "end_time", "is_partial", "country_code", "device_type", "campaign", "fraud_count", "suspect_scan_count", "confirmed_scan_count", "suspect_reasons")
    QR_CODE_ID_FIELD_NUMBER: _ClassVar[int]
    SCAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    VISIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TYPE_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    FRAUD_COUNT_FIELD_NUMBER: _ClassVar[int]
    SUSPECT_SCAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_SCAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    SUSPECT_REASONS_FIELD_NUMBER: _ClassVar[int]
    qr_code_id: str
    scan_count: int
    visit_count: int
    conversion_count: int
    amounts: _containers.RepeatedCompositeFieldContainer[CurrencyAmount]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    is_partial: bool
    country_code: str
    device_type: str
    campaign: str
    fraud_count: int
    suspect_scan_count: int
    confirmed_scan_count: int
    suspect_reasons: _containers.RepeatedCompositeFieldContainer[ReasonCount]
    def __init__(self, qr_code_id: _Optional[str] = ..., scan_count: _Optional[int] = ..., visit_count: _Optional[int] = ..., conversion_count: _Optional[int] = ..., amounts: _Optional[_Iterable[_Union[CurrencyAmount, _Mapping]]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_partial: _Optional[bool] = ..., country_code: _Optional[str] = ..., device_type: _Optional[str] = ..., campaign: _Optional[str] = ..., fraud_count: _Optional[int] = ..., suspect_scan_count: _Optional[int] = ..., confirmed_scan_count: _Optional[int] = ..., suspect_reasons: _Optional[_Iterable[_Union[ReasonCount, _Mapping]]] = ...) -> None: ...

class ReasonCount(_message.Message):
    __slots__ = ("reason", "count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    count: int
    def __init__(self, reason: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class CurrencyAmount(_message.Message):
    __slots__ = ("currency", "amount")
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    currency: str
    amount: str
    def __init__(self, currency: _Optional[str] = ..., amount: _Optional[str] = ...) -> None: ...

class GetAttributionRequest(_message.Message):
    __slots__ = ("site_id", "from_time", "to_time", "models", "window_days", "conversion_names")
    class Model(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MODEL_UNSPECIFIED: _ClassVar[GetAttributionRequest.Model]
        FIRST: _ClassVar[GetAttributionRequest.Model]
        LAST: _ClassVar[GetAttributionRequest.Model]
        LINEAR: _ClassVar[GetAttributionRequest.Model]
        POSITION_BASED: _ClassVar[GetAttributionRequest.Model]
        TIME_DECAY: _ClassVar[GetAttributionRequest.Model]
    MODEL_UNSPECIFIED: GetAttributionRequest.Model
    FIRST: GetAttributionRequest.Model
    LAST: GetAttributionRequest.Model
    LINEAR: GetAttributionRequest.Model
    POSITION_BASED: GetAttributionRequest.Model
    TIME_DECAY: GetAttributionRequest.Model
    SITE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_DAYS_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_NAMES_FIELD_NUMBER: _ClassVar[int]
    site_id: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    models: _containers.RepeatedScalarFieldContainer[GetAttributionRequest.Model]
    window_days: int
    conversion_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, site_id: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., models: _Optional[_Iterable[_Union[GetAttributionRequest.Model, str]]] = ..., window_days: _Optional[int] = ..., conversion_names: _Optional[_Iterable[str]] = ...) -> None: ...

class GetAttributionResponse(_message.Message):
    __slots__ = ("attributions", "conversion_count", "refund_count", "amounts")
    ATTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUND_COUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    attributions: _containers.RepeatedCompositeFieldContainer[ModelAttribution]
    conversion_count: int
    refund_count: int
    amounts: _containers.RepeatedCompositeFieldContainer[CurrencyAmount]
    def __init__(self, attributions: _Optional[_Iterable[_Union[ModelAttribution, _Mapping]]] = ..., conversion_count: _Optional[int] = ..., refund_count: _Optional[int] = ..., amounts: _Optional[_Iterable[_Union[CurrencyAmount, _Mapping]]] = ...) -> None: ...

class ModelAttribution(_message.Message):
    __slots__ = ("model", "credits")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    model: GetAttributionRequest.Model
    credits: _containers.RepeatedCompositeFieldContainer[QrCodeCredit]
    def __init__(self, model: _Optional[_Union[GetAttributionRequest.Model, str]] = ..., credits: _Optional[_Iterable[_Union[QrCodeCredit, _Mapping]]] = ...) -> None: ...

class QrCodeCredit(_message.Message):
    __slots__ = ("qr_code_id", "conversion_credit", "amounts")
    QR_CODE_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_CREDIT_FIELD_NUMBER: _ClassVar[int]
    AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    qr_code_id: str
    conversion_credit: str
    amounts: _containers.RepeatedCompositeFieldContainer[CurrencyAmount]
    def __init__(self, qr_code_id: _Optional[str] = ..., conversion_credit: _Optional[str] = ..., amounts: _Optional[_Iterable[_Union[CurrencyAmount, _Mapping]]] = ...) -> None: ...
