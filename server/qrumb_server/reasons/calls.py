"""Why the service refuses a call as a whole. Nothing of a refused call is kept."""

from typing import Final

from grpc import StatusCode

from qrumb_server.reasons.arguments import *  # noqa: F403  (its entries are entries of this table)
from qrumb_server.reasons.entry import Reason, Retry

_SEND_KEY: Final = "send `authorization: Bearer qk_...`; `qrumb sites key SITE` makes a key"

# --- What was sent.

UNDECODABLE: Final = Reason(
    name="UNDECODABLE",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="this is not a valid message of the method: malformed bytes, invalid UTF-8 or nested too deep",
    cause="The bytes of a gRPC message cannot be decoded as the request of its method.",
    advice="Build requests with code generated from the contract, and send texts as UTF-8.",
)
EVENT_REJECTED: Final = Reason(
    name="EVENT_REJECTED",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="event rejected: {fields}",
    cause="The one event of the call breaks rules; BadRequest names every field and rule, and ErrorInfo the event_id. "
    "The event is kept as a rejected one.",
    advice="Correct the fields that BadRequest names. `POST /validate/server-event` checks a text without keeping it.",
)
SCAN_SESSION_REJECTED: Final = Reason(
    name="SCAN_SESSION_REJECTED",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="request rejected: {fields}",
    cause="A scan session breaks rules; BadRequest names every field and rule. Of a batch none was registered.",
    advice="Correct the fields that BadRequest names, and send the whole batch again.",
)
BODY_MISFIT: Final = Reason(
    name="JSON_MISMATCH",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="nothing was done, since the body does not fit: {fields}",
    cause="The body of an erasure, an export or a replay is not JSON, has a member that is not a field of the request "
    "or comes twice, or has a value of another type; BadRequest names each. A misspelt `validate_only` would be no dry "
    "run.",
    advice="Correct what BadRequest names. Nothing was erased, handed out or replayed.",
)
MESSAGE_TOO_LARGE: Final = Reason(
    name="BODY_TOO_LARGE",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="the message has {size:,} bytes; at most {limit:,} are taken in one call: send less at a time",
    cause="The message is larger than `rpc.max_batch_bytes`, or `rpc.max_event_bytes` where it is not a batch. JSON is "
    "measured as it is and as the protobuf that it becomes: a list of numbers grows sixfold.",
    advice="Send smaller batches; an event itself is small.",
)
BATCH_UNREADABLE: Final = Reason(
    name="BATCH_UNREADABLE",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="nothing of this batch was taken: {what}",
    cause="The body of a batch is not JSON, or has no list of events; the message says where and why. One rejected "
    "event stands for it, under the event_id of ErrorInfo; it keeps the punctuation of what was sent, not the words.",
    advice="Let a library write the JSON. A mistake in one event is reported for that event alone.",
)
TOO_MANY_EVENTS: Final = Reason(
    name="TOO_MANY_EVENTS",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="more than {limit} events in one batch, which are the most that are allowed",
    cause="A batch holds more events than one call may.",
    advice="Send several batches; the clients do so by themselves.",
)
TOO_MANY_SESSIONS: Final = Reason(
    name="TOO_MANY_SESSIONS",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="more than {limit} sessions in one batch, which are the most that are allowed",
    cause="A batch holds more scan sessions than one call may.",
    advice="Register them in several batches.",
)

SESSION_DRY_RUN: Final = Reason(
    name="SESSION_DRY_RUN",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="a scan session has no dry run: nothing was registered; send it without validate_only",
    cause="The address of a registration has `validate_only=true`, which is for events.",
    advice="Leave it out. The answer to a registration says what was left out or corrected, and a repeat is harmless.",
)

# --- Who calls.

