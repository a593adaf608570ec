"""The compiled way (server/hotpath): bytes of a call in, spool records and receipts out, for ordinary events."""

from collections.abc import Callable, Mapping

from qrumb_server.enrich.agent import Agent
from qrumb_server.pipeline.compiled_rules import Address, Circumstances, Rules, SiteRules, Visitor

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
