"""Which argument of a call is wrong. The names are those of violations, whose sections in docs/errors.md they share.

Raised as the entries of `calls.py`, which has them too.
"""

from typing import Final

from grpc import StatusCode

from qrumb_server.reasons.entry import Reason, Retry

__all__ = [
    "BATCH_EMPTY",
    "BUCKET_TWICE",
    "CURSOR_FORM",
    "EVENT_ID_FORM",
    "HASH_FORM",
    "LIST_TOO_LONG",
    "NAMED_TWICE",
    "NAME_LENGTH",
    "NUMBER_TOO_LARGE",
    "PAGE_TOKEN_FORM",
    "RANGE_EMPTY",
    "SESSION_BATCH_EMPTY",
    "SITE_ID_FORM",
    "SUBJECT_UNNAMED",
    "TEXT_TOO_LONG",
    "TIME_ZONE_UNKNOWN",
    "TOO_MANY_BUCKETS",
    "VALUE_UNKNOWN",
]

BATCH_EMPTY: Final = Reason(
    name="REQUIRED",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text='a batch needs at least one event: {{"events": [{{...}}, ...]}}',
    cause="A batch holds no event.",
    advice="Leave out the call, or look at the name of the list: it is `events`.",
)
SESSION_BATCH_EMPTY: Final = Reason(
    name="REQUIRED",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="a batch needs at least one session",
    cause="A batch holds no scan session.",
    advice="Leave out the call, or look at the name of the list: it is `scan_sessions`.",
)
NAME_LENGTH: Final = Reason(
    name="REQUIRED",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must have 1 to {limit} characters",
    cause="A scan session, or a person who is to be erased, is named by a text that none can have.",
    advice="Name it as the events do; a scan session by the id that the redirect gave the visit.",
)
SUBJECT_UNNAMED: Final = Reason(
    name="REQUIRED",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="say whom to erase or to hand out: user_id, user_identifiers or scan_session_id, at least one",
    cause="An erasure or an export names no person.",
    advice="Name the person by any of these.",
)
SITE_ID_FORM: Final = Reason(
    name="INVALID_FORMAT",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -",
    cause="The site_id of a query is one that no site can have.",
    advice="Ask for a site of sites.toml.",
)
HASH_FORM: Final = Reason(
    name="INVALID_FORMAT",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be a SHA-256 as 64 hex digits",
    cause="An erasure or an export names a person by a text that is not a SHA-256.",
    advice="Hash the identifier as for events; see UserIdentifiers in the contract.",
)
PAGE_TOKEN_FORM: Final = Reason(
    name="INVALID_FORMAT",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be next_page_token of a response",
    cause="A listing goes on from a place that this service did not give out.",
    advice="Hand back next_page_token as it was, or leave it out to begin anew.",
)
CURSOR_FORM: Final = Reason(
    name="INVALID_FORMAT",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be the cursor of a response",
    cause="A tail goes on from a place that this service did not give out.",
    advice="Hand back the cursor as it was, or leave it out to begin anew.",
)
EVENT_ID_FORM: Final = Reason(
    name="INVALID_UUID",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be the UUID of an event, as its receipt states it",
    cause="A receipt is asked for by an id that no event can have.",
    advice="Ask by the event_id of the event's receipt.",
)
NUMBER_TOO_LARGE: Final = Reason(
    name="OUT_OF_RANGE",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be at most {limit}",
    cause="A number of a query, such as page_size, limit or bucket_seconds, is above its limit.",
    advice="Ask for less, and go on with next_page_token or the cursor.",
)
RANGE_EMPTY: Final = Reason(
    name="OUT_OF_RANGE",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be before to_time; where one of them is left out, to_time is now",
    cause="A query names a range of time that ends before it begins, or holds no moment.",
    advice="Put the earlier time into from_time; to_time itself is not in the range.",
)
TOO_MANY_BUCKETS: Final = Reason(
    name="OUT_OF_RANGE",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="the range has {count:,} buckets of this width; at most {limit:,} are answered",
    cause="A query would cut its range of time into more pieces than anyone reads. Events are kept for 400 days.",
    advice="Ask for wider buckets, such as bucket=DAY, or for a shorter range.",
)
BUCKET_TWICE: Final = Reason(
    name="OUT_OF_RANGE",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be left out where bucket is set",
    cause="A query says how wide a bucket is in two ways.",
    advice="Set bucket, or bucket_seconds, and not both.",
)
TIME_ZONE_UNKNOWN: Final = Reason(
    name="INVALID_FORMAT",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be the name of a time zone in the IANA database, such as Europe/Vienna",
    cause="A query names a time zone that ClickHouse does not know.",
    advice="Name it by continent and city; an offset or an abbreviation does not say when clocks change.",
)
VALUE_UNKNOWN: Final = Reason(
    name="INVALID_ENUM",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must be among {names}",
    cause="A query names a bucket, a dimension or a model that it does not have.",
    advice="Use a value of the contract; a funnel cannot be told apart by SOURCE or NAME.",
)
NAMED_TWICE: Final = Reason(
    name="INVALID_FORMAT",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must name each value once",
    cause="A query names a dimension or a model twice.",
    advice="Leave out the repetition.",
)
LIST_TOO_LONG: Final = Reason(
    name="TOO_MANY_VALUES",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must have at most {limit} values",
    cause="A query filters by more values than one call may.",
    advice="Ask in several calls, or for all and choose among the answers.",
)
TEXT_TOO_LONG: Final = Reason(
    name="TOO_LONG",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="must have at most {limit} characters",
    cause="A query filters by a text that no event can have.",
    advice="Use the values of events.",
)
