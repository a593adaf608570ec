"""The compiled way (server/hotpath): bytes of a call in, spool records and receipts out, for ordinary events; and the
loader's, segments in, columns out. Between them is the disk of a worker."""

from collections.abc import Callable, Mapping
from typing import Any

from qrumb_server.enrich.agent import Agent
from qrumb_server.pipeline.compiled_rules import Address, Circumstances, Rules, SiteRules, Visitor
from qrumb_server.spool.format import Layout

INTERFACE: int
"""What Python and this say to each other; another number, another language."""

class Site:
    """What a site wants done with its events."""

    def __new__(cls, stated: SiteRules) -> Site: ...

class Caller:
    """Who calls."""

    def __new__(cls, stated: Visitor) -> Caller: ...

class Call:
    """A call on its way."""

    def __len__(self) -> int: ...
    def event(self, index: int) -> bytes:
        """The bytes of one event."""

    def read(self, most_bytes: int) -> bool:
        """Read the next events; whether all are read now.

        Raises:
            ValueError: the call is Python's as a whole.
        """

    def unread(self) -> list[int]:
        """Places of the events that are for Python to read."""

    def sites(self) -> dict[str, int]:
        """How many events each site has, but for the unread ones, before anything is judged."""

class Judge:
    """Judges calls, and keeps what was looked up of their visitors."""

    def __new__(cls, rules: Rules) -> Judge: ...
    def open(self, request: bytes, is_server: bool, is_batch: bool, is_json: bool) -> Call:
        """The call of a request: a message, or a text of JSON."""

    def at_once(
        self,
        request: bytes,
        kind: tuple[bool, bool, bool],
        caller: Caller,
        sites: Mapping[str, Site],
        moment: tuple[int, int, Callable[[int], str]],
    ) -> tuple[list[bytes], list[bytes], list[str]] | None:
        """What `judge` says of all events of a call, in one step.

        None where it is not for this: an event is Python's, or has a visitor who is to be learnt, or is not of a site
        among `sites` that all are of.

        Args:
            kind: the last three of `open`.
            moment: when it came, the epoch of `lacking`, and what names an event at a place whose sender did not.
        """

    def lacking(self, call: Call, epoch: int) -> tuple[set[str], set[str]]:
        """Agents and addresses that are to be looked up; addresses of an earlier epoch are forgotten."""

    def learn_agent(self, text: str, agent: Agent) -> None:
        """Keep what an agent says."""

    def learn_address(self, text: str, address: Address) -> None:
        """Keep what is known of an address."""

    def judge(
        self, call: Call, at: Circumstances, most_bytes: int
    ) -> tuple[list[bytes | None], list[bytes | None], list[str | None]]:
        """Records, receipts and sites of the next events; None where an event is Python's."""

class AppendFile:
    """A file that is only ever written at its end; as spool.filesystem has it, whose errors these calls raise."""

    @staticmethod
    def create(path: str) -> AppendFile:
        """A new, empty file."""

    def write(self, content: bytes | memoryview) -> int:
        """Append, and return how many bytes were taken."""

    def sync(self) -> None:
        """Make content and length durable."""

    def truncate(self, size_bytes: int) -> None:
        """Cut the end off."""

    def close(self) -> None:
        """Let go of the file."""

class Disk:
    """A thread that writes and syncs, one job at a time, and never needs the interpreter."""

    def __new__(cls) -> Disk: ...
    def fileno(self) -> int:
        """A descriptor that can be read once a job has ended."""

    def append(self, file: AppendFile, records: list[bytes], size_bytes: int, first_row: int, layout: Layout) -> None:
        """Begin to append the frames of these records, `first_row` upwards.

        Raises:
            OSError: the file is closed.
            RuntimeError: the thread has ended.
        """

    def ended(self) -> int:
        """How the job ended, once it has: 0, or the number of the error that ended its write, or below 0 its sync.

        Raises:
            OSError: the thread has ended.
        """

    def close(self) -> None:
        """End the thread after its job."""