KEY_MISSING: Final = Reason(
    name="KEY_MISSING",
    code=StatusCode.UNAUTHENTICATED,
    retry=Retry.NO,
    text=f"this call needs a key: {_SEND_KEY}",
    cause="The method is for backends, and the call has no header authorization.",
    advice="Make a key on the node with `qrumb sites key SITE` and send it in every call.",
)
KEY_INVALID: Final = Reason(
    name="KEY_INVALID",
    code=StatusCode.UNAUTHENTICATED,
    retry=Retry.NO,
    text="the header authorization holds no key that is known here: mistyped, revoked, or of another node; "
    f"{_SEND_KEY}",
    cause="The header is not `Bearer qk_...`, or no site of this node has that key.",
    advice="Compare the key with `qrumb sites list` on the node; the part between the underscores is its id.",
)
KEY_EXPIRED: Final = Reason(
    name="KEY_EXPIRED",
    code=StatusCode.UNAUTHENTICATED,
    retry=Retry.NO,
    text=f"this key has expired: {_SEND_KEY}",
    cause="The key's `expires` in sites.toml has passed.",
    advice="Make a new key and put it in the place of this one.",
)
KEY_SCOPE: Final = Reason(
    name="KEY_SCOPE",
    code=StatusCode.PERMISSION_DENIED,
    retry=Retry.NO,
    text="this call needs a key with the scope {needed}; this one has {present}",
    cause="The key is known, but not for this kind of call: collect, query or admin.",
    advice="Use a key with the scope, or make one: `qrumb sites key SITE --scope query`.",
)
KEY_OF_ANOTHER_SITE: Final = Reason(
    name="KEY_OF_ANOTHER_SITE",
    code=StatusCode.PERMISSION_DENIED,
    retry=Retry.NO,
    text="this key is not of the site that the call is about",
    cause="The call, or one event of the batch, is about a site that the key does not belong to.",
    advice="Send each site's events with a key of that site, in calls of their own.",
)
SITE_UNKNOWN: Final = Reason(
    name="SITE_UNKNOWN",
    code=StatusCode.PERMISSION_DENIED,
    retry=Retry.NO,
    text="this site_id is not known here: a typo, or `qrumb sites add` was not run for it",
    cause="A browser sends events of a site that sites.toml does not have.",
    advice="Correct the site_id in the page, or add the site on the node.",
)
ORIGIN_NOT_ALLOWED: Final = Reason(
    name="ORIGIN_NOT_ALLOWED",
    code=StatusCode.PERMISSION_DENIED,
    retry=Retry.NO,
    text="pages of this origin may not send events of this site; the site's owner can add it to `origins` in "
    "sites.toml",
    cause="The page's origin is not among the site's `origins`.",
    advice="Add the origin, with its scheme and port: `qrumb sites add SITE --origin https://shop.example`.",
)
UNKNOWN_METHOD: Final = Reason(
    name="UNKNOWN_METHOD",
    code=StatusCode.UNIMPLEMENTED,
    retry=Retry.NO,
    text="no such method",
    cause="The method is one of those that a node's processes keep for themselves.",
    advice="Call the methods of the contract, proto/qrumb/v1.",
)
NOT_PUBLIC: Final = Reason(
    name="NOT_PUBLIC",
    code=StatusCode.UNIMPLEMENTED,
    retry=Retry.NO,
    text="not offered on this port",
    cause="What a process tells its supervisor was asked for from outside.",
    advice="Read metrics from the port of the setting `metrics.port`, and the state from /healthz.",
)

# --- How much.