class Rows:
    """The accepted events of a batch of the loader. Places count its events, in the order in which they were added."""

    def __new__(
        cls, columns: list[tuple[str, str, int]], consents: dict[str, tuple[bool, bool]], times: tuple[int, int]
    ) -> Rows:
        """Nothing yet.

        Args:
            columns: name, ClickHouse type as it is sent, number of the field.
            consents: by name, whether the scan session may be kept, and whether there may be a user.
            times: the earliest and the latest that a column holds, in milliseconds.
        """

    def __len__(self) -> int: ...
    def add_segment(self, image: bytes, name: str, layout: Layout, rows: int) -> list[tuple[int, bytes]] | None:
        """Read a segment; the records that are no events, by their rows. None: the batch is Python's as a whole."""

    def traceparents(self) -> list[str]:
        """Of the calls that are traced."""

    def row_id(self, place: int) -> tuple[str, int]:
        """Name of the segment, and the row in it."""

    def event(self, place: int) -> bytes:
        """The AcceptedEvent as the spool has it, or as it was put back."""

    def site_ids(self) -> list[str]:
        """Of the events."""

    def sessions(self) -> tuple[list[tuple[str, str]], list[int], list[bool], list[int | None]]:
        """Their keys; how many events each has, whether one of these may have a user, and the earliest time of those
        of browsers."""

    def addresses(self) -> list[tuple[str, str]]:
        """Site and key of each address."""

    def marked(self) -> list[int]:
        """Places of the events with reasons to suspect fraud."""

    def places(self, sessions: list[bool]) -> list[int]:
        """Places of the events of some sessions, which are named by a truth for each of them."""

    def watch(self, sessions: list[bool], addresses: list[bool]) -> None:
        """Count the events of some sessions and addresses one by one, these named likewise."""

    def watched(self, first: int, end: int) -> list[tuple[int, int | None, int | None, int, int, bool]]:
        """Of a run, those that are watched and not left: place, session and address by their number, received_time,
        event_time, and whether it is a browser's."""

    def too_many(
        self,
        first: int,
        end: int,
        limits: tuple[dict[int, tuple[int, int, float]], dict[int, tuple[int, int, float]]],
        window: tuple[int, bool, bool],
    ) -> tuple[list[int], list[int]]:
        """Places of the watched events of a run at which their session's rate is too much, and their address's.

        Args:
            limits: of sessions and of addresses, by their number: how many events count before the run, how many of the
                last window do, and the rate that is not too much yet.
            window: its milliseconds, and whether the run is of an earlier one than is counted, of sessions and of
                addresses.
        """

    def too_early(self, first: int, end: int, times: dict[int, int]) -> list[int]:
        """Places of the watched events of browsers in a run that are earlier than a time of their session."""

    def places_in(self, first: int, end: int, sessions: set[int]) -> list[int]:
        """Places of the events of some sessions in a run."""

    def mark(self, reason: str, places: list[int], ignoring: set[str]) -> None:
        """Give events a further reason to suspect fraud, by their places; not those of the sites that ignore it."""

    def repeated(self, ids: set[str]) -> list[int]:
        """Places of the events whose id is there twice, or is among these."""

    def made_ids(self) -> list[str]:
        """Of events that were given none, and not sent again by the gateway."""

    def asked(self, is_every: bool, also: set[str]) -> list[tuple[str, str, int]]:
        """site_id, event_id and received_time of the events that may have arrived before, and of some more."""

    def windows(self, window_ms: int) -> list[tuple[int, int]]:
        """Runs of places, the last not included, that were received within one window."""

    def stand_alone(self, sessions: list[bool]) -> None:
        """Say of each session whether it stands alone, so that its events do not count for their addresses."""

    def rates(
        self, first: int, end: int, is_watched: bool | None
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]], int]:
        """Sessions and addresses by their number, with how many events they have in a run, and its first received_time.

        Args:
            is_watched: of those that are, or are not, and are not left; None: of all.
        """

    def hours(self, hour_ms: int) -> list[tuple[str, int, bool]]:
        """site_id and hour of the events, and whether one in it has no session that is kept."""

    def leave(self, places: list[int]) -> list[int]:
        """Leave events to Python, and all events of their sessions; the places of all that are left, rising."""

    def settle(self, codes: list[str], users: list[str], source: str) -> None:
        """Give the others the QR code and the user of their session; what user_id_source says then."""

    def put(self, place: int, event: bytes, client_text: str, identified: str) -> None:
        """Put back an AcceptedEvent; the columns that are not in its row are given besides.

        Raises:
            ValueError: it cannot be made a row.
        """

    def attributed(self, place: int) -> tuple[str, str, str, str, list[str]]:
        """qr_code_id, user_id, user_id_source, scan_session_id and fraud_reasons, as they are by now."""

    def counts(self, minute_ms: int) -> list[tuple[str, str, int, int, int, int]]:
        """Segment, site, minute, is_duplicate, is_fraud, and how many events have these."""

    def native(self) -> bytes:
        """All rows as one block of the Native format."""

    def column(self, name: str) -> list[Any]:
        """A column as a list; amounts of money as texts."""