SITE_QUOTA: Final = Reason(
    name="SITE_QUOTA",
    code=StatusCode.RESOURCE_EXHAUSTED,
    retry=Retry.AFTER_DELAY,  # as long as the bucket takes to fill
    text="{sender} sends more events than its quota; nothing was kept, send it again later",
    cause="The site's events come faster than `quota` of sites.toml lets them.",
    advice="Wait for the delay and send the same request again. If this is the usual load, raise the quota.",
)
SPOOL_FULL: Final = Reason(
    name="SPOOL_FULL",
    # It empties as fast as ClickHouse takes rows: seconds once that is back. Not UNAVAILABLE, which the gateway would
    # try again at once.
    code=StatusCode.RESOURCE_EXHAUSTED,
    retry=Retry.AFTER_DELAY,
    retry_after_seconds=5,
    text="the collector's spool is full; nothing was kept, send it again later",
    cause="ClickHouse has taken no rows for so long that the spool has reached its limit, or the disk is full.",
    advice="Wait for the delay and send the same request again. The node's `qrumb status` says why.",
)
SITE_SPOOL_SHARE: Final = Reason(
    name="SITE_SPOOL_SHARE",
    code=StatusCode.RESOURCE_EXHAUSTED,
    retry=Retry.AFTER_DELAY,
    retry_after_seconds=5,
    text="this site's share of the collector's spool is full; nothing was kept, send it again later",
    cause="The site's events alone fill what one site may take of the spool (`spool.site_max_share`).",
    advice="Wait for the delay and send the same request again. Other sites are served meanwhile.",
)
TOO_MANY_CALLS: Final = Reason(
    name="TOO_MANY_CALLS",
    code=StatusCode.RESOURCE_EXHAUSTED,
    retry=Retry.AFTER_DELAY,
    retry_after_seconds=1,
    text="the collector has too many calls under way; nothing was kept, send it again later",
    cause="A worker's direct port has `rpc.max_concurrent_calls` calls under way, or a worker has "
    "`rpc.max_bytes_in_flight` of long ones.",
    advice="Wait for the delay. Send batches or open one stream, in place of many single calls.",
)

# --- What is wrong with us.

SPOOL_FAILED: Final = Reason(
    name="SPOOL_FAILED",
    # Another worker, or this one's next segment, may well take it.
    code=StatusCode.UNAVAILABLE,
    retry=Retry.AFTER_DELAY,
    retry_after_seconds=1,
    text="the collector's disk refused the event; nothing was acknowledged, send it again",
    cause="A write or a sync of the spool failed.",
    advice="Send the same request again, events under the same event_id. The node's log names the disk's error.",
)
STORE_UNAVAILABLE: Final = Reason(
    name="STORE_UNAVAILABLE",
    code=StatusCode.UNAVAILABLE,
    retry=Retry.YES,
    text="the database does not answer at the moment; the same call may be sent again, and ends what it has begun",
    cause="ClickHouse cannot be reached or refused the statement. Events are collected meanwhile.",
    advice="Send the same call again. `qrumb status` on the node says what ClickHouse answered.",
)
SPOOL_UNREADABLE: Final = Reason(
    name="SPOOL_UNREADABLE",
    code=StatusCode.UNAVAILABLE,
    retry=Retry.YES,
    text="the spool, where events wait for the database, cannot be read at the moment; try again",
    cause="The node may not read a folder or a file of its spool, or the disk refuses it.",
    advice="Send the same call again. `qrumb status` on the node says which folder and why.",
)
QUERY_UNAVAILABLE: Final = Reason(
    name="QUERY_UNAVAILABLE",
    code=StatusCode.UNAVAILABLE,
    retry=Retry.YES,
    text="the process that answers this is not there at the moment; try again",
    cause="The loader, which answers queries, is being started again.",
    advice="Send the same call again.",
)
STOPPING: Final = Reason(
    name="STOPPING",
    code=StatusCode.UNAVAILABLE,
    retry=Retry.YES,
    text="this process is stopping: every event with a receipt is kept; open a new stream and send the others again",
    cause="The node ends or is started again, and with it its open streams and health watches.",
    advice="Connect again and send what has no receipt, under the same event_id; the clients do so by themselves.",
)
INTERNAL: Final = Reason(
    name="INTERNAL",
    code=StatusCode.INTERNAL,
    retry=Retry.NO,
    text="internal error",
    cause="A fault of the service. ErrorInfo holds the request_id or the event_id, by which the log says more.",
    advice="Report it with that id to the node's operator.",
)

# --- What GetStatus and /healthz answer while a node takes nothing.

NODE_STOPPING: Final = Reason(
    name="STOPPING",
    code=StatusCode.UNAVAILABLE,
    retry=Retry.YES,
    text="{reasons}",
    cause="The node ends.",
    advice="Send to another node, or wait until this one is started again.",
)
NO_COLLECTOR: Final = Reason(
    name="NO_COLLECTOR",
    code=StatusCode.UNAVAILABLE,
    retry=Retry.YES,
    text="{reasons}",
    cause="No collector process is serving: all are being started, or end again and again.",
    advice="Wait for the start. If it lasts, the node's log says why the workers end.",
)
NODE_SPOOL_FULL: Final = Reason(
    name="SPOOL_FULL",
    code=StatusCode.UNAVAILABLE,
    retry=Retry.YES,
    text="{reasons}",
    cause="The spool of every worker, or the disk, is full: no worker takes events.",
    advice="Bring ClickHouse back, or make room on the disk; the reasons say which.",
)
SPOOL_UNUSABLE: Final = Reason(
    name="SPOOL_UNUSABLE",
    code=StatusCode.UNAVAILABLE,
    retry=Retry.YES,
    text="{reasons}",
    cause="No worker can write into its folder of the spool: it is missing, or its rights were changed.",
    advice="Bring the folder or its rights back; the node goes on by itself.",
)
NOT_READY: Final = {reason.name: reason for reason in (NODE_STOPPING, NO_COLLECTOR, NODE_SPOOL_FULL, SPOOL_UNUSABLE)}
"""By the name that `supervise.condition` gives the cause."""

# --- Queries and commands.

SCAN_SESSION_UNKNOWN: Final = Reason(
    name="SCAN_SESSION_UNKNOWN",
    code=StatusCode.NOT_FOUND,
    retry=Retry.NO,
    text="no scan session is registered under this id",
    cause="The session was never registered with this site, or is older than the site's retention.",
    advice="Register it; events that named it before are attributed to it then.",
)
QUERIES_BUSY: Final = Reason(
    name="QUERIES_BUSY",
    code=StatusCode.RESOURCE_EXHAUSTED,
    retry=Retry.AFTER_DELAY,
    retry_after_seconds=2,
    text="as many queries as may run at once are at work; ask again later",
    cause="`queries.max_concurrent` queries are being answered, and none ended within `queries.max_wait`.",
    advice="Wait for the delay and ask again, one question after the other. A caller that leaves ends its query.",
)
QUERY_TOO_LARGE: Final = Reason(
    name="QUERY_TOO_LARGE",
    code=StatusCode.FAILED_PRECONDITION,
    retry=Retry.NO,
    text="answering this takes more {what} than a query may have",
    cause="The query reached a limit of the settings: `queries.max_time`, `queries.max_memory_bytes` or "
    "`queries.max_rows`.",
    advice="Ask for a shorter range or fewer dimensions, or let the node's operator raise the limit.",
)
SQL_FAILED: Final = Reason(
    name="SQL_FAILED",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="{answer}",
    cause="`qrumb query`: ClickHouse refused the statement; the text is its answer.",
    advice="Correct the statement.",
)
BACKUP_NOT_POSSIBLE: Final = Reason(
    name="BACKUP_NOT_POSSIBLE",
    code=StatusCode.FAILED_PRECONDITION,
    retry=Retry.NO,
    text="{problem}",
    cause="`qrumb backup`: the folder cannot be used.",
    advice="Name a new folder on the node's machine.",
)
SERVER_NOT_BACKED_UP: Final = Reason(
    name="BACKUP_NOT_POSSIBLE",
    code=StatusCode.FAILED_PRECONDITION,
    retry=Retry.NO,
    text="a ClickHouse server is backed up by its own means, not by qrumb",
    cause="`qrumb backup` copies the embedded database alone, and this node's store is a server.",
    advice="Use the server's BACKUP statement, or the tools of its operator.",
)

TABLE: Final[tuple[Reason, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Reason))
"""All of the above, in this order."""
